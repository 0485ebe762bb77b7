//! What a folder tells of the app in it. Of variables only the names are kept, and the values of those that are URLs.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;
use url::Url;

/// More of a file is not read.
const LARGEST: u64 = 256 * 1024;
/// Where front ends and backends keep their variables, the more particular ones first.
const FILES: [&str; 7] =
    [".env.production.local", ".env.production", ".env.local", ".env", ".env.example", "backend/.env", "frontend/.env.production"];

/// What was found, each with where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Finds {
    /// For people: `package.json: Express`.
    pub(super) notes: Vec<String>,
    /// A base URL that the backend may have.
    pub(super) backend_url: Option<String>,
    /// Names of variables that hold the key of tokens.
    pub(super) secrets: Vec<String>,
    /// Origins that the front end may have.
    pub(super) origins: Vec<String>,
}

/// Looks into a folder.
pub(super) fn look(folder: &Path) -> Finds {
    let mut finds = Finds::default();
    for name in ["package.json", "backend/package.json", "frontend/package.json"] {
        if let Some(package) = read(&folder.join(name)).and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            finds.package(name, &package);
        }
    }
    for (name, what) in [("Dockerfile", "a container"), ("apprunner.yaml", "a service of App Runner")] {
        if folder.join(name).is_file() {
            finds.notes.push(format!("{name}: {what}"));
        }
    }
    for name in FILES {
        for line in read(&folder.join(name)).unwrap_or_default().lines() {
            finds.variable(name, line);
        }
    }
    finds
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    fs::File::open(path)
        .ok()
        .filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?
        .take(LARGEST)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

impl Finds {
    fn package(&mut self, file: &str, package: &Value) {
        let known = [("express", "Express"), ("fastify", "Fastify"), ("@nestjs/core", "NestJS"), ("next", "Next.js"), ("vite", "Vite")];
        let has = |name: &str| ["dependencies", "devDependencies"].iter().any(|list| package[*list].get(name).is_some());
        let names: Vec<&str> = known.iter().filter(|(name, _)| has(name)).map(|(_, title)| *title).collect();
        if !names.is_empty() {
            self.notes.push(format!("{file}: {}", names.join(", ")));
        }
    }

    /// One line of a file with variables.
    fn variable(&mut self, file: &str, line: &str) {
        let line = line.trim().trim_start_matches("export ").trim_start();
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.starts_with('#')) else { return };
        let (name, value) = (name.trim(), value.trim());
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return;
        }
        let upper = name.to_ascii_uppercase();
        let of_tokens = upper.contains("JWT") && (upper.contains("SECRET") || upper.ends_with("_KEY"));
        if (of_tokens || upper == "AUTH_SECRET" || upper == "NEXTAUTH_SECRET") && !self.secrets.iter().any(|other| other == name) {
            self.secrets.push(name.to_owned());
            self.notes.push(format!("{file}: {name}, which may be the key of tokens"));
        }
        let value = value.trim_matches(['"', '\'', '`']);
        let Some(url) =
            Url::parse(value).ok().filter(|url| url.host_str().is_some() && url.username().is_empty() && url.password().is_none())
        else {
            return;
        };
        let public = upper.contains("WS_URL") || upper.contains("WEBSOCKET");
        let ours = public && url.host_str().is_some_and(|host| host.contains(".execute-api."));
        let serves = ["APP_RUNNER_URL", "BACKEND_URL", "API_URL", "API_BASE_URL"].iter().any(|end| upper.ends_with(end));
        if (public || serves) && !ours && self.backend_url.is_none() {
            self.backend_url = base(&url, public);
            if let Some(base) = &self.backend_url {
                self.notes.push(format!("{file}: {name} leads to {base}"));
            }
        }
        let origin = url.origin().ascii_serialization();
        let fronts = ["SITE_URL", "FRONTEND_URL", "NEXTAUTH_URL", "CORS_ORIGIN", "ALLOWED_ORIGIN"].iter().any(|end| upper.ends_with(end));
        if fronts && matches!(url.scheme(), "http" | "https") && !self.origins.contains(&origin) {
            self.notes.push(format!("{file}: {name} is {origin}"));
            self.origins.push(origin);
        }
    }
}

/// The URL that a backend is asked at: of a socket's URL the host alone, without path and query.
fn base(url: &Url, socket: bool) -> Option<String> {
    let scheme = match url.scheme() {
        "wss" | "https" => "https",
        "ws" | "http" => "http",
        _ => return None,
    };
    let host = url.host_str()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = if socket { "" } else { url.path().trim_end_matches('/') };
    Some(format!("{scheme}://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn an_app_is_recognized_and_no_value_is_kept_that_is_no_url() {
        let folder = folder(&[
            ("package.json", r#"{"dependencies":{"express":"5","next":"16"},"name":"x"}"#),
            ("Dockerfile", "FROM node"),
            (
                ".env.production",
                "# NEXT_PUBLIC_WS_URL=wss://no\nexport NEXT_PUBLIC_WS_URL=\"wss://abc.us-east-1.awsapprunner.com/ws?token=t0ken\"\nJWT_SECRET=hunter2-hunter2\nNEXT_PUBLIC_SITE_URL=https://app.example/\n",
            ),
            (".env", "JWT_SECRET=hunter3\nREDIS_URL=redis://:hunter4@cache\nAPP_RUNNER_URL=https://late.example\n"),
        ]);
        let finds = look(folder.path());
        assert_eq!(finds.backend_url.as_deref(), Some("https://abc.us-east-1.awsapprunner.com"));
        assert_eq!(finds.secrets, ["JWT_SECRET"]);
        assert_eq!(finds.origins, ["https://app.example"]);
        insta::assert_snapshot!(finds.notes.join("\n"), @r"
        package.json: Express, Next.js
        Dockerfile: a container
        .env.production: NEXT_PUBLIC_WS_URL leads to https://abc.us-east-1.awsapprunner.com
        .env.production: JWT_SECRET, which may be the key of tokens
        .env.production: NEXT_PUBLIC_SITE_URL is https://app.example
        ");
        let all = format!("{finds:?}");
        assert!(!all.contains("hunter") && !all.contains("t0ken"), "{all}");
    }

    #[test]
    fn a_socket_that_leads_to_the_gateway_already_is_no_backend() {
        let folder = folder(&[(
            ".env",
            "NEXT_PUBLIC_WS_URL=wss://a1.execute-api.us-east-1.amazonaws.com/prod\nBACKEND_URL=http://localhost:3000/base/\n",
        )]);
        assert_eq!(look(folder.path()).backend_url.as_deref(), Some("http://localhost:3000/base"));
        assert_eq!(look(&folder.path().join("nowhere")), Finds::default());
    }
}
