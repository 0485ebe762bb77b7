//! Keys, secret and public: named in flags and in the file, never written there.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::Spot;
use super::expand;
use super::keys;
use super::reader::{Found, Given, Raw, Reader};
use super::sources::Purpose;
use super::yaml::Value;
use super::{Algorithm, Jwt, SecretSource};
use crate::jose::{self, SecretError};
use crate::secret::Secret;

/// Keys of signatures and tickets are at least as long as the hash.
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
    SecretsManager { id: String, member: Option<String> },
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
        "secretsmanager" if whole => {
            let (id, member) = rest.split_once('#').map_or((rest, None), |(id, member)| (id, Some(member.to_owned())));
            Some(Reference::SecretsManager { id: id.to_owned(), member })
        }
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
pub(super) fn jwt_secret(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>, algorithm: Algorithm) -> Option<Found<SecretSource>> {
    let found = named(reader, "jwt.secret", fetch)?;
    let SecretSource::Value(secret) = &found.value else { return Some(found) };
    let why = match jose::secrets(algorithm, secret.expose()) {
        Ok(_) => return Some(found),
        Err(why) => why,
    };
    let (what, remedy) = match why {
        SecretError::Short { least, .. } => {
            too_short(reader, &found.spot, "the JWT secret", &format!("{least} bytes, which {algorithm} needs"), least);
            return None;
        }
        SecretError::Pem => ("the JWT secret is a key in PEM form", "name a public key with `jwt.public_key`, and the algorithm"),
        SecretError::Object => {
            ("the JWT secret is a JSON object", "give the secret alone; in Secrets Manager name it: `secretsmanager:ID#MEMBER`")
        }
        SecretError::List | SecretError::Public(_) => {
            ("the JWT secret is a list that holds no secrets", "give one secret, or `[\"NEW\", \"OLD\"]` while it is changed")
        }
    };
    if reader.purpose == Purpose::Provision {
        reader.wrong(&found.spot, what, remedy);
    }
    None
}

/// Reads `jwt.ticket_key`: one key, or two separated by a comma.
pub(super) fn ticket_key(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>, jwt: Option<&SecretSource>) -> Option<SecretSource> {
    let before = reader.wrong.len();
    let Some(found) = named(reader, "jwt.ticket_key", fetch) else {
        if reader.purpose == Purpose::Provision && reader.wrong.len() == before {
            let remedy =
                "set WSFIX_TICKET_KEY to the key that your backend makes tickets with, or name its place: `--ticket-key file:PATH`";
            reader.wrong(&Spot::Nowhere, "the key of tickets is missing", remedy);
        }
        return None;
    };
    let SecretSource::Value(keys) = &found.value else { return Some(found.value) };
    own_key(reader, "jwt.ticket_key", "the ticket key", &found.spot, keys, &[("the JWT secret", jwt)]).then_some(found.value)
}

/// Reads `signing_key`: one key, or two separated by a comma.
pub(super) fn signing_key(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>, jwt: &Jwt) -> Option<Secret> {
    let found = named(reader, "signing_key", fetch)?;
    let SecretSource::Value(secret) = found.value else {
        let remedy = "use `env:NAME`, `file:PATH` or `-`: the handler reads only the keys of tokens and tickets from a store";
        reader.wrong(&found.spot, "`signing_key` cannot be kept in SSM or Secrets Manager", remedy);
        return None;
    };
    let others = [("the JWT secret", jwt.secret.as_ref()), ("the ticket key", jwt.ticket_key.as_ref())];
    own_key(reader, "signing_key", "the signing key", &found.spot, &secret, &others).then_some(secret)
}

/// Whether `keys`, one or two separated by a comma, are good and none of the `others`: who has a key for one purpose must not have those for another.
fn own_key(reader: &mut Reader<'_>, path: &str, which: &str, spot: &Spot, keys: &Secret, others: &[(&str, Option<&SecretSource>)]) -> bool {
    let keys: Vec<&str> = keys.expose().split(',').map(str::trim).collect();
    let same = |other: &SecretSource| match other {
        SecretSource::Value(other) => {
            keys.iter().any(|key| other.expose().split(',').any(|part| part.trim() == *key) || other.expose() == *key)
        }
        SecretSource::Ssm(_) | SecretSource::SecretsManager { .. } => false,
    };
    if keys.iter().any(|key| key.len() < MIN_BYTES) {
        too_short(reader, spot, which, &format!("{MIN_BYTES} bytes"), MIN_BYTES);
    } else if let Some((other, _)) = others.iter().find(|(_, other)| other.is_some_and(same)) {
        let what = format!("{which} is {other}: who has it for one purpose could use it for the other");
        reader.wrong(spot, what, "make another one: `openssl rand -hex 32`");
    } else if keys.len() > 2 || keys.first() == keys.get(1) {
        let what = format!("`{path}` holds one key, or two different ones while they are rotated");
        reader.wrong(spot, what, "keep the new and the old one");
    } else {
        return true;
    }
    false
}

fn too_short(reader: &mut Reader<'_>, spot: &Spot, which: &str, least: &str, bytes: usize) {
    // To find a stack no secret is needed, hence none can be too short.
    if reader.purpose == Purpose::Provision {
        reader.wrong(spot, format!("{which} has fewer than {least}"), format!("make a longer one: `openssl rand -hex {bytes}`"));
    }
}

/// Fetches the secret from the source that the flag or the file names, or from its variable.
pub(super) fn named(reader: &mut Reader<'_>, path: &'static str, fetch: &mut Fetch<'_>) -> Option<Found<SecretSource>> {
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
                let what = if is_public(path) {
                    format!("`{path}` takes the place of the key, not the key itself")
                } else {
                    format!("`{path}` takes the place of the secret, never the secret itself: arguments can be seen by everybody")
                };
                reader.wrong(&spot, what, sources(path, variable));
                return None;
            };
            (reference, spot, fetch.directory)
        }
        Raw::Given(Given::List(_), _) => return None,
        Raw::Node(node) => {
            let spot = Spot::Line(node.mark.clone());
            let Value::Text(text) = &node.value else {
                reader.wrong(&spot, format!("`{path}` must name the place of the {}", noun(path)), sources(path, variable));
                return None;
            };
            // `${NAME}` alone is `env:NAME`: what the variable holds is the secret, whatever it looks like.
            let reference = match expand::whole(text) {
                Some(name) => Some(Reference::Variable(name.to_owned())),
                None => reference(&reader.expanded(path, text, &spot)?),
            };
            let Some(reference) = reference else {
                if is_public(path) {
                    reader.wrong(&spot, format!("`{path}` must name the place of the key"), sources(path, variable));
                    return None;
                }
                let what = format!("`{path}` holds a secret in clear text; a file like this ends up in version control");
                reader.wrong(&spot, what, format!("{}; and replace the secret, if others could read it", sources(path, variable)));
                return None;
            };
            (reference, spot, fetch.file_directory)
        }
    };
    let value = match reference {
        Reference::Ssm(name) => stored(&name, 2048, "-_./:").then_some(SecretSource::Ssm(name)),
        Reference::SecretsManager { id, member } => {
            let good = stored(&id, 2048, "-_./:+=@!") && member.as_ref().is_none_or(|member| !member.is_empty() && member.len() <= 256);
            good.then_some(SecretSource::SecretsManager { id, member })
        }
        Reference::Variable(name) => {
            return value(reader, &spot, read_variable(reader.environment, &name, noun(path))).map(|value| Found { value, spot });
        }
        Reference::File(file) => {
            return value(reader, &spot, read_file(&base.join(file), noun(path), most(path))).map(|value| Found { value, spot });
        }
        Reference::Stdin => {
            if reader.purpose == Purpose::Stack {
                return None;
            }
            let read = match fetch.stdin_taken {
                Some(taken) => Err((format!("standard input is read for `{taken}` already"), "read one of them from a file".to_owned())),
                None => read_limited(&mut *fetch.stdin, "standard input", noun(path), most(path)),
            };
            fetch.stdin_taken = Some(path);
            return value(reader, &spot, read).map(|value| Found { value, spot });
        }
    };
    if value.is_none() {
        let remedy = "write `ssm:/path/name` or `secretsmanager:name`, or the ARN after the colon; `#MEMBER` behind it for one of several in a JSON object";
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
        Some(Reference::Variable(name)) => read_variable(&environment, &name, "secret"),
        Some(Reference::File(file)) => read_file(&file, "secret", MAX_BYTES),
        Some(Reference::Stdin) => read_limited(stdin, "standard input", "secret", MAX_BYTES),
        Some(Reference::Ssm(_) | Reference::SecretsManager { .. }) | None => Err((
            "the flag takes the place of a secret, never the secret itself: arguments can be seen by everybody".to_owned(),
            "write `env:NAME`, `file:PATH` or `-` (standard input)".to_owned(),
        )),
    };
    text.map(Secret::new)
}

/// Whether the setting is for something that everybody may know.
fn is_public(path: &str) -> bool {
    matches!(path, "jwt.public_key" | "jwt.jwks")
}

/// What the setting is for.
fn noun(path: &str) -> &'static str {
    if is_public(path) { "key" } else { "secret" }
}

/// How many bytes it may have.
fn most(path: &str) -> u64 {
    // Of a set, what is not needed is left out.
    if path == "jwt.jwks" { u64::try_from(jose::LARGEST_SET).unwrap_or(MAX_BYTES) } else { MAX_BYTES }
}

fn read_variable(environment: &expand::Lookup<'_>, name: &str, noun: &str) -> Result<String, (String, String)> {
    let remedy = format!("set {name} to the {noun}");
    match environment(name) {
        Some(Ok(text)) if text.is_empty() => Err((format!("the environment variable {name} is empty"), remedy)),
        Some(Ok(text)) => Ok(text),
        Some(Err(())) => Err((format!("the environment variable {name} is not UTF-8"), format!("set {name} to plain text"))),
        None => Err((format!("the environment variable {name} is not set"), remedy)),
    }
}

fn read_file(file: &Path, noun: &str, most: u64) -> Result<String, (String, String)> {
    let shown = file.display();
    match std::fs::File::open(file) {
        Ok(mut file) => read_limited(&mut file, &shown.to_string(), noun, most),
        Err(error) => {
            let remedy = format!("name a file that holds the {noun} and nothing else");
            Err((format!("the {noun} cannot be read from {shown}: {error}"), remedy))
        }
    }
}

/// The text without the line break that editors and `echo` put at its end.
fn read_limited(from: &mut dyn Read, shown: &str, noun: &str, most: u64) -> Result<String, (String, String)> {
    let remedy = || format!("give the {noun} and nothing else");
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes).map_err(|error| (format!("the {noun} cannot be read from {shown}: {error}"), remedy()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err((format!("{shown} holds more than {most} bytes: no {noun}"), remedy()));
    }
    // The error of `from_utf8` would carry the bytes.
    let text = String::from_utf8(bytes).map_err(|_| (format!("the {noun} in {shown} is not UTF-8"), remedy()))?;
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
    let stores = if matches!(path, "jwt.secret" | "jwt.ticket_key") { ", `ssm:NAME`, `secretsmanager:ID`" } else { "" };
    format!("write `env:{variable}`, `file:PATH`{stores} or `-` (standard input)")
}
