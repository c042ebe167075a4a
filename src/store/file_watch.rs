//! Whether the SQLite file is still the one that was opened. A file that was deleted, renamed or
//! replaced goes on taking writes from who has it open, and all of them are gone after a restart.
//! So are those into one that was overwritten; where that made it shorter it shows at once.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreError;

/// The database file, and beside it the log of writes that SQLite keeps and the lock that keeps a
/// second process out.
#[derive(Debug)]
pub(super) struct FileWatch {
    file: Watched,
    log: Watched,
    lock: Watched,
    /// How long the database file was when it was longest: SQLite never makes it shorter here.
    longest: AtomicU64,
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
        let watch = Self {
            file: Watched::new(file.to_path_buf()),
            log: Watched::new(log.into()),
            lock: Watched::new(lock_of(file)),
            longest: AtomicU64::new(0),
        };
        // What is wrong from the beginning is found by whoever looks next.
        let _ = watch.check();
        watch
    }

    /// Looks at the files' names: three calls of the system, some microseconds.
    ///
    /// # Errors
    /// When one of them leads to no file, or to another one; when the database is shorter than it
    /// was.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let length = self.file.check()?;
        self.log.check()?;
        self.lock.check()?;
        if length.is_some_and(|length| length < self.longest.fetch_max(length, Ordering::Relaxed)) {
            return Err(StoreError::FileDamaged { path: self.file.path.display().to_string() });
        }
        Ok(())
    }
}

/// The file whose lock keeps a second process from this database.
pub(super) fn lock_of(file: &Path) -> PathBuf {
    file.with_added_extension("lock")
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Self { path, identity: OnceLock::new() }
    }

    /// Answers how long the file is, where that can be told.
    fn check(&self) -> Result<Option<u64>, StoreError> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Whoever works on the database finds out what that means.
            Err(_) => return Ok(None),
        };
        let length = metadata.as_ref().map(Metadata::len);
        match (metadata.as_ref().map(identity), self.identity.get()) {
            (Some(found), Some(known)) if found == *known => Ok(length),
            // The log appears with the first write.
            (None, None) => Ok(None),
            (Some(found), None) => {
                let _ = self.identity.set(found);
                Ok(length)
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
    fn a_file_that_became_shorter_and_a_lock_that_is_gone_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        fs::write(&file, "database").unwrap();
        fs::write(lock_of(&file), "").unwrap();
        let watch = FileWatch::new(&file);
        fs::write(&file, "a longer database").unwrap();
        watch.check().unwrap();

        fs::write(&file, "a backup").unwrap();
        assert!(matches!(watch.check(), Err(StoreError::FileDamaged { .. })));
        fs::write(&file, "a longer database").unwrap();
        watch.check().unwrap();
        fs::remove_file(lock_of(&file)).unwrap();
        assert!(matches!(watch.check(), Err(StoreError::FileGone { .. })));
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
