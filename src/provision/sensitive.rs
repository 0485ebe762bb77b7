//! A value in a comparison, where it may be a secret: of those only a digest is kept.

use std::fmt;
use std::sync::LazyLock;

use ring::hmac;
use ring::rand::SystemRandom;

/// The key of all digests: made at random once in a run, in memory only, so that nobody who saw a digest could try secrets against it.
/// `None` where the system has no random numbers.
static KEY: LazyLock<Option<hmac::Key>> = LazyLock::new(random_key);

fn random_key() -> Option<hmac::Key> {
    hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()
}

/// What a field has on one side.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A text that a plan may show.
    Shown(String),
    /// A secret, of which nothing is left but what tells it from another one.
    Hidden(Digest),
}

impl Value {
    pub(crate) fn shown(text: impl Into<String>) -> Self {
        Self::Shown(text.into())
    }

    pub(crate) fn hidden(secret: &str) -> Self {
        Self::Hidden(Digest::of(secret, KEY.as_ref()))
    }

    /// The text, where it may be shown.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Shown(text) => Some(text),
            Self::Hidden(_) => None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Shown(text) => text.is_empty(),
            Self::Hidden(digest) => digest.empty,
        }
    }

    /// Whether both are the same, even where only one side knows that it is a secret.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Shown(one), Self::Shown(other)) => one == other,
            (Self::Hidden(one), Self::Hidden(other)) => one.is(other),
            (Self::Shown(text), Self::Hidden(digest)) | (Self::Hidden(digest), Self::Shown(text)) => {
                Digest::of(text, KEY.as_ref()).is(digest)
            }
        }
    }
}

/// What tells one secret from another within a run.
#[derive(Clone)]
pub(crate) struct Digest {
    /// HMAC-SHA256; without a key it is none, and equals no other.
    code: Option<hmac::Tag>,
    empty: bool,
}

impl Digest {
    fn of(secret: &str, key: Option<&hmac::Key>) -> Self {
        Self { code: key.map(|key| hmac::sign(key, secret.as_bytes())), empty: secret.is_empty() }
    }

    fn is(&self, other: &Self) -> bool {
        let same = |(one, other): (&hmac::Tag, &hmac::Tag)| one.as_ref() == other.as_ref();
        (self.empty && other.empty) || self.code.as_ref().zip(other.code.as_ref()).is_some_and(same)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_equals_itself_whichever_side_knows_that_it_is_one() {
        let both = |text: &str| [Value::shown(text), Value::hidden(text)];
        for one in both("hunter2") {
            assert!(both("hunter2").iter().all(|other| one.is(other) && other.is(&one)), "{one:?}");
            assert!(both("hunter3").iter().chain(&both("")).all(|other| !one.is(other) && !other.is(&one)), "{one:?}");
        }
        for one in both("") {
            assert!(one.is_empty() && both("").iter().all(|other| one.is(other)), "{one:?}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_kept_or_printed() {
        let value = Value::hidden("hunter2");
        assert_eq!((format!("{value:?}").as_str(), value.text()), ("Hidden(****)", None));
        let Value::Hidden(Digest { code: Some(code), .. }) = value else { panic!("a digest") };
        let plain = ring::digest::digest(&ring::digest::SHA256, b"hunter2");
        assert_ne!(code.as_ref(), plain.as_ref(), "a digest without a key could be looked up");
    }

    #[test]
    fn a_digest_is_of_no_use_in_another_run() {
        let (one, other) = (random_key().expect("random numbers"), random_key().expect("random numbers"));
        assert!(Digest::of("hunter2", Some(&one)).is(&Digest::of("hunter2", Some(&one))));
        assert!(!Digest::of("hunter2", Some(&one)).is(&Digest::of("hunter2", Some(&other))));
        assert!(!Digest::of("hunter2", None).is(&Digest::of("hunter2", None)), "without a key it is taken for changed");
    }
}
