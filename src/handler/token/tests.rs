use proptest::prelude::*;
use ring::hmac;
use serde_json::json;

use super::claims::WrongSession;
use super::*;
use crate::jose::Algorithm;

const SECRET: &str = "a secret of at least thirty-two bytes";
const NOW: i64 = 1_700_000_000;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs any header and any payload, however wrong.
fn signed(header: &str, payload: &str) -> String {
    let text = format!("{}.{}", encode(header), encode(payload));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), text.as_bytes());
    format!("{text}.{}", encode(signature))
}

fn token(claims: &Value) -> String {
    signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

fn keys() -> Keys {
    Keys::from_secret(Algorithm::Hs256, SECRET).unwrap()
}

fn check(token: &str) -> Result<Claims, TokenError> {
    verify(token, &keys(), &Rules::default(), NOW)
}

fn claims_under(rules: &Rules, claims: &Value) -> Result<Claims, TokenError> {
    verify(&token(claims), &keys(), rules, NOW)
}

#[test]
fn a_good_token_is_accepted() {
    let claims = check(&token(&json!({ "exp": NOW + 60, "sub": "user-1", "sessionId": "s1" }))).unwrap();
    assert_eq!(claims.subject.as_deref(), Some("user-1"));
    assert_eq!(claims.valid_until, NOW + 60);
    assert_eq!(claims.session(None), Ok(Some("s1")));
}

#[test]
fn the_token_does_not_choose_the_algorithm() {
    let payload = json!({ "exp": NOW + 60 }).to_string();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"HS256 "}"#,
        "{}",
    ] {
        assert_eq!(check(&signed(header, &payload)).unwrap_err(), TokenError::Algorithm, "{header}");
    }
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&payload));
    assert_eq!(check(&unsigned).unwrap_err(), TokenError::Algorithm);
}

#[test]
fn critical_headers_are_refused_and_offered_keys_ignored() {
    let payload = json!({ "exp": NOW + 60 }).to_string();
    for crit in ["[\"exp\"]", "[]", "null", "[\"b64\"]"] {
        let header = format!(r#"{{"alg":"HS256","crit":{crit}}}"#);
        assert_eq!(check(&signed(&header, &payload)).unwrap_err(), TokenError::Critical, "{crit}");
    }
    let header = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"jku":"https://evil.example","kid":"../../dev/null"}"#;
    let own_key = hmac::Key::new(hmac::HMAC_SHA256, &[0, 0, 0]);
    let text = format!("{}.{}", encode(header), encode(&payload));
    let forged = format!("{text}.{}", encode(hmac::sign(&own_key, text.as_bytes())));
    assert_eq!(check(&forged).unwrap_err(), TokenError::Signature);
    assert!(check(&signed(header, &payload)).is_ok());
}

#[test]
fn malformed_tokens_are_refused() {
    let good = token(&json!({ "exp": NOW + 60 }));
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "a.b".into(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{head}.{payload}"),
        format!("{head}.{payload}."),
        format!("{head}.{payload}.{}", signature.replace(['-', '_'], "+")) + "+",
        format!("{head}=.{payload}.{signature}"),
        format!("{head}\n.{payload}.{signature}"),
        format!("{head}..{signature}"),
        "x".repeat(LONGEST_TOKEN + 1),
        signed("[]", "{}"),
        signed("null", "{}"),
        signed(r#"{"alg":"HS256"} x"#, "{}"),
        signed(r#"{"alg":"HS256","alg":"HS256"}"#, "{}"),
        signed(r#"{"alg":"HS256"}"#, r#"[{"exp":1800000000}]"#),
        signed(r#"{"alg":"HS256"}"#, r#"{"exp":1800000000,"exp":1800000000}"#),
        signed(r#"{"alg":"HS256"}"#, &format!(r#"{{"exp":1800000000,"deep":{}{}}}"#, "[".repeat(5000), "]".repeat(5000))),
    ] {
        assert!(check(&bad).is_err(), "{}", &bad[..bad.len().min(80)]);
    }
    // The last character of a signature of 32 bytes has two bits to spare: other spellings of the same bytes are not the token.
    let last = signature.chars().last().unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|c| *c != last) {
        let bad = format!("{head}.{payload}.{}{other}", &signature[..signature.len() - 1]);
        assert!(check(&bad).is_err());
    }
}

#[test]
fn the_time_is_judged_to_the_second() {
    let at = |claims: Value, leeway| claims_under(&Rules { leeway, ..Rules::default() }, &claims).map(|_| ());
    assert_eq!(at(json!({ "exp": NOW }), 0), Err(TokenError::Expired));
    assert_eq!(at(json!({ "exp": NOW + 1 }), 0), Ok(()));
    assert_eq!(at(json!({ "exp": NOW - 30 }), 30), Err(TokenError::Expired));
    assert_eq!(at(json!({ "exp": NOW - 29 }), 30), Ok(()));
    assert_eq!(at(json!({ "exp": NOW as f64 + 0.5 }), 0), Err(TokenError::Expired));
    assert_eq!(at(json!({ "exp": NOW + 9, "nbf": NOW }), 0), Ok(()));
    assert_eq!(at(json!({ "exp": NOW + 9, "nbf": NOW + 1 }), 0), Err(TokenError::NotYet));
    assert_eq!(at(json!({ "exp": NOW + 9, "nbf": NOW as f64 + 0.5 }), 0), Err(TokenError::NotYet));
    assert_eq!(at(json!({ "exp": NOW + 9, "nbf": NOW + 1 }), 1), Ok(()));
    assert_eq!(at(json!({}), 0), Err(TokenError::Missing("exp".to_owned())));
    for wrong in [json!(null), json!((NOW + 60).to_string()), json!([NOW + 60]), json!(true), json!({})] {
        assert_eq!(at(json!({ "exp": wrong }), 0), Err(TokenError::Type("exp".to_owned())));
        assert_eq!(at(json!({ "exp": NOW + 60, "nbf": wrong }), 0), Err(TokenError::Type("nbf".to_owned())));
    }
}

#[test]
fn enormous_dates_neither_wrap_nor_crash() {
    for far in ["9223372036854775807", "9223372036854775808", "18446744073709551616", "1e30", "1e300"] {
        let claims = check(&signed(r#"{"alg":"HS256"}"#, &format!(r#"{{"exp":{far}}}"#))).unwrap();
        assert_eq!(claims.valid_until, i64::MAX, "{far}");
    }
    for past in ["-9223372036854775808", "-1e30", "0", "-0.0"] {
        assert_eq!(check(&signed(r#"{"alg":"HS256"}"#, &format!(r#"{{"exp":{past}}}"#))).unwrap_err(), TokenError::Expired);
    }
    assert_eq!(check(&signed(r#"{"alg":"HS256"}"#, r#"{"exp":1e400}"#)).unwrap_err(), TokenError::Claims);
}

#[test]
fn issuer_and_audience_are_required_once_configured() {
    let issuer = Rules { issuer: Some("us".into()), ..Rules::default() };
    let with = |iss: Value| claims_under(&issuer, &json!({ "exp": NOW + 9, "iss": iss })).map(|_| ());
    assert_eq!(with(json!("us")), Ok(()));
    assert_eq!(with(json!("US")), Err(TokenError::Other("iss".to_owned())));
    assert_eq!(with(json!(["us"])), Err(TokenError::Type("iss".to_owned())));
    assert_eq!(with(json!(null)), Err(TokenError::Type("iss".to_owned())));
    assert_eq!(claims_under(&issuer, &json!({ "exp": NOW + 9 })).unwrap_err(), TokenError::Missing("iss".to_owned()));

    let audience = Rules { audience: Some("ws".into()), ..Rules::default() };
    let with = |aud: Value| claims_under(&audience, &json!({ "exp": NOW + 9, "aud": aud })).map(|_| ());
    assert_eq!(with(json!("ws")), Ok(()));
    assert_eq!(with(json!(["api", "ws"])), Ok(()));
    assert_eq!(with(json!(["api"])), Err(TokenError::Other("aud".to_owned())));
    assert_eq!(with(json!("ws ")), Err(TokenError::Other("aud".to_owned())));
    assert_eq!(with(json!([])), Err(TokenError::Other("aud".to_owned())));
    for wrong in [json!(null), json!(1), json!({ "ws": 1 }), json!(["ws", 1])] {
        assert_eq!(with(wrong), Err(TokenError::Type("aud".to_owned())));
    }
    assert_eq!(claims_under(&audience, &json!({ "exp": NOW + 9 })).unwrap_err(), TokenError::Missing("aud".to_owned()));
}

#[test]
fn the_session_is_bound_byte_for_byte() {
    let free = check(&token(&json!({ "exp": NOW + 9 }))).unwrap();
    assert_eq!(free.session(Some("any")), Ok(Some("any")));
    assert_eq!(free.session(None), Ok(None));
    let bound = check(&token(&json!({ "exp": NOW + 9, "sessionId": "s1" }))).unwrap();
    assert_eq!(bound.session(Some("s1")), Ok(Some("s1")));
    for other in ["S1", "s1 ", "s2", "", "s１"] {
        assert_eq!(bound.session(Some(other)), Err(WrongSession), "{other}");
    }
    for broken in [json!(null), json!(1), json!(["s1"])] {
        let claims = check(&token(&json!({ "exp": NOW + 9, "sessionId": broken }))).unwrap();
        assert_eq!(claims.session(Some("s1")), Err(WrongSession));
    }
    let rules = Rules { session_claim: Some("sid".into()), ..Rules::default() };
    let other_claim = claims_under(&rules, &json!({ "exp": NOW + 9, "sid": "s1" })).unwrap();
    assert_eq!(other_claim.session(Some("s1")), Ok(Some("s1")));
    let missing = claims_under(&rules, &json!({ "exp": NOW + 9, "sessionId": "s1" })).unwrap();
    assert_eq!(missing.session(Some("s1")), Err(WrongSession));
}

#[test]
fn a_subject_is_text() {
    assert_eq!(check(&token(&json!({ "exp": NOW + 9, "sub": 7 }))).unwrap_err(), TokenError::Type("sub".to_owned()));
    assert_eq!(check(&token(&json!({ "exp": NOW + 9, "sub": "" }))).unwrap().subject, None);
}

#[test]
fn tokens_are_recognised_where_they_must_not_be_repeated() {
    assert!(looks_like_one(&token(&json!({}))));
    for name in ["chat.v1", "chat.v1.json", "wsfix.jwt", "graphql-ws", ""] {
        assert!(!looks_like_one(name), "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in ".{0,200}") {
        prop_assert!(check(&text).is_err());
    }

    #[test]
    fn no_change_of_a_token_goes_unnoticed(at in 0_usize..100, to in "[A-Za-z0-9_.=-]") {
        let good = token(&json!({ "exp": NOW + 60 }));
        let at = at % good.len();
        let mut bad = good.clone();
        bad.replace_range(at..=at, &to);
        prop_assume!(bad != good);
        prop_assert!(check(&bad).is_err());
    }
}
