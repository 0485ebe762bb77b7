//! docs/tokens.md: its examples are loaded as they stand, and a token or a ticket made as they say opens a connection.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use ring::{digest, hmac};
use serde_json::{Value, json};
use wsfix::config::{Purpose, Settings, Sources, load, variables};
use wsfix::handler::{Deps, handle};

const DOCS: &str = include_str!("../../docs/tokens.md");
const SECRET: &str = "a secret of at least thirty-two bytes";
const TICKET_KEY: &str = "a ticket key of at least thirty-two bytes";

/// The code of the block that has this line.
fn block(marker: &str) -> &'static str {
    let at = DOCS.find(&format!("\n{marker}\n")).unwrap_or_else(|| panic!("no {marker}"));
    DOCS[at + 1..].split("\n```").next().unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A table that takes every item.
fn table() -> String {
    fn serve(mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                match line.trim_end().to_ascii_lowercase().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().ok()?,
                    Some(_) => {}
                    None if line.trim_end().is_empty() => break,
                    None => {}
                }
            }
            reader.read_exact(&mut vec![0; length]).ok()?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").ok()?;
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(std::thread::spawn(move || serve(stream)))));
    url
}

/// The function's environment, as `wsfix provision` makes it from this section of the file.
fn environment(section: &str, secrets: &[(&str, &str)]) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("wsfix.yaml"),
        format!("backend_url: https://backend.example\nreply: route-response\n{section}\n"),
    )
    .unwrap();
    let lookup = |name: &str| secrets.iter().find(|(secret, _)| *secret == name).map(|(_, value)| OsString::from(value));
    let sources = Sources {
        purpose: Purpose::Provision,
        file: None,
        directory: directory.path().to_owned(),
        flags: Settings::default(),
        environment: &lookup,
        stdin: &mut std::io::empty(),
    };
    let config = load(sources).unwrap_or_else(|errors| panic!("{section}\n{errors}")).config;
    variables::of(&config).into_iter().map(|(name, variable)| (name, variable.expose().to_owned())).collect()
}

/// The status of a handshake, and the handler's log.
fn connect(mut variables: BTreeMap<String, String>, query: &[(&str, &str)]) -> (u64, String) {
    for (name, value) in [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("AWS_ENDPOINT_URL", &table()),
        ("WSFIX_REPLY", "route-response"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let mut event: Value = serde_json::from_str(include_str!("../fixtures/events/connect.json")).unwrap();
    event["queryStringParameters"] = query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    event["multiValueQueryStringParameters"] = json!({});
    let lines = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let log = lines.clone();
    let deps = Deps::new(
        move |name| variables.get(name).cloned(),
        || now() * 1000,
        move |line| {
            let mut lines = log.lock().unwrap();
            lines.push_str(line);
            lines.push('\n');
        },
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(handle(&event.to_string(), (now() + 28) * 1000, &deps));
    let log = lines.lock().unwrap().clone();
    (answer["statusCode"].as_u64().unwrap(), log)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token as the issuer of a preset signs it, and the variable with what checks it.
fn issue(algorithm: &str, claims: &Value) -> (String, (&'static str, String)) {
    let signed = format!("{}.{}", encode(json!({ "alg": algorithm, "kid": "k1" }).to_string()), encode(claims.to_string()));
    let random = SystemRandom::new();
    let (signature, variable) = match algorithm {
        "RS256" => {
            let pem = include_str!("../fixtures/keys/rsa-2048.private.pem");
            let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
            let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap();
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
            let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
            let key = json!({ "kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "n": encode(public.n), "e": encode(public.e) });
            (signature, ("WSFIX_JWKS", json!({ "keys": [key] }).to_string()))
        }
        "ES256" => {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
            let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
            let key = json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "x": encode(x), "y": encode(y) });
            let signature = pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec();
            (signature, ("WSFIX_JWKS", json!({ "keys": [key] }).to_string()))
        }
        _ => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
            (hmac::sign(&key, signed.as_bytes()).as_ref().to_vec(), ("JWT_SECRET", SECRET.to_owned()))
        }
    };
    (format!("{signed}.{}", encode(signature)), variable)
}

#[test]
fn every_preset_takes_its_issuers_tokens_and_no_others() {
    let cognito = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE";
    let (tenant, project) = ("https://TENANT.eu.auth0.com/", "https://PROJECT.supabase.co/auth/v1");
    let client = "1example23456789";
    let presets = [
        ("cognito-id", "RS256", json!({ "iss": cognito, "aud": client, "token_use": "id" }), json!({ "token_use": "access" })),
        (
            "cognito-access",
            "RS256",
            json!({ "iss": cognito, "client_id": client, "token_use": "access" }),
            json!({ "client_id": "2other" }),
        ),
        (
            "auth0",
            "RS256",
            json!({ "iss": tenant, "aud": ["https://terminal.example", "https://userinfo"] }),
            json!({ "aud": "https://userinfo" }),
        ),
        ("supabase", "ES256", json!({ "iss": project, "aud": "authenticated", "role": "authenticated" }), json!({ "aud": "anon" })),
        ("supabase-secret", "HS256", json!({ "iss": project, "aud": "authenticated" }), json!({ "iss": "supabase" })),
    ];
    assert_eq!(DOCS.matches("\n# preset: ").count(), presets.len());
    for (name, algorithm, claims, wrong) in presets {
        let mut variables = environment(block(&format!("# preset: {name}")), &[]);
        let (source, found) = [("WSFIX_JWKS_URL", "/.well-known/jwks.json"), ("JWT_SECRET_REF", "ssm:/terminal/jwt")]
            .into_iter()
            .find_map(|(name, end)| Some((end, variables.remove(name)?)))
            .unwrap_or_else(|| panic!("{name} has no key"));
        assert!(found.ends_with(source), "{found}");
        let status = |changes: &Value| {
            let mut claims = claims.clone();
            claims["sub"] = json!("user-1");
            claims["exp"] = json!(now() + 300);
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let (token, (key, value)) = issue(algorithm, &claims);
            let mut variables = variables.clone();
            variables.insert(key.to_owned(), value);
            connect(variables, &[("token", &token), ("sessionId", "s1")])
        };
        let (code, log) = status(&json!({}));
        assert_eq!(code, 200, "{name}: {log}");
        for wrong in [wrong, json!({ "exp": now() - 300 }), json!({ "iss": "https://evil.example" })] {
            assert_eq!(status(&wrong).0, 401, "{name}: {wrong}");
        }
    }
}

/// The environment of the example with tickets, and the status of a handshake with this one.
fn status_of_ticket(ticket: &str) -> (u64, String) {
    let variables = environment("jwt:\n  token_from: [ticket]\n  ticket_key: env:WSFIX_TICKET_KEY", &[("WSFIX_TICKET_KEY", TICKET_KEY)]);
    connect(variables, &[("ticket", ticket), ("sessionId", "s1")])
}

/// What a program prints; `None`: there is no such program here.
fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let run = match Command::new(program).args(arguments).output() {
        Ok(run) => run,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{error}"),
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(String::from_utf8(run.stdout).unwrap().trim().to_owned())
}

fn make_ticket(key: &str, id: &str, session_id: &str, user_id: &str, now: u64) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let payload = json!({ "id": id, "sessionId": session_id, "userId": user_id, "exp": now + 30 });
    let signed = format!("wst1.{}", encode(payload.to_string().as_bytes()));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", encode(mac.as_ref()))
}

#[test]
fn tickets_made_as_documented_open_a_connection() {
    let call = |name: &str| format!("{name}('{TICKET_KEY}', 's1', 'user-1')");
    let python = format!("{}\nprint({})", block("# ticket: python"), call("make_ticket"));
    let node = format!("{}\nconsole.log({})", block("// ticket: node"), call("makeTicket"));
    let rust = block("// ticket: rust").split_once('\n').unwrap().1;
    assert!(include_str!("tokens.rs").contains(rust), "the documented function is another one than the tested");
    let id = encode(&digest::digest(&digest::SHA256, &now().to_be_bytes()).as_ref()[..16]);
    let made = [
        ("rust", Some(make_ticket(TICKET_KEY, &id, "s1", "user-1", now()))),
        ("python", printed("python3", &["-c", &python])),
        ("node", printed("node", &["--input-type=module", "-e", &node])),
    ];
    for (language, ticket) in made {
        let Some(ticket) = ticket else { continue };
        let (status, log) = status_of_ticket(&ticket);
        assert_eq!(status, 200, "{language}: {log}");
        assert!(!log.contains(&ticket), "{log}");
        let forged = ticket.replace("wst1.e", "wst1.f");
        assert_eq!(status_of_ticket(&forged).0, 401, "{language}");
    }
}
