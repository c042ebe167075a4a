//! Whether the SQLite file is still the one that was opened. A file that was deleted, renamed or
//! replaced goes on taking writes from who has it open, and all of them are gone after a restart.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::StoreError;

/// The database file, and beside it the log of writes that SQLite keeps.
#[derive(Debug)]
pub(super) struct FileWatch {
    file: Watched,
    log: Watched,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Device and inode; known from the first look on.
    identity: OnceLock<(u64, u64)>,
}

impl FileWatch {
    /// Of a file that exists.
    pub(super) fn new(file: &Path) -> Self {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        let watch = Self { file: Watched::new(file.to_path_buf()), log: Watched::new(log.into()) };
        // What is wrong from the beginning is found by whoever looks next.
        let _ = watch.file.check();
        watch
    }

    /// Looks at the files' names: two calls of the system, some microseconds.
    ///
    /// # Errors
    /// When one of them leads to no file, or to another one.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.file.check()?;
        self.log.check()
    }
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Self { path, identity: OnceLock::new() }
    }

    fn check(&self) -> Result<(), StoreError> {
        let found = match std::fs::metadata(&self.path) {
            Ok(metadata) => Some(identity(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Whoever works on the database finds out what that means.
            Err(_) => return Ok(()),
        };
        match (found, self.identity.get()) {
            (Some(found), Some(known)) if found == *known => Ok(()),
            // The log appears with the first write.
            (None, None) => Ok(()),
            (Some(found), None) => {
                let _ = self.identity.set(found);
                Ok(())
            }
            (_, Some(_)) => Err(StoreError::FileGone { path: self.path.display().to_string() }),
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_deleted_renamed_or_replaced_is_noticed_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let log = folder.path().join("a.db-wal");
        for path in [&file, &log] {
            fs::write(&file, "database").unwrap();
            fs::write(&log, "log").unwrap();
            let watch = FileWatch::new(&file);
            watch.check().unwrap();
            let aside = folder.path().join("aside");

            fs::rename(path, &aside).unwrap();
            assert!(watch.check().unwrap_err().to_string().contains(&path.display().to_string()));
            fs::write(path, "another").unwrap();
            assert!(watch.check().unwrap_err().is_unavailable());
            fs::rename(&aside, path).unwrap();
            watch.check().unwrap();
            fs::remove_file(path).unwrap();
            assert!(watch.check().is_err());
        }
    }

    #[test]
    fn a_log_that_is_not_there_yet_is_none_that_was_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        fs::write(&file, "database").unwrap();
        let watch = FileWatch::new(&file);

        watch.check().unwrap();
        fs::write(folder.path().join("a.db-wal"), "log").unwrap();
        watch.check().unwrap();
    }
}
