//! The programs that are compared, and how each is made.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zip::write::SimpleFileOptions;

const TOOL: &str = env!("CARGO_BIN_EXE_wsfix");
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/handler");
/// Where Linux keeps the public authorities.
const SYSTEM_AUTHORITIES: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The binary that `wsfix build` packs.
    Wsfix,
    /// `lambda_runtime` alone.
    Echo,
    /// The SDK, jsonwebtoken and reqwest with their defaults.
    Plain,
    /// The SDK for JavaScript and jsonwebtoken, bundled.
    Node,
}

impl Name {
    pub(crate) const ALL: [Self; 4] = [Self::Wsfix, Self::Echo, Self::Plain, Self::Node];
}

/// A program ready to start.
pub(crate) struct Candidate {
    pub(crate) name: Name,
    pub(crate) command: Vec<String>,
    /// How it is told to trust the stubs' authority besides the public ones.
    pub(crate) trust: (&'static str, String),
    /// What is uploaded, in bytes.
    pub(crate) zipped: usize,
}

/// The authority that signed the stubs' certificate.
pub(crate) fn authority() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem").to_owned()
}

/// Builds all candidates, and keeps in `folder` what needs no place of its own.
pub(crate) fn build(folder: &Path) -> Vec<Candidate> {
    Name::ALL.map(|name| candidate(name, folder)).into()
}

fn candidate(name: Name, folder: &Path) -> Candidate {
    let (command, zipped, trust) = match name {
        Name::Wsfix => {
            let (program, zipped) = wsfix(folder);
            (vec![program], zipped, ("AWS_CA_BUNDLE", authority()))
        }
        Name::Echo => {
            let program = cargo("echo");
            (vec![shown(&program)], zipped(&program), ("SSL_CERT_FILE", authority()))
        }
        Name::Plain => {
            let program = cargo("plain");
            (vec![shown(&program)], zipped(&program), ("SSL_CERT_FILE", every_authority(folder)))
        }
        Name::Node => {
            let program = node();
            (vec!["node".to_owned(), shown(&program)], zipped(&program), ("NODE_EXTRA_CA_CERTS", authority()))
        }
    };
    Candidate { name, command, trust, zipped }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn run(command: &mut Command) {
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("the program is installed");
    assert!(ended.success(), "{command:?}: {ended}");
}

/// What the tool would upload, unpacked.
fn wsfix(folder: &Path) -> (String, usize) {
    let packed = folder.join("wsfix.zip");
    let architecture = std::env::consts::ARCH.replace("aarch64", "arm64");
    run(Command::new(TOOL).args(["build", "--architecture", &architecture, "--out"]).arg(&packed).current_dir(folder));
    let bytes = fs::read(&packed).expect("the zip");
    let zipped = bytes.len();
    zip::ZipArchive::new(Cursor::new(bytes)).and_then(|mut archive| archive.extract(folder)).expect("an archive");
    (shown(&folder.join("bootstrap")), zipped)
}

/// Builds one of the packages beside this file.
fn cargo(package: &str) -> PathBuf {
    let target = builds();
    let manifest = format!("{HERE}/{package}/Cargo.toml");
    let mut command = Command::new("cargo");
    // What cargo says about this program would make build scripts run anew when it is started by hand.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME") {
        command.env_remove(name);
    }
    run(command.args(["build", "--quiet", "--locked", "--profile", "handler", "--manifest-path", &manifest, "--target-dir"]).arg(&target));
    target.join("handler").join(package)
}

/// Where the others are built.
fn builds() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-handler")
}

/// Bundles the JavaScript in the build's folder, where its packages are installed too.
fn node() -> PathBuf {
    let folder = builds().join("node");
    fs::create_dir_all(&folder).expect("a folder");
    for file in ["package.json", "package-lock.json", "handler.mjs", "runtime.mjs"] {
        fs::copy(format!("{HERE}/node/{file}"), folder.join(file)).expect("a copy");
    }
    run(Command::new("npm").args(["ci", "--silent"]).current_dir(&folder));
    run(Command::new("npm").args(["run", "--silent", "build"]).current_dir(&folder));
    folder.join("dist/runtime.cjs")
}

/// One file with the public authorities and the stubs' own, for programs that take nothing else than what the file has.
fn every_authority(folder: &Path) -> String {
    let mut all: Vec<u8> = SYSTEM_AUTHORITIES.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
    all.extend(fs::read(authority()).expect("the authority"));
    let path = folder.join("authorities.pem");
    fs::write(&path, all).expect("a file");
    shown(&path)
}

fn zipped(program: &Path) -> usize {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("bootstrap", SimpleFileOptions::default()).expect("an entry");
    archive.write_all(&fs::read(program).expect("the program")).expect("an entry");
    archive.finish().expect("an archive").into_inner().len()
}
