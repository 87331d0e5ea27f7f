//! The database file.

use std::path::Path;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition};

use crate::error::SimError;

/// Version of what the rows mean. A file of another one is refused.
const FORMAT: u64 = 1;
const FILE: &str = "state.redb";
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");
const FORMAT_KEY: &str = "format";

/// Changes to rows: new content, or `None` to remove.
pub(super) type Changes = Vec<(String, Option<Vec<u8>>)>;

/// An open database.
pub(super) struct Store {
    database: Database,
    place: String,
}

impl Store {
    /// Opens the database in a folder, which is made if there is none.
    pub(super) fn open(folder: &Path) -> Result<Self, SimError> {
        let path = folder.join(FILE);
        let place = path.display().to_string();
        let refused = |reason: String| SimError::State { place: place.clone(), reason };
        std::fs::create_dir_all(folder).map_err(|error| refused(format!("the folder can't be made: {error}")))?;
        owner_only(folder).map_err(|error| refused(format!("the folder can't be closed to others: {error}")))?;
        let fresh = !path.exists();
        let database = if fresh { Database::create(&path) } else { Database::open(&path) };
        let mut database = database.map_err(|error| refused(explain(&error)))?;
        if fresh {
            let store = Self { database, place };
            store.transact(|_| Ok(()), Some(FORMAT))?;
            return Ok(store);
        }
        match database.check_integrity() {
            Ok(true) => {}
            Ok(false) => tracing::warn!(place, "the state was not closed properly and has been repaired"),
            Err(error) => return Err(refused(explain(&error))),
        }
        let store = Self { database, place };
        store.check_format()?;
        Ok(store)
    }

    fn refused(&self, reason: impl std::fmt::Display) -> SimError {
        SimError::State { place: self.place.clone(), reason: reason.to_string() }
    }

    fn check_format(&self) -> Result<(), SimError> {
        let read = || -> Result<Option<u64>, redb::Error> {
            let table = self.database.begin_read()?.open_table(META)?;
            Ok(table.get(FORMAT_KEY)?.map(|value| value.value()))
        };
        match read().map_err(|error| self.refused(format!("it is damaged, or no state of a simulator: {error}")))? {
            Some(FORMAT) => Ok(()),
            Some(other) if other > FORMAT => Err(self.refused(format!(
                "its format {other} is newer than this program's, {FORMAT}; use the newer program, or another folder"
            ))),
            Some(other) => Err(self.refused(format!("its format {other} is not known any more; use another folder"))),
            None => Err(self.refused("it is damaged: it does not say its format")),
        }
    }

    fn transact(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, &str, &[u8]>) -> Result<(), redb::Error>,
        format: Option<u64>,
    ) -> Result<(), SimError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            change(&mut transaction.open_table(ROWS)?)?;
            if let Some(format) = format {
                transaction.open_table(META)?.insert(FORMAT_KEY, format)?;
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|error| self.refused(error))
    }

    /// Writes all changes or none. They are on disk when it returns.
    pub(super) fn write(&self, changes: &Changes) -> Result<(), SimError> {
        self.transact(
            |rows| {
                for (name, content) in changes {
                    match content {
                        Some(content) => drop(rows.insert(name.as_str(), content.as_slice())?),
                        None => drop(rows.remove(name.as_str())?),
                    }
                }
                Ok(())
            },
            None,
        )
    }

    /// Hands every row to `each`, in the order of their names.
    pub(super) fn read(&self, mut each: impl FnMut(&str, &[u8]) -> Result<(), String>) -> Result<(), SimError> {
        let mut wrong = None;
        let mut read = || -> Result<(), redb::Error> {
            let table = self.database.begin_read()?.open_table(ROWS)?;
            for row in table.iter()? {
                let (name, content) = row?;
                if let Err(reason) = each(name.value(), content.value()) {
                    wrong = Some(format!("row {} is damaged: {reason}", name.value()));
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|error| self.refused(error))?;
        wrong.map_or(Ok(()), |reason| Err(self.refused(reason)))
    }

    /// For errors about what is in a row.
    pub(super) fn damaged(&self, name: &str, reason: &str) -> SimError {
        self.refused(format!("row {name} is damaged: {reason}"))
    }
}

/// The folder holds private keys.
#[cfg(unix)]
fn owner_only(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn owner_only(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn explain(error: &DatabaseError) -> String {
    match error {
        DatabaseError::DatabaseAlreadyOpen => "another simulator uses it; stop that one, or give another folder".into(),
        DatabaseError::UpgradeRequired(version) => {
            format!("it was written in another format of database files ({version}); use another folder")
        }
        DatabaseError::Storage(StorageError::Corrupted(reason)) => {
            format!("it is damaged ({reason}); use another folder, or put back a copy")
        }
        DatabaseError::Storage(StorageError::Io(io)) if io.kind() == std::io::ErrorKind::InvalidData => {
            format!("it is damaged, or no state of a simulator ({io}); use another folder, or put back a copy")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A folder of one test, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("kurir-sim-store-{}-{name}", std::process::id()));
            drop(std::fs::remove_dir_all(&path));
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join(FILE)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    fn rows(store: &Store) -> Vec<(String, Vec<u8>)> {
        let mut rows = Vec::new();
        let each = |name: &str, content: &[u8]| {
            rows.push((name.to_owned(), content.to_vec()));
            Ok(())
        };
        store.read(each).expect("readable");
        rows
    }

    fn refusal(folder: &Folder) -> String {
        Store::open(&folder.0).err().expect("it is refused").to_string()
    }

    #[test]
    fn rows_are_written_changed_removed_and_there_again() {
        let folder = Folder::new("rows");
        let store = Store::open(&folder.0).expect("a new one");
        let row = |name: &str, content: &[u8]| (name.to_owned(), Some(content.to_vec()));
        store.write(&vec![row("b", b"1"), row("a", b"2"), row("c", b"3")]).expect("writable");
        store.write(&vec![row("b", b"4"), ("c".to_owned(), None)]).expect("writable");
        drop(store);
        let store = Store::open(&folder.0).expect("the same one");
        assert_eq!(rows(&store), [("a".to_owned(), b"2".to_vec()), ("b".to_owned(), b"4".to_vec())]);
    }

    #[test]
    fn two_do_not_use_one_file() {
        let folder = Folder::new("lock");
        let store = Store::open(&folder.0).expect("a new one");
        assert!(refusal(&folder).contains("another simulator uses it"));
        drop(store);
        assert!(Store::open(&folder.0).is_ok());
    }

    #[test]
    fn another_format_is_refused() {
        for (format, expected) in [(FORMAT + 1, "newer than this program's"), (0, "not known any more")] {
            let folder = Folder::new(&format!("format-{format}"));
            let store = Store::open(&folder.0).expect("a new one");
            store.transact(|_| Ok(()), Some(format)).expect("writable");
            drop(store);
            let error = refusal(&folder);
            assert!(error.contains(expected) && error.contains(FILE), "{error}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = Folder::new("damaged");
        let store = Store::open(&folder.0).expect("a new one");
        store.write(&vec![("row".to_owned(), Some(vec![5; 300_000]))]).expect("writable");
        drop(store);
        let good = std::fs::read(folder.file()).expect("readable");
        let text = b"not a database".repeat(1000);
        for bad in [text.as_slice(), &good[..good.len() / 2], b"", &good[1..]] {
            std::fs::write(folder.file(), bad).expect("writable");
            let error = refusal(&folder);
            assert!(error.contains(FILE), "{error}");
        }
        // Bytes that changed inside of a row are noticed too.
        let mut bad = good.clone();
        let at = good.windows(1000).position(|window| window == [5; 1000]).expect("the row's content");
        bad[at + 500] ^= 1;
        std::fs::write(folder.file(), &bad).expect("writable");
        assert!(refusal(&folder).contains("damaged"));
        std::fs::write(folder.file(), &good).expect("writable");
        assert_eq!(rows(&Store::open(&folder.0).expect("the good one again")).len(), 1);
    }
}
