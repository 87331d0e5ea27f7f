//! Where the file is, who may open it, and what can go wrong with that.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to open a database.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The file. It and the folders above it are made when they are not there, readable for their owner only; SQLite
    /// keeps two more files beside it (`-wal`, `-shm`), kurir a `.lock`.
    pub path: PathBuf,
    /// How many connections read. One more writes.
    pub readers: u32,
    /// How long to wait for a lock that another program (a backup, a shell) holds on the file.
    pub busy_timeout: Duration,
    /// How many events are kept for subscribers that are behind. One that is further behind misses the oldest.
    pub events_kept: u32,
    /// How many dead letters are kept; the oldest go first.
    pub dead_letters_kept: u32,
    /// Whether it may be open elsewhere.
    pub access: Access,
}

/// Whether a database may be open in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may not.
    Alone,
    /// A tool's: where another process has it, it is opened beside that one, as it is (no older, no newer version). What the
    /// other keeps in its memory (which job was handed to whom) isn't seen, so only sessions that rest may be touched.
    Beside,
}

impl SqliteOptions {
    /// The defaults: 4 readers, 5 seconds, 10 000 events, 10 000 dead letters.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            events_kept: 10_000,
            dead_letters_kept: 10_000,
            access: Access::Alone,
        }
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has it open.
    #[error(
        "the database {} is in use by another kurir process: stop that process or choose another file ({} is locked)",
        path.display(), lock.display()
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// The file whose lock tells.
        lock: PathBuf,
    },
    /// The file or a folder above it can't be made or written.
    #[error("{} can't be made or opened: check that the folder may be written by this user", path.display())]
    Io {
        /// What can't be made.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A database of some other program.
    #[error("{} is a database, but not one of kurir: choose another file", path.display())]
    NotKurir {
        /// The database.
        path: PathBuf,
    },
    /// Written by a newer kurir.
    #[error(
        "the database {} has schema version {found}, this program knows versions up to {known}: use the newer kurir",
        path.display()
    )]
    TooNew {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: usize,
    },
    /// Written by an older kurir, and in use.
    #[error(
        "the database {} has schema version {found}, this program wants {known}, and another kurir process has it: \
         use that one's version, or stop it",
        path.display()
    )]
    TooOld {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program brings databases to.
        known: usize,
    },
    /// The file system can't do what durability needs.
    #[error(
        "the database {} runs with {found}, not with journal_mode=wal and synchronous=full: \
         put it on a local file system",
        path.display()
    )]
    NotDurable {
        /// The database.
        path: PathBuf,
        /// What is in force instead.
        found: String,
    },
    /// SQLite can't open it.
    #[error("SQLite can't open {}", path.display())]
    Sql {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: sqlx::Error,
    },
}

/// Makes the folders and the file and takes the lock. The lock lasts as long as the answer; `None`: another process has it,
/// and this one may be beside it.
pub(super) fn prepare(path: &Path, access: Access) -> Result<Option<File>, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder().create(folder).map_err(failed(folder))?;
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    // The lock is on a file of its own: closing any handle of the database itself would drop SQLite's own locks on it.
    let lock = private_file().open(&lock_path).map_err(failed(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) if access == Access::Beside => return Ok(None),
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: path.to_owned(), lock: lock_path }),
        Err(TryLockError::Error(source)) => return Err(OpenError::Io { path: lock_path, source }),
    }
    // SQLite gives its side files the mode of the database, so it is enough to make this one.
    drop(private_file().open(path).map_err(failed(path))?);
    Ok(Some(lock))
}

fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
