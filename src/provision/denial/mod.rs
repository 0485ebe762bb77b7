//! AWS's text of a denial, taken apart: who was refused what, on what, and by which policy. Pure.
//!
//! The text is for people and each of its parts is optional (IAM guide, "Troubleshoot access denied error messages"). Tools wrap it in
//! JSON, XML, line breaks and words of their own. Nothing here fails, and nothing is told that the text does not say.

mod advice;
#[cfg(test)]
mod tests;
mod unwrap;

/// A denial. Parts that the text does not have are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// ARN of the one who was refused.
    pub principal: Option<String>,
    /// `iam:PassRole`
    pub action: Option<String>,
    /// The ARN or the name that it was asked for.
    pub resource: Option<String>,
    /// How it came to the refusal.
    pub effect: Effect,
    /// What denies, or what would have to allow.
    pub policy_kind: Option<PolicyKind>,
    /// ARN of the policy that denies.
    pub policy: Option<String>,
    /// Whether an encoded message with more is in the text.
    pub encoded: bool,
    /// Whether a role of another account was passed, which no permission allows.
    pub other_account: bool,
}

/// How a refusal came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// A statement denies it; no allow outranks that.
    Explicit,
    /// Nothing allows it.
    Implicit,
    /// AWS does not say.
    #[default]
    Unknown,
}

/// A kind of policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    Identity,
    Resource,
    Boundary,
    Session,
    ServiceControl,
    ResourceControl,
    Endpoint,
    Trust,
    /// In AWS's words.
    Other(String),
}

impl PolicyKind {
    /// As AWS names it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
            Self::Endpoint => "VPC endpoint policy",
            Self::Trust => "role trust policy",
            Self::Other(name) => name,
        }
    }

    fn of(words: &str) -> Self {
        let known = [
            Self::Identity,
            Self::Resource,
            Self::Boundary,
            Self::Session,
            Self::ServiceControl,
            Self::ResourceControl,
            Self::Endpoint,
            Self::Trust,
        ];
        let lower = words.to_ascii_lowercase();
        known.into_iter().find(|kind| lower.contains(&kind.name().to_ascii_lowercase())).unwrap_or_else(|| Self::Other(words.to_owned()))
    }
}

const REFUSED: &str = "not authorized to perform";
const EXPLICIT: &str = "explicit deny";
const IMPLICIT: &str = "because no ";
/// What tools and services put behind the sentence.
const TAILS: &[&str] = &[" (service: ", " (request", "encoded authorization failure message", " status code: "];

impl Denial {
    /// Takes AWS's text apart; never fails.
    #[must_use]
    pub fn parse(said: &str) -> Self {
        let text = unwrap::plain(said);
        // Only ASCII letters change, so that every place is the same in both.
        let lower = text.to_ascii_lowercase();
        let mut denial = Self {
            encoded: lower.contains("encoded authorization failure message: "),
            other_account: lower.contains("cross-account pass role"),
            ..Self::default()
        };
        let mut rest = 0;
        for (at, _) in lower.match_indices(REFUSED) {
            let after = at + REFUSED.len();
            let Some((action, end)) = action(&text, after) else { continue };
            denial.action = Some(action);
            denial.principal = principal(&text[..at]);
            rest = end;
            break;
        }
        let end = TAILS.iter().filter_map(|tail| lower[rest..].find(tail)).min().map_or(text.len(), |tail| rest + tail);
        denial.read_why(&text[rest..end], &lower[rest..end]);
        if denial.action.is_some() {
            denial.resource = resource(&text[rest..end], &lower[rest..end]);
        }
        denial
    }

    /// What stands behind action and resource: how it came to the refusal, and by which policy.
    fn read_why(&mut self, text: &str, lower: &str) {
        let (explicit, implicit) = (lower.find(EXPLICIT), lower.find(IMPLICIT));
        let at = match (explicit, implicit) {
            (Some(explicit), implicit) if implicit.is_none_or(|implicit| explicit < implicit) => {
                self.effect = Effect::Explicit;
                let words = &text[explicit + EXPLICIT.len()..];
                let words = words.split([':', '(', '.', ',', ';']).next().unwrap_or_default().trim();
                let kind = after_small_words(words);
                self.policy_kind = (!kind.is_empty()).then(|| PolicyKind::of(kind));
                explicit
            }
            (_, Some(implicit)) => {
                self.effect = Effect::Implicit;
                let words = &text[implicit + IMPLICIT.len()..];
                self.policy_kind = words.split_once(" allow").map(|(kind, _)| PolicyKind::of(kind.trim()));
                implicit
            }
            _ => return,
        };
        let words = text[at..].split(' ').map(|word| word.trim_matches(QUOTES).trim_end_matches(STOPS));
        self.policy = words.filter(|word| is_policy(word)).map(str::to_owned).next();
    }
}

/// Marks around a name.
const QUOTES: [char; 3] = ['"', '\'', '`'];
/// Marks that end a sentence and are no part of a name.
const STOPS: [char; 9] = ['.', ',', ';', ')', ']', '}', '"', '\'', '`'];

/// `in an identity-based policy` -> `identity-based policy`.
fn after_small_words(words: &str) -> &str {
    let small = ["in", "transitively", "through", "by", "a", "an", "the"];
    let mut rest = words;
    while let Some((first, after)) = rest.split_once(' ').filter(|(first, _)| small.contains(first)) {
        let _ = first;
        rest = after;
    }
    if small.contains(&rest) { "" } else { rest }
}

fn is_policy(word: &str) -> bool {
    word.starts_with("arn:") && [":iam:", ":organizations:"].iter().any(|service| word.contains(service)) && word.contains(":policy/")
}

/// The action at a place, and where it ends.
fn action(text: &str, at: usize) -> Option<(String, usize)> {
    let after = text[at..].trim_start_matches([':', ' ']);
    let start = text.len() - after.len();
    let word = after.split(' ').next().unwrap_or_default();
    let name = word.trim_matches(|mark: char| QUOTES.contains(&mark) || mark == '[').trim_end_matches(STOPS);
    let (service, operation) = name.split_once(':')?;
    let is = |part: &str, more: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
    };
    (is(service, "-") && is(operation, "*")).then(|| (name.to_owned(), start + word.len()))
}

/// The one who was refused, in the text before `not authorized`.
fn principal(before: &str) -> Option<String> {
    let words = before.trim_end().strip_suffix("is").unwrap_or(before).trim_end();
    let name = match words.rsplit_once("User: ") {
        Some((_, name)) => name,
        None => words.rsplit(' ').next().filter(|word| word.starts_with("arn:"))?,
    };
    let name = name.trim_matches(QUOTES);
    (!name.is_empty() && !name.contains(' ')).then(|| name.to_owned())
}

/// What it was asked for, in the text behind the action.
fn resource(text: &str, lower: &str) -> Option<String> {
    let end =
        [" because ", " with an explicit deny", " with explicit deny", " due to "].iter().filter_map(|phrase| lower.find(phrase)).min();
    let (text, lower) = end.map_or((text, lower), |end| (&text[..end], &lower[..end]));
    let at = lower.find("on resource")? + "on resource".len();
    let name = text[at..].trim_start_matches(['s', ':', ' ']);
    let quoted = QUOTES.into_iter().find(|mark| name.starts_with(*mark)).and_then(|mark| name[1..].split_once(mark));
    let name = match quoted {
        Some((inner, _)) => inner,
        // A name in words, `role voclabs`, has spaces in it; an ARN has none.
        None if name.starts_with("arn:") || name.starts_with('*') => name.split(' ').next().unwrap_or_default(),
        None => name,
    };
    let name = name.trim().trim_end_matches(STOPS);
    (!name.is_empty()).then(|| name.to_owned())
}
