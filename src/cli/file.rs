//! A file that is replaced as a whole, or not at all; its mode and owner, and a link to it, stay.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::error::Error;

/// Files of one backup's name that may be there already.
const MOST_BACKUPS: u32 = 100;

/// A file to be edited; it need not be there.
pub(crate) struct Target {
    /// As the person names it.
    named: PathBuf,
    /// What is written: where a link leads.
    pub(crate) path: PathBuf,
    /// What it holds; `None`: it is not there.
    pub(crate) before: Option<Vec<u8>>,
    meta: Option<Metadata>,
}

impl Target {
    /// Reads what is there.
    pub(crate) fn open(named: &Path) -> Result<Self, Error> {
        let failed = |error: &io::Error| Error::here(format!("cannot read {}: {error}", named.display()), "");
        let there = match fs::symlink_metadata(named) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(&error)),
        };
        if !there {
            return Ok(Self { named: named.to_owned(), path: named.to_owned(), before: None, meta: None });
        }
        let path = fs::canonicalize(named).map_err(|error| {
            Error::here(
                format!("{} is a link that leads nowhere: {error}", named.display()),
                "make the file that it names, or delete the link",
            )
        })?;
        let meta = fs::metadata(&path).map_err(|error| failed(&error))?;
        if !meta.is_file() {
            return Err(Error::here(format!("{} is not a file", named.display()), "without `--write` the line goes to standard output"));
        }
        let before = fs::read(&path).map_err(|error| failed(&error))?;
        if before.starts_with(b"\xff\xfe") || before.starts_with(b"\xfe\xff") {
            return Err(Error::here(format!("{} is UTF-16 text", named.display()), "save it as UTF-8, which readers of such files need"));
        }
        Ok(Self { named: named.to_owned(), path, before: Some(before), meta: Some(meta) })
    }

    /// Keeps a copy of what is there, beside it, and puts `bytes` in its place. Answers with the copy's name.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Result<Option<PathBuf>, Error> {
        let failed = |error: io::Error| {
            Error::here(
                format!("cannot write {}: {error}", self.named.display()),
                "nothing was changed; check that its folder is there and may be written",
            )
        };
        if fs::read(&self.path).ok() != self.before {
            return Err(Error::here(
                format!("{} was changed meanwhile; it is left as it is", self.named.display()),
                "run the command again",
            ));
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        // Where there is no file yet, the umask decides.
        let mode = self.meta.as_ref().map_or(0o666, |meta| meta.permissions().mode() & 0o7777);
        let mut new = builder.prefix(".wsfix-").permissions(Permissions::from_mode(mode)).tempfile_in(folder).map_err(failed)?;
        new.write_all(bytes).map_err(failed)?;
        if let Some(meta) = &self.meta {
            keep_owner(new.path(), meta).map_err(failed)?;
            new.as_file().set_permissions(meta.permissions()).map_err(failed)?;
        }
        new.as_file().sync_all().map_err(failed)?;
        let backup = self.before.as_ref().map(|before| self.back_up(before)).transpose().map_err(failed)?;
        new.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(backup)
    }

    /// A copy under a name that is free: `.env.bak`, `.env.bak.1` ... with the same rights.
    fn back_up(&self, before: &[u8]) -> io::Result<PathBuf> {
        let mut name = self.path.clone().into_os_string();
        name.push(".bak");
        let mut last = None;
        for number in 0..MOST_BACKUPS {
            let mut path = name.clone();
            if number > 0 {
                path.push(format!(".{number}"));
            }
            match File::create_new(&path) {
                Ok(mut file) => {
                    if let Some(meta) = &self.meta {
                        file.set_permissions(meta.permissions())?;
                    }
                    file.write_all(before)?;
                    return Ok(path.into());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
    }
}

/// A new file belongs to who writes it; one that is replaced stays with its owner, where that may be set.
fn keep_owner(path: &Path, meta: &Metadata) -> io::Result<()> {
    let new = fs::metadata(path)?;
    if (new.uid(), new.gid()) == (meta.uid(), meta.gid()) {
        return Ok(());
    }
    match chown(path, Some(meta.uid()), Some(meta.gid())) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn mode_and_link_stay_and_the_old_text_is_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join(".env"), folder.path().join("linked"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink(".env", &link).unwrap();
        for (round, backup) in [".env.bak", ".env.bak.1"].into_iter().enumerate() {
            let made = Target::open(&link).unwrap().replace(format!("new {round}").as_bytes()).unwrap();
            assert_eq!(made.unwrap().file_name().unwrap(), backup);
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new 1");
        assert_eq!(fs::read_to_string(folder.path().join(".env.bak")).unwrap(), "old");
        for name in [".env", ".env.bak"] {
            assert_eq!(fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777, 0o640, "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn what_changed_meanwhile_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        fs::write(&file, "old").unwrap();
        let target = Target::open(&file).unwrap();
        fs::write(&file, "of somebody else").unwrap();
        assert!(target.replace(b"new").is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "of somebody else");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Target::open(folder.path()).is_err());
        let link = folder.path().join("link");
        symlink("nowhere", &link).unwrap();
        assert!(Target::open(&link).is_err());
        fs::write(folder.path().join("wide"), b"\xff\xfeA\0").unwrap();
        assert!(Target::open(&folder.path().join("wide")).is_err());
        let fresh = folder.path().join(".env.production");
        assert_eq!(Target::open(&fresh).unwrap().replace(b"A=1\n").unwrap(), None);
        assert_eq!(fs::read_to_string(fresh).unwrap(), "A=1\n");
    }
}
