//! Handlers of every kind, and what is said about them.

use std::cell::RefCell;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;

use super::*;
use executable::Executable;

mod compiling;
mod executable;

/// Keeps what it is told.
#[derive(Default)]
pub(super) struct Told(pub(super) RefCell<Vec<Event>>);

impl Reporter for Told {
    fn event(&self, event: Event) {
        self.0.borrow_mut().push(event);
    }
}

/// No checkout, no cargo, nothing beside.
pub(super) fn nowhere() -> Places {
    Places { checkout: "/nonexistent".into(), cargo: "/nonexistent/cargo".into(), beside: None, embedded: |_| None }
}

pub(super) async fn built(places: &Places, handler: Option<&Path>, architecture: Architecture) -> Result<Bundle, Error> {
    build_from(places, handler.map(PathBuf::from).as_ref(), architecture, &Told::default()).await
}

async fn given(bytes: &[u8], architecture: Architecture) -> Result<Bundle, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    built(&nowhere(), Some(file.path()), architecture).await
}

fn zip_of(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn an_executable_becomes_the_same_zip_every_time() {
    let executable = Executable::default().bytes();
    let first = given(&executable, Architecture::X86_64).await.unwrap();
    let second = given(&executable, Architecture::X86_64).await.unwrap();
    assert_eq!((&first.zip, &first.sha256), (&second.zip, &second.sha256));
    // Known since the format was chosen: another value means that every function is uploaded again.
    assert_eq!(first.sha256, "xm2IGTo2ZbiJlvAabqcuCwCq+O3dll03E+bvCqSJnTk=");
    let mut archive = zip::ZipArchive::new(Cursor::new(first.zip)).unwrap();
    assert_eq!(archive.len(), 1);
    let mut entry = archive.by_name("bootstrap").unwrap();
    assert_eq!(entry.unix_mode(), Some(0o100_755));
    assert_eq!(entry.last_modified(), Some(zip::DateTime::DEFAULT));
    let mut unpacked = Vec::new();
    entry.read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, executable);
}

#[tokio::test]
async fn a_given_zip_is_uploaded_as_it_is() {
    let zip = zip_of(&[("bootstrap", 0o755, &Executable::default().bytes()), ("lib/x.txt", 0o644, b"x")]);
    let bundle = given(&zip, Architecture::X86_64).await.unwrap();
    assert_eq!(bundle.zip, zip);
    assert!(bundle.source.ends_with(" as given"), "{}", bundle.source);
}

#[tokio::test]
async fn what_runs_is_taken() {
    for (architecture, executable) in [
        (Architecture::X86_64, Executable::default()),
        (Architecture::Arm64, Executable::default().machine(183).loader(Some("/lib/ld-linux-aarch64.so.1"))),
        (Architecture::X86_64, Executable::default().needs(&[("memcpy", "GLIBC_2.14"), ("__libc_start_main", "GLIBC_2.34")])),
        // Position-independent and static.
        (Architecture::X86_64, Executable::default().kind(3).loader(None).flags(0x0800_0000)),
        (Architecture::X86_64, Executable::default().kind(2).loader(None)),
        // Other libraries' versions are not glibc's.
        (Architecture::X86_64, Executable::default().needs(&[("x", "GCC_4.2.0"), ("y", "GLIBC_PRIVATE"), ("z", "OPENSSL_9.9")])),
        // Weak: the loader goes on without it.
        (Architecture::X86_64, Executable::default().needs(&[("pidfd_getpid", "GLIBC_2.39")]).weak()),
    ] {
        let bundle = given(&executable.bytes(), architecture).await;
        assert!(bundle.is_ok(), "{executable:?}: {}", bundle.unwrap_err());
    }
}

#[tokio::test]
async fn what_does_not_run_is_refused_with_the_remedy() {
    let x86 = Executable::default;
    let cut = x86().bytes()[..70].to_vec();
    let mut small = x86().bytes();
    small[4] = 1;
    for (bytes, what, remedy) in [
        (x86().machine(183).bytes(), "is for arm64, the function runs on x86_64", "--architecture arm64"),
        (x86().machine(40).bytes(), "another processor (ELF machine 40)", "x86_64-unknown-linux-gnu.2.34"),
        (small, "no 64-bit little-endian executable", "cargo zigbuild"),
        (cut, "broken executable", "again"),
        (x86().kind(3).loader(None).bytes(), "a library or an object file", "give the binary"),
        (x86().kind(1).bytes(), "a library or an object file", "give the binary"),
        (x86().loader(Some("/lib/ld-musl-x86_64.so.1")).bytes(), "wants the loader /lib/ld-musl-x86_64.so.1", "crt-static"),
        (x86().loader(Some("/nix/store/x/ld-linux-x86-64.so.2")).bytes(), "wants the loader /nix", "cargo zigbuild"),
        (
            x86().needs(&[("arc4random", "GLIBC_2.36"), ("memcpy", "GLIBC_2.14"), ("strlcpy", "GLIBC_2.38"), ("x", "GLIBC_2.34")]).bytes(),
            "needs glibc 2.38, Lambda's Amazon Linux 2023 has 2.34: arc4random (GLIBC_2.36), strlcpy (GLIBC_2.38)",
            "cargo zigbuild --release --target x86_64-unknown-linux-gnu.2.34",
        ),
        (Vec::new(), "is empty", "give a zip"),
        (b"#!/bin/sh\n".to_vec(), "is a script", "give a zip"),
        (b"MZ\x90".to_vec(), "a Windows program", "Linux executable"),
        (b"\xcf\xfa\xed\xfe\x0c".to_vec(), "a macOS program", "Linux executable"),
        (b"\x1f\x8b\x08".to_vec(), "gzip", "give a zip"),
        (b"hello".to_vec(), "neither a zip nor a Linux executable", "give a zip"),
        (zip_of(&[("x", 0o755, b"y")]), "holds no `bootstrap`", "zip -j"),
        (zip_of(&[("a/bootstrap", 0o755, &x86().bytes())]), "holds `a/bootstrap`", "zip -j"),
        (zip_of(&[("bootstrap", 0o644, &x86().bytes())]), "not executable for everybody (its mode is 0644)", "chmod 755"),
        (zip_of(&[("bootstrap", 0o700, &x86().bytes())]), "its mode is 0700", "chmod 755"),
        (zip_of(&[("bootstrap", 0o755, b"#!/bin/sh")]), "is a script", "Linux executable"),
        (zip_of(&[("bootstrap", 0o755, &x86().machine(183).bytes())]), "`bootstrap` in ", "--architecture arm64"),
        (zip_of(&[("bootstrap", 0o755, &zip_of(&[]))]), "is a zip", "executable itself"),
        (b"PK\x03\x04rest".to_vec(), "broken zip", "again"),
    ] {
        let error = given(&bytes, Architecture::X86_64).await.unwrap_err();
        assert!(error.what.contains(what), "{what}: {}", error.what);
        assert!(error.remedy.contains(remedy), "{remedy}: {}", error.remedy);
    }
}

#[tokio::test]
async fn files_that_cannot_be_read_are_named() {
    for (path, what) in [("/nonexistent/handler", "/nonexistent/handler cannot be read"), ("/", "is a directory")] {
        let error = built(&nowhere(), Some(Path::new(path)), Architecture::X86_64).await.unwrap_err();
        assert!(error.what.contains(what), "{}", error.what);
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let mut large = Executable::default().bytes();
    large.resize(51 * 1024 * 1024, 0);
    let zip = {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).unix_permissions(0o755);
        zip.start_file("bootstrap", stored).unwrap();
        zip.write_all(&large).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let error = given(&zip, Architecture::X86_64).await.unwrap_err();
    assert!(error.what.contains("Lambda takes 50 MB"), "{}", error.what);
}

#[tokio::test]
async fn the_next_best_place_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let places = Places { beside: Some(directory.path().to_owned()), ..nowhere() };
    let error = built(&places, None, Architecture::X86_64).await.unwrap_err();
    assert!(error.what.contains("there is no handler for x86_64") && error.remedy.contains("--handler"), "{error:?}");
    std::fs::write(directory.path().join(BINARY), Executable::default().bytes()).unwrap();
    let bundle = built(&places, None, Architecture::X86_64).await.unwrap();
    assert!(bundle.source.ends_with("beside this program"), "{}", bundle.source);
    let error = built(&places, None, Architecture::Arm64).await.unwrap_err();
    assert!(error.what.contains("is for x86_64, the function runs on arm64"), "{error:?}");
    // What the program itself holds comes first, and is checked too.
    let places = Places { embedded: |_| Some(b"#!/bin/sh"), ..places };
    let error = built(&places, None, Architecture::X86_64).await.unwrap_err();
    assert!(error.what.contains("the handler in this program is a script"), "{error:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, ..Default::default() })]

    #[test]
    fn no_file_makes_the_checks_panic(at in 0..400_usize, byte: u8, length in 0..2000_usize) {
        let mut bytes = Executable::default().needs(&[("arc4random", "GLIBC_2.36")]).bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(length.max(at));
        let _ = elf::check(&bytes, "x", Architecture::X86_64);
        let mut zip = zip_of(&[("bootstrap", 0o755, &bytes)]);
        let end = zip.len();
        zip[(at * 7) % end] = byte;
        let _ = archive::check(&zip, "x", Architecture::X86_64);
    }
}
