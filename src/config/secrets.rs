//! Secrets: named in flags and in the file, never written there.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::SecretSource;
use super::error::Spot;
use super::expand;
use super::keys;
use super::reader::{Found, Given, Raw, Reader};
use super::sources::Purpose;
use super::yaml::Value;
use crate::secret::Secret;

/// RFC 7518 section 3.2: a key of HS256 has at least as many bits as the hash. The same holds for the signature's key.
const MIN_BYTES: usize = 32;
/// More does not fit into a function's environment.
const MAX_BYTES: u64 = 4096;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reference {
    Variable(String),
    File(PathBuf),
    Stdin,
    Ssm(String),
    SecretsManager(String),
}

/// Whether `text`, as it stands in the file, says where a secret is and so may be shown.
pub(super) fn is_source(text: &str) -> bool {
    expand::whole(text).is_some() || reference(text).is_some()
}

fn reference(text: &str) -> Option<Reference> {
    if text == "-" {
        return Some(Reference::Stdin);
    }
    let (scheme, rest) = text.split_once(':')?;
    let whole = !rest.is_empty() && rest.trim() == rest && !rest.chars().any(char::is_control);
    match scheme {
        "env" if expand::is_name(rest) || expand::whole(rest).is_some() => Some(Reference::Variable(rest.to_owned())),
        "file" if whole => Some(Reference::File(PathBuf::from(rest))),
        "ssm" if whole => Some(Reference::Ssm(rest.to_owned())),
        "secretsmanager" if whole => Some(Reference::SecretsManager(rest.to_owned())),
        _ => None,
    }
}

/// What it takes to fetch a secret.
pub(super) struct Fetch<'a> {
    /// Relative paths in flags start here.
    pub(super) directory: &'a Path,
    /// Relative paths in the file start here.
    pub(super) file_directory: &'a Path,
    pub(super) stdin: &'a mut dyn Read,
    /// Which setting has read standard input: it can be read once.
    pub(super) stdin_taken: Option<&'static str>,
}

/// Reads `jwt.secret`.
pub(super) fn jwt_secret(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>) -> Option<Found<SecretSource>> {
    let found = named(reader, "jwt.secret", fetch)?;
    if let SecretSource::Value(secret) = &found.value
        && secret.expose().len() < MIN_BYTES
    {
        too_short(reader, &found.spot, "the JWT secret");
        return None;
    }
    Some(found)
}

/// Reads `signing_key`: one key, or two separated by a comma.
pub(super) fn signing_key(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>, jwt: Option<&SecretSource>) -> Option<Secret> {
    let found = named(reader, "signing_key", fetch)?;
    let SecretSource::Value(secret) = found.value else {
        let remedy = "use `env:NAME`, `file:PATH` or `-`: the handler reads only the JWT secret from a store";
        reader.wrong(&found.spot, "`signing_key` cannot be kept in SSM or Secrets Manager", remedy);
        return None;
    };
    let keys: Vec<&str> = secret.expose().split(',').map(str::trim).collect();
    let same_as_jwt = |key: &&str| matches!(jwt, Some(SecretSource::Value(jwt)) if jwt.expose() == *key);
    if keys.iter().any(|key| key.len() < MIN_BYTES) {
        too_short(reader, &found.spot, "the signing key");
    } else if keys.iter().any(same_as_jwt) {
        let what = "the signing key is the JWT secret: who may sign for the backend could sign tokens too";
        reader.wrong(&found.spot, what, "make another one: `openssl rand -hex 32`");
    } else if keys.len() > 2 || keys.first() == keys.get(1) {
        reader.wrong(
            &found.spot,
            "`signing_key` holds one key, or two different ones while they are rotated",
            "keep the new and the old one",
        );
    } else {
        return Some(secret);
    }
    None
}

fn too_short(reader: &mut Reader<'_>, spot: &Spot, which: &str) {
    // To find a stack no secret is needed, hence none can be too short.
    if reader.purpose == Purpose::Provision {
        reader.wrong(spot, format!("{which} has fewer than {MIN_BYTES} bytes"), "make a longer one: `openssl rand -hex 32`");
    }
}

/// Fetches the secret from the source that the flag or the file names, or from its variable.
fn named(reader: &mut Reader<'_>, path: &'static str, fetch: &mut Fetch<'_>) -> Option<Found<SecretSource>> {
    let variable = keys::find(path)?.variables.first().copied()?;
    let Some(raw) = reader.flag(path).or_else(|| reader.in_file(path)) else {
        // A source that somebody named is stronger: a variable left in a shell must not replace a stored secret.
        let text = match (reader.environment)(variable)? {
            Ok(text) if text.is_empty() => return None,
            Ok(text) => text,
            Err(()) => {
                reader.wrong(&Spot::Variable(variable), "its value is not UTF-8", format!("set {variable} to plain text"));
                return None;
            }
        };
        return Some(Found { value: SecretSource::Value(Secret::new(text)), spot: Spot::Variable(variable) });
    };
    let (reference, spot, base) = match raw {
        Raw::Given(Given::Text(text), spot) => {
            let Some(reference) = reference(&text) else {
                let what = format!("`{path}` takes the place of the secret, never the secret itself: arguments can be seen by everybody");
                reader.wrong(&spot, what, sources(path, variable));
                return None;
            };
            (reference, spot, fetch.directory)
        }
        Raw::Given(Given::List(_), _) => return None,
        Raw::Node(node) => {
            let spot = Spot::Line(node.mark.clone());
            let Value::Text(text) = &node.value else {
                reader.wrong(&spot, format!("`{path}` must name the place of the secret"), sources(path, variable));
                return None;
            };
            // `${NAME}` alone is `env:NAME`: what the variable holds is the secret, whatever it looks like.
            let reference = match expand::whole(text) {
                Some(name) => Some(Reference::Variable(name.to_owned())),
                None => reference(&reader.expanded(path, text, &spot)?),
            };
            let Some(reference) = reference else {
                let what = format!("`{path}` holds a secret in clear text; a file like this ends up in version control");
                reader.wrong(&spot, what, format!("{}; and replace the secret, if others could read it", sources(path, variable)));
                return None;
            };
            (reference, spot, fetch.file_directory)
        }
    };
    let value = match reference {
        Reference::Ssm(name) => stored(&name, 2048, "-_./:").then_some(SecretSource::Ssm(name)),
        Reference::SecretsManager(id) => stored(&id, 2048, "-_./:+=@!").then_some(SecretSource::SecretsManager(id)),
        Reference::Variable(name) => {
            return value(reader, &spot, read_variable(reader.environment, &name)).map(|value| Found { value, spot });
        }
        Reference::File(file) => return value(reader, &spot, read_file(&base.join(file))).map(|value| Found { value, spot }),
        Reference::Stdin => {
            if reader.purpose == Purpose::Stack {
                return None;
            }
            let read = match fetch.stdin_taken {
                Some(taken) => Err((format!("standard input is read for `{taken}` already"), "read one of them from a file".to_owned())),
                None => read_limited(&mut *fetch.stdin, "standard input"),
            };
            fetch.stdin_taken = Some(path);
            return value(reader, &spot, read).map(|value| Found { value, spot });
        }
    };
    if value.is_none() {
        let remedy = "write `ssm:/path/name` or `secretsmanager:name`, or the ARN after the colon";
        reader.wrong(&spot, format!("`{path}` names no parameter and no secret that can exist"), remedy);
    }
    value.map(|value| Found { value, spot })
}

fn value(reader: &mut Reader<'_>, spot: &Spot, read: Result<String, (String, String)>) -> Option<SecretSource> {
    match read {
        Ok(text) => Some(SecretSource::Value(Secret::new(text))),
        Err((what, remedy)) => {
            if reader.purpose == Purpose::Provision {
                reader.wrong(spot, what, remedy);
            }
            None
        }
    }
}

/// A secret whose place a flag names: `env:NAME`, `file:PATH` or `-` (standard input).
///
/// # Errors
/// What is wrong, and the way out; neither says what the secret is.
pub fn secret_at(source: &str, environment: &dyn Fn(&str) -> Option<OsString>, stdin: &mut dyn Read) -> Result<Secret, (String, String)> {
    let environment = |name: &str| environment(name).map(|value| value.into_string().map_err(drop));
    let text = match reference(source) {
        Some(Reference::Variable(name)) => read_variable(&environment, &name),
        Some(Reference::File(file)) => read_file(&file),
        Some(Reference::Stdin) => read_limited(stdin, "standard input"),
        Some(Reference::Ssm(_) | Reference::SecretsManager(_)) | None => Err((
            "the flag takes the place of a secret, never the secret itself: arguments can be seen by everybody".to_owned(),
            "write `env:NAME`, `file:PATH` or `-` (standard input)".to_owned(),
        )),
    };
    text.map(Secret::new)
}

fn read_variable(environment: &expand::Lookup<'_>, name: &str) -> Result<String, (String, String)> {
    match environment(name) {
        Some(Ok(text)) if text.is_empty() => {
            Err((format!("the environment variable {name} is empty"), format!("set {name} to the secret")))
        }
        Some(Ok(text)) => Ok(text),
        Some(Err(())) => Err((format!("the environment variable {name} is not UTF-8"), format!("set {name} to plain text"))),
        None => Err((format!("the environment variable {name} is not set"), format!("set {name} to the secret"))),
    }
}

fn read_file(path: &Path) -> Result<String, (String, String)> {
    let shown = path.display();
    match std::fs::File::open(path) {
        Ok(mut file) => read_limited(&mut file, &shown.to_string()),
        Err(error) => Err((
            format!("the secret cannot be read from {shown}: {error}"),
            "name a file that holds the secret and nothing else".to_owned(),
        )),
    }
}

/// The text without the line break that editors and `echo` put at its end.
fn read_limited(from: &mut dyn Read, shown: &str) -> Result<String, (String, String)> {
    let remedy = || "give the secret and nothing else".to_owned();
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| (format!("the secret cannot be read from {shown}: {error}"), remedy()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err((format!("{shown} holds more than {MAX_BYTES} bytes: no secret"), remedy()));
    }
    // The error of `from_utf8` would carry the bytes.
    let text = String::from_utf8(bytes).map_err(|_| (format!("the secret in {shown} is not UTF-8"), remedy()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err((format!("{shown} is empty"), remedy()));
    }
    Ok(text.to_owned())
}

/// Whether a parameter or a secret can have this name (`GetParameter`, `GetSecretValue`).
fn stored(name: &str, longest: usize, others: &str) -> bool {
    (1..=longest).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn sources(path: &str, variable: &str) -> String {
    let stores = if path == "jwt.secret" { ", `ssm:NAME`, `secretsmanager:ID`" } else { "" };
    format!("write `env:{variable}`, `file:PATH`{stores} or `-` (standard input)")
}
