//! What a token must be: the settings below `jwt`.

use std::collections::BTreeMap;

use super::error::Spot;
use super::load::{url, whole};
use super::reader::{Found, Reader, shown};
use super::secrets::{self, Fetch};
use super::sources::Purpose;
use super::{Algorithm, Jwt, PublicKeys, SecretSource, TokenFrom, pem, urls};
use crate::contract::default;
use crate::jose;

/// A source of the key that tokens are checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Secret,
    PublicKey,
    Jwks,
    JwksUrl,
}

impl Source {
    const ALL: [Self; 4] = [Self::Secret, Self::PublicKey, Self::Jwks, Self::JwksUrl];

    fn path(self) -> &'static str {
        match self {
            Self::Secret => "jwt.secret",
            Self::PublicKey => "jwt.public_key",
            Self::Jwks => "jwt.jwks",
            Self::JwksUrl => "jwt.jwks_url",
        }
    }
}

/// Whether a place names a source, and where.
type Place<'a> = &'a dyn Fn(&Reader<'_>, Source) -> Option<Spot>;

/// Reads everything below `jwt`.
pub(super) fn read(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>) -> Jwt {
    let token_from = token_from(reader);
    let mut plain = |path: &str| {
        let found = reader.text(path)?;
        if found.value.chars().any(char::is_control) {
            reader.wrong(&found.spot, format!("`{path}` has a line break in it"), "write it on one line");
        }
        Some(found.value)
    };
    let (session_claim, issuer, audience) = (plain("jwt.session_claim"), plain("jwt.issuer"), plain("jwt.audience"));
    let leeway = reader.integer("jwt.leeway_seconds", 0..=300, "");
    let max_age = reader.integer("jwt.max_age_seconds", 1..=i64::from(i32::MAX), "; 0 would refuse everybody");
    let mut jwt = Jwt {
        algorithm: Algorithm::Hs256,
        secret: None,
        keys: None,
        session_claim,
        issuer,
        audience,
        claims: claims(reader),
        leeway_seconds: leeway.map_or(default::LEEWAY_SECONDS, |found| whole(found.value)),
        max_age_seconds: max_age.map(|found| whole(found.value)),
        single_use: reader.boolean("jwt.single_use").unwrap_or(false),
        enforce_expiry: reader.boolean("jwt.enforce_expiry").unwrap_or(true),
        token_from,
        ticket_key: None,
    };
    if jwt.accepts_tokens() {
        keys(reader, fetch, &mut jwt);
    }
    if jwt.accepts_tickets() {
        jwt.ticket_key = secrets::ticket_key(reader, fetch, jwt.secret.as_ref());
    }
    jwt
}

/// The algorithm, and the one source of the key.
fn keys(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>, jwt: &mut Jwt) {
    let before = reader.wrong.len();
    let names = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let algorithm = reader.choice("jwt.algorithm", &names, &[("ed25519", "EdDSA"), ("rsa", "RS256"), ("hmac", "HS256")]);
    let source = source(reader);
    if reader.wrong.len() > before {
        return;
    }
    let Some((source, spot)) = source else {
        if reader.purpose == Purpose::Provision {
            let remedy = match algorithm {
                Some(algorithm) if !algorithm.has_secret() => {
                    "name the public key: `jwt.public_key: file:PATH`, `jwt.jwks: file:PATH` or `jwt.jwks_url: https://...`"
                }
                Some(_) | None => "set JWT_SECRET to the key that signs your tokens, or name its place: `--jwt-secret file:PATH`",
            };
            let what = if algorithm.is_some_and(|algorithm| !algorithm.has_secret()) { "the key of tokens" } else { "the JWT secret" };
            reader.wrong(&Spot::Nowhere, format!("{what} is missing"), remedy);
        }
        return;
    };
    let pin = reader.boolean("jwt.jwks_pin").unwrap_or(false);
    if pin && source != Source::JwksUrl {
        return reader.wrong(
            &spot,
            format!("`jwt.jwks_pin` is set, but the key comes from `{}`", source.path()),
            "leave out `jwt.jwks_pin`: it is for `jwt.jwks_url`",
        );
    }
    let public = source != Source::Secret;
    jwt.algorithm = match algorithm {
        Some(algorithm) if algorithm.has_secret() == public => {
            let (needs, remedy) = if public {
                ("a shared secret", "name the algorithm of the public key, such as RS256 or ES256")
            } else {
                ("a public key", "write HS256, HS384 or HS512, or name the key with `jwt.public_key`, `jwt.jwks` or `jwt.jwks_url`")
            };
            return reader.wrong(&spot, format!("`{}` does not fit: {algorithm} needs {needs}", source.path()), remedy);
        }
        Some(algorithm) => algorithm,
        None if public => {
            let remedy = "write the one that the issuer signs with, such as `algorithm: RS256` (Cognito, Auth0) or `ES256` (Supabase)";
            return reader.wrong(&spot, "`jwt.algorithm` is missing: with a public key it has to be named", remedy);
        }
        None => Algorithm::Hs256,
    };
    match source {
        Source::Secret => jwt.secret = secrets::jwt_secret(reader, fetch, jwt.algorithm).map(|found| found.value),
        Source::PublicKey | Source::Jwks => jwt.keys = given(reader, fetch, source, jwt.algorithm),
        Source::JwksUrl => {
            jwt.keys = url(reader, "jwt.jwks_url", urls::issuer).map(|found| PublicKeys::Issuer { url: found.value, pin });
        }
    }
}

/// Where the key is. The places are asked from the strongest to the weakest; within one only one source may be named.
fn source(reader: &mut Reader<'_>) -> Option<(Source, Spot)> {
    let spot_of = |raw| match raw {
        super::reader::Raw::Given(_, spot) => spot,
        super::reader::Raw::Node(node) => Spot::Line(node.mark),
    };
    let url_variable = |reader: &Reader<'_>, source: Source| {
        let name = super::keys::find(source.path())?.variables.first().copied()?;
        let set = matches!((reader.environment)(name), Some(Ok(text)) if !text.is_empty());
        set.then_some(Spot::Variable(name))
    };
    // A source that somebody named is stronger than a key that happens to be in the environment.
    let places: [Place<'_>; 4] = [
        &|reader, source| reader.flag(source.path()).map(spot_of),
        &|reader, source| if source == Source::JwksUrl { url_variable(reader, source) } else { None },
        &|reader, source| reader.in_file(source.path()).map(spot_of),
        &|reader, source| url_variable(reader, source),
    ];
    let found = places.iter().find_map(|place| {
        let named: Vec<_> = Source::ALL.into_iter().filter_map(|source| Some((source, place(reader, source)?))).collect();
        (!named.is_empty()).then_some(named)
    })?;
    match found.as_slice() {
        [(source, spot)] => Some((*source, spot.clone())),
        [(first, _), (second, spot), ..] => {
            let what = format!("`{}` and `{}` are both set", first.path(), second.path());
            reader.wrong(spot, what, "tokens are checked with one of them: take out the other");
            None
        }
        [] => None,
    }
}

/// A key or a set that is at hand.
fn given(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>, source: Source, algorithm: Algorithm) -> Option<PublicKeys> {
    let path = source.path();
    let Found { value, spot } = secrets::named(reader, path, fetch)?;
    let SecretSource::Value(text) = value else {
        reader.wrong(&spot, format!("`{path}` cannot be kept in SSM or Secrets Manager"), "it is no secret: use `file:PATH` or `env:NAME`");
        return None;
    };
    let json = if source == Source::PublicKey {
        match pem::public_key(text.expose()) {
            Ok(json) => json,
            Err((what, remedy)) => {
                reader.wrong(&spot, format!("`{path}` {what}"), remedy);
                return None;
            }
        }
    } else {
        text.expose().to_owned()
    };
    match jose::compact(algorithm, &json) {
        Ok(keys) => Some(PublicKeys::Given(keys)),
        Err(why) => {
            let what = if source == Source::PublicKey { format!("`{path}`: {why}") } else { format!("`{path}` is {why}") };
            let remedy = if json.contains("-----BEGIN ") {
                "a key in PEM form is named with `jwt.public_key`".to_owned()
            } else {
                format!("name a key that can check {algorithm}, or the algorithm of this one")
            };
            reader.wrong(&spot, what, remedy);
            None
        }
    }
}

fn claims(reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let judged = ["exp", "nbf", "iat", "jti", "iss", "aud"];
    let mut claims = BTreeMap::new();
    for (name, value, _) in reader.map("jwt.claims") {
        if judged.contains(&name.value.as_str()) {
            let what = format!("`jwt.claims` cannot have `{}`", name.value);
            reader.wrong(&name.spot, what, "it is judged by itself: `jwt.issuer`, `jwt.audience`, `jwt.max_age_seconds`, `jwt.single_use`");
        }
        if name.value.is_empty() || name.value.chars().any(char::is_control) {
            reader.wrong(&name.spot, "a claim in `jwt.claims` has no name that can be one", "write the claim's name, such as `client_id`");
        }
        claims.insert(name.value, value.value);
    }
    claims
}

fn token_from(reader: &mut Reader<'_>) -> Vec<TokenFrom> {
    let both = vec![TokenFrom::Query, TokenFrom::Subprotocol];
    let before = reader.wrong.len();
    let Some(list) = reader.list("jwt.token_from") else { return both };
    let words = [("query", TokenFrom::Query), ("subprotocol", TokenFrom::Subprotocol), ("ticket", TokenFrom::Ticket)];
    let mut from = Vec::new();
    for found in &list {
        let Some(one) = reader.one_of("jwt.token_from", found, &words, &[("sub-protocol", "subprotocol"), ("header", "subprotocol")])
        else {
            continue;
        };
        if from.contains(&one) {
            reader.wrong(&found.spot, format!("`jwt.token_from` names {} twice", shown(&found.value)), "keep one of them");
        } else {
            from.push(one);
        }
    }
    if list.is_empty() && reader.wrong.len() == before {
        reader.wrong(&Spot::Nowhere, "`jwt.token_from` is empty: nobody could connect", "write `[query, subprotocol]`, or leave it out");
    }
    from
}
