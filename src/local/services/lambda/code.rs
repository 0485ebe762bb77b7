//! The package: a zip from outside, unpacked into a directory of its own.

use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::digest::{SHA256, digest};
use tempfile::TempDir;
use zip::ZipArchive;

use super::error::invalid;
use crate::local::ids;
use crate::local::wire::ServiceError;

/// All files together, unpacked.
const UNZIPPED: u64 = 262_144_000;
/// Files and folders: as many as a zip without extensions can list. AWS names no number.
const ENTRIES: usize = 65_535;
/// The zip as it is uploaded.
const ZIPPED: usize = 52_428_800;

/// Unpacked code. The directory goes when the last sandbox that runs from it is gone.
pub(crate) struct Code {
    pub size: usize,
    /// Base64 of the SHA-256 of the zip, as `CodeSha256` has it.
    pub sha256: String,
    /// What makes the address of the zip one that nobody guesses.
    pub nonce: String,
    /// As it was uploaded.
    pub zip: Bytes,
    root: TempDir,
}

/// Why a bootstrap cannot be started, before anybody tries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unstartable {
    Missing,
    NotExecutable,
    WrongMachine,
}

impl Code {
    /// Checks and unpacks a zip. Takes its time: not for a thread that serves others.
    pub(super) fn unpack(zip: &[u8]) -> Result<Self, ServiceError> {
        Self::unpack_within(zip, UNZIPPED)
    }

    fn unpack_within(zip: &[u8], limit: u64) -> Result<Self, ServiceError> {
        if zip.is_empty() {
            return Err(invalid("Uploaded file must be a non-empty zip"));
        }
        if zip.len() > ZIPPED {
            return Err(invalid(format!("Zipped size must be smaller than {ZIPPED} bytes")));
        }
        let root = tempfile::Builder::new().prefix("wsfix-function-").tempdir().map_err(|error| no_room(&error))?;
        let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| unreadable())?;
        if archive.is_empty() {
            return Err(invalid("Uploaded file must be a non-empty zip"));
        }
        if archive.len() > ENTRIES {
            return Err(unreadable());
        }
        let mut left = limit;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|_| unreadable())?;
            // A name that leads out of the directory has no enclosed form.
            let path = root.path().join(entry.enclosed_name().ok_or_else(unreadable)?);
            if entry.is_dir() {
                fs::create_dir_all(&path).map_err(|_| unreadable())?;
                continue;
            }
            if entry.is_symlink() {
                return Err(unreadable());
            }
            let mode = entry.unix_mode().unwrap_or_default();
            left -= write(&path, &mut entry, left, mode)?;
        }
        let sha256 = STANDARD.encode(digest(&SHA256, zip));
        let nonce = ids::hex(&ids::bytes::<16>());
        Ok(Self { size: zip.len(), sha256, nonce, zip: Bytes::copy_from_slice(zip), root })
    }

    /// Where `/var/task` would be.
    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The file to start, if one of `architecture` can be.
    pub(super) fn bootstrap(&self, architecture: &str) -> Result<PathBuf, Unstartable> {
        let path = self.root().join("bootstrap");
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file).ok_or(Unstartable::Missing)?;
        if metadata.permissions().mode() & 0o100 == 0 {
            return Err(Unstartable::NotExecutable);
        }
        let wanted = if architecture == "arm64" { 0xb7 } else { 0x3e };
        match elf_machine(&path) {
            Some(machine) if machine != wanted => Err(Unstartable::WrongMachine),
            _ => Ok(path),
        }
    }
}

/// Writes at most `left` bytes and says how many. The sandbox's user is not the file's owner on AWS: what the zip lets others do is
/// what it may do here.
fn write(path: &Path, content: &mut impl Read, left: u64, mode: u32) -> Result<u64, ServiceError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|_| unreadable())?;
    }
    let mut file = fs::File::create(path).map_err(|_| unreadable())?;
    // One byte more than allowed tells "too big" from "just fits", whatever size the zip claims.
    let written = io::copy(&mut content.take(left + 1), &mut file).map_err(|_| unreadable())?;
    if written > left {
        return Err(invalid(format!("Unzipped size must be smaller than {UNZIPPED} bytes")));
    }
    file.flush().map_err(|error| no_room(&error))?;
    let others = mode & 0o7;
    file.set_permissions(fs::Permissions::from_mode(others << 6 | others << 3 | others)).map_err(|error| no_room(&error))?;
    Ok(written)
}

/// The machine in an ELF header; `None` for anything else, such as a script.
fn elf_machine(path: &Path) -> Option<u16> {
    let mut header = [0; 20];
    fs::File::open(path).ok()?.read_exact(&mut header).ok()?;
    header.starts_with(b"\x7fELF").then(|| u16::from_le_bytes([header[18], header[19]]))
}

fn unreadable() -> ServiceError {
    invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
}

fn no_room(error: &io::Error) -> ServiceError {
    ServiceError::new(500, "ServiceException", format!("cannot unpack the code: {error}"))
}

#[cfg(test)]
pub(crate) mod fixture {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// A zip of names, modes and contents.
    pub(crate) fn zip(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in files {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::zip;
    use super::{Code, Unstartable};

    #[test]
    fn unpacks_with_modes() {
        let code = Code::unpack(&zip(&[("bootstrap", 0o755, b"#!/bin/sh\n"), ("lib/data", 0o644, b"x")])).unwrap();
        assert!(code.bootstrap("x86_64").is_ok());
        assert_eq!(std::fs::read(code.root().join("lib/data")).unwrap(), b"x");
        assert_eq!(code.sha256.len(), 44);
    }

    #[test]
    fn refuses_what_is_no_zip() {
        for (bytes, text) in [(&b""[..], "non-empty"), (b"PK no zip", "Could not unzip"), (&zip(&[]), "non-empty")] {
            assert!(Code::unpack(bytes).err().unwrap().message.contains(text));
        }
    }

    #[test]
    fn stays_in_its_directory() {
        let error = Code::unpack(&zip(&[("../outside", 0o644, b"x")])).err().unwrap();
        assert!(error.message.contains("Could not unzip"), "{}", error.message);
    }

    #[test]
    fn a_bomb_is_cut_short() {
        let bomb = zip(&[("a", 0o644, &[0; 600_000]), ("b", 0o644, &[0; 600_000])]);
        assert!(bomb.len() < 5000, "{} bytes", bomb.len());
        assert!(Code::unpack_within(&bomb, 1_200_000).is_ok());
        assert!(Code::unpack_within(&bomb, 1_199_999).err().unwrap().message.contains("Unzipped size"));
    }

    #[test]
    fn says_why_a_bootstrap_cannot_start() {
        let of = |files: &[(&str, u32, &[u8])]| Code::unpack(&zip(files)).unwrap().bootstrap("x86_64").err().unwrap();
        let mut arm = [0; 64];
        arm[..4].copy_from_slice(b"\x7fELF");
        arm[18] = 0xb7;
        assert_eq!(of(&[("other", 0o755, b"x")]), Unstartable::Missing);
        assert_eq!(of(&[("bootstrap", 0o644, b"x")]), Unstartable::NotExecutable);
        assert_eq!(of(&[("bootstrap", 0o700, b"x")]), Unstartable::NotExecutable);
        assert_eq!(of(&[("bootstrap", 0o755, &arm)]), Unstartable::WrongMachine);
    }
}
