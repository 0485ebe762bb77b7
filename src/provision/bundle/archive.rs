//! Zips: made the same every time, and checked when they are given.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use super::{BOOTSTRAP, Error, MAX_UNPACKED_BYTES, elf};
use crate::config::Architecture;

/// What a file is, by its first bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Elf,
    Other(&'static str),
}

/// Tells what a file is.
pub(super) fn kind(bytes: &[u8]) -> Kind {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        Kind::Zip
    } else if starts(b"\x7fELF") {
        Kind::Elf
    } else if bytes.is_empty() {
        Kind::Other("empty")
    } else if starts(b"#!") {
        Kind::Other("a script")
    } else if starts(b"MZ") {
        Kind::Other("a Windows program")
    } else if [b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce", b"\xca\xfe\xba\xbe"]
        .iter()
        .any(|magic| starts(*magic))
    {
        Kind::Other("a macOS program")
    } else if starts(b"\x1f\x8b") {
        Kind::Other("a gzip file, not a zip")
    } else {
        Kind::Other("neither a zip nor a Linux executable")
    }
}

/// A zip with `executable` as its `bootstrap`. Equal bytes in, equal bytes out, on every machine.
pub(super) fn make(executable: &[u8], name: &str) -> Result<Vec<u8>, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::new(format!("{name} could not be zipped: {error}"), "");
    // Level 9 of the compressor takes no short cuts that depend on the processor.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(BOOTSTRAP, options).map_err(|error| failed(&error))?;
    zip.write_all(executable).map_err(|error| failed(&error))?;
    let written = zip.finish().map_err(|error| failed(&error))?;
    Ok(written.into_inner())
}

/// Checks that a zip holds a `bootstrap` that Lambda can start.
pub(super) fn check(zip: &[u8], name: &str, architecture: Architecture) -> Result<(), Error> {
    let broken = |error: &dyn std::fmt::Display| Error::new(format!("{name} is a broken zip: {error}"), "make it again");
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| broken(&error))?;
    let unpacked = archive.decompressed_size().unwrap_or(0);
    if unpacked > u128::from(MAX_UNPACKED_BYTES) {
        return Err(Error::new(format!("{name} has more than 250 MB when it is unpacked, Lambda's limit"), "leave files out"));
    }
    let elsewhere = archive.file_names().flatten().find(|entry| entry.ends_with("/bootstrap")).map(|entry| entry.into_owned());
    let mut entry = match archive.by_name(BOOTSTRAP) {
        Ok(entry) => entry,
        Err(zip::result::ZipError::FileNotFound) => {
            let what = match elsewhere {
                Some(entry) => format!("{name} holds `{}`, but `bootstrap` has to lie at the top of the zip", entry.escape_debug()),
                None => format!("{name} holds no `bootstrap`, which is what Lambda starts"),
            };
            return Err(Error::new(
                what,
                "name the executable `bootstrap` and zip it without its directory: `zip -j handler.zip bootstrap`",
            ));
        }
        Err(error) => return Err(broken(&error)),
    };
    if !entry.is_file() || entry.is_symlink() {
        return Err(Error::new(format!("`bootstrap` in {name} is no file"), "put the executable itself into the zip"));
    }
    // Lambda runs it as a user that owns nothing.
    if entry.unix_mode().is_none_or(|mode| mode & 0o005 != 0o005) {
        let mode = entry.unix_mode().map_or_else(|| "unknown".to_owned(), |mode| format!("{:04o}", mode & 0o7777));
        let what = format!("`bootstrap` in {name} is not executable for everybody (its mode is {mode})");
        return Err(Error::new(what, "`chmod 755 bootstrap`, then zip it again on Linux or macOS"));
    }
    let mut executable = Vec::new();
    // The sizes that a zip claims may be wrong.
    (&mut entry).take(MAX_UNPACKED_BYTES + 1).read_to_end(&mut executable).map_err(|error| broken(&error))?;
    let inside = format!("`bootstrap` in {name}");
    match kind(&executable) {
        Kind::Elf => elf::check(&executable, &inside, architecture),
        Kind::Zip => Err(Error::new(format!("{inside} is a zip"), "put the executable itself into the zip")),
        Kind::Other(what) => Err(Error::new(format!("{inside} is {what}"), "put a Linux executable into the zip")),
    }
}
