//! Encrypted files, on disk, in bounded room.

use std::collections::{HashMap, VecDeque};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use rand::RngExt;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::ticket::FileHash;

/// Uploads that may be under way or interrupted.
const PARTS: usize = 256;
const READ_BYTES: usize = 64 << 10;

/// Why a file was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the file is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the content does not have the announced SHA-256")]
    WrongHash,
    #[error("the upload can't go on at byte {offset}; ask where it stopped, or begin anew")]
    WrongOffset { offset: u64 },
    #[error("too many uploads at once")]
    Busy,
    #[error("the upload broke off: {0}")]
    BrokenOff(String),
    #[error("storage: {0}")]
    Io(#[from] std::io::Error),
}

/// Where the files are. A folder of our own goes when the simulator does.
enum Folder {
    Own(PathBuf),
    Given(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Own(folder) | Self::Given(folder) => folder,
        }
    }

    /// A new folder in the system's place for temporary files, for its owner only.
    fn temporary() -> std::io::Result<Self> {
        let name: u128 = rand::make_rng::<StdRng>().random();
        let path = std::env::temp_dir().join(format!("kurir-sim-media-{name:032x}"));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        Ok(Self::Own(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Self::Own(path) = self
            && let Err(error) = std::fs::remove_dir_all(path)
        {
            tracing::warn!(%error, "the temporary folder of media can't be removed");
        }
    }
}

/// An upload that is under way or was interrupted.
#[derive(Debug, Clone)]
struct Part {
    hash: FileHash,
    serial: u64,
    busy: bool,
}

/// What is stored. Everything in it can be found again by reading the folder.
#[derive(Debug, Default)]
struct Index {
    files: HashMap<FileHash, u64>,
    /// Oldest first.
    order: VecDeque<FileHash>,
    bytes: u64,
    parts: VecDeque<Part>,
    last_serial: u64,
}

impl Index {
    fn add(&mut self, hash: FileHash, bytes: u64) {
        if self.files.insert(hash, bytes).is_none() {
            self.order.push_back(hash);
            self.bytes += bytes;
        }
    }

    /// The files that must go so that all fit into `limit` bytes.
    fn shrink(&mut self, limit: u64) -> Vec<FileHash> {
        let mut gone = Vec::new();
        while self.bytes > limit && self.order.len() > 1 {
            if let Some(hash) = self.order.pop_front() {
                self.bytes -= self.files.remove(&hash).unwrap_or_default();
                gone.push(hash);
            }
        }
        gone
    }
}

/// All files of one simulator.
pub(crate) struct MediaStore {
    folder: Folder,
    file_limit: u64,
    total_limit: u64,
    index: Mutex<Index>,
}

/// Gives an upload's place back, so that it can be taken up where it stopped.
struct Claim<'a> {
    store: &'a MediaStore,
    serial: u64,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut index = self.store.lock();
        if let Some(part) = index.parts.iter_mut().find(|part| part.serial == self.serial) {
            part.busy = false;
        }
    }
}

impl MediaStore {
    /// Opens a folder, or makes one that is removed at the end. What an earlier simulator left in a
    /// given folder is there again, except interrupted uploads.
    pub(crate) fn open(folder: Option<&Path>, file_limit: u64, total_limit: u64) -> std::io::Result<Self> {
        let folder = match folder {
            Some(given) => {
                std::fs::create_dir_all(given)?;
                Folder::Given(given.to_owned())
            }
            None => Folder::temporary()?,
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let name = Path::new(&name);
            let is = |extension: &str| name.extension().is_some_and(|found| found == extension);
            let stem = name.file_stem().and_then(|stem| stem.to_str());
            if is("part") {
                std::fs::remove_file(entry.path())?;
            } else if let Some(hash) = stem.filter(|_| is("enc")).and_then(FileHash::from_token) {
                let metadata = entry.metadata()?;
                found.push((metadata.modified()?, hash, metadata.len()));
            }
        }
        found.sort_unstable();
        let mut index = Index::default();
        for (_, hash, bytes) in found {
            index.add(hash, bytes);
        }
        Ok(Self { folder, file_limit, total_limit, index: Mutex::new(index) })
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_path(&self, hash: FileHash) -> PathBuf {
        self.folder.path().join(hash.token() + ".enc")
    }

    fn part_path(&self, serial: u64) -> PathBuf {
        self.folder.path().join(format!("{serial}.part"))
    }

    /// Where a file is, and how long, if it is stored.
    pub(crate) fn find(&self, hash: FileHash) -> Option<(PathBuf, u64)> {
        let bytes = *self.lock().files.get(&hash)?;
        Some((self.file_path(hash), bytes))
    }

    /// Removes a file. Returns whether it was there.
    pub(crate) async fn remove(&self, hash: FileHash) -> bool {
        let known = {
            let mut index = self.lock();
            let bytes = index.files.remove(&hash);
            index.order.retain(|kept| *kept != hash);
            index.bytes -= bytes.unwrap_or_default();
            bytes.is_some()
        };
        if known {
            self.delete(&self.file_path(hash)).await;
        }
        known
    }

    async fn delete(&self, path: &Path) {
        if let Err(error) = tokio::fs::remove_file(path).await {
            tracing::warn!(%error, "a stored file can't be removed");
        }
    }

    /// How much of an interrupted upload is there.
    pub(crate) async fn progress(&self, hash: FileHash) -> u64 {
        let serial =
            self.lock().parts.iter().rev().find(|part| part.hash == hash && !part.busy).map(|part| part.serial);
        match serial {
            Some(serial) => tokio::fs::metadata(self.part_path(serial)).await.map_or(0, |metadata| metadata.len()),
            None => 0,
        }
    }

    /// Stores a file whose encrypted content has the SHA-256 `hash`, from byte `offset` on.
    ///
    /// The content goes to disk as it comes. It is checked before anybody can find it. What came
    /// before an interruption is kept for a later call with that offset.
    pub(crate) async fn receive<E: std::fmt::Display>(
        &self,
        hash: FileHash,
        offset: u64,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<u64, StoreError> {
        let claim = self.claim(hash, offset).await?;
        let path = self.part_path(claim.serial);
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).await?;
        if file.metadata().await?.len() < offset {
            return Err(StoreError::WrongOffset { offset });
        }
        file.set_len(offset).await?;
        file.seek(SeekFrom::Start(offset)).await?;
        let filled = self.fill(&mut file, offset, content).await;
        file.flush().await?;
        let checked = match filled {
            Ok(bytes) => check(&mut file, hash).await.map(|()| bytes),
            Err(error) => Err(error),
        };
        match checked {
            Ok(bytes) => {
                tokio::fs::rename(&path, self.file_path(hash)).await?;
                let gone = {
                    let mut index = self.lock();
                    index.parts.retain(|part| part.serial != claim.serial);
                    index.add(hash, bytes);
                    index.shrink(self.total_limit)
                };
                for old in gone {
                    self.delete(&self.file_path(old)).await;
                }
                Ok(bytes)
            }
            // What broke off can go on later; the rest is of no use.
            Err(error @ StoreError::BrokenOff(_)) => Err(error),
            Err(error) => {
                self.lock().parts.retain(|part| part.serial != claim.serial);
                self.delete(&path).await;
                Err(error)
            }
        }
    }

    async fn claim(&self, hash: FileHash, offset: u64) -> Result<Claim<'_>, StoreError> {
        let (serial, forgotten) = {
            let mut index = self.lock();
            if let Some(part) = index.parts.iter_mut().rev().find(|part| part.hash == hash && !part.busy) {
                part.busy = true;
                (part.serial, None)
            } else if offset > 0 {
                return Err(StoreError::WrongOffset { offset });
            } else {
                let mut forgotten = None;
                if index.parts.len() >= PARTS {
                    let idle = index.parts.iter().position(|part| !part.busy).ok_or(StoreError::Busy)?;
                    forgotten = index.parts.remove(idle).map(|part| part.serial);
                }
                index.last_serial += 1;
                let serial = index.last_serial;
                index.parts.push_back(Part { hash, serial, busy: true });
                (serial, forgotten)
            }
        };
        let claim = Claim { store: self, serial };
        if let Some(forgotten) = forgotten {
            self.delete(&self.part_path(forgotten)).await;
        }
        Ok(claim)
    }

    async fn fill<E: std::fmt::Display>(
        &self,
        file: &mut File,
        offset: u64,
        content: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<u64, StoreError> {
        let mut content = std::pin::pin!(content);
        let mut length = offset;
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|error| StoreError::BrokenOff(error.to_string()))?;
            length += chunk.len() as u64;
            if length > self.file_limit {
                return Err(StoreError::TooLarge { limit: self.file_limit });
            }
            file.write_all(&chunk).await?;
        }
        Ok(length)
    }
}

async fn check(file: &mut File, hash: FileHash) -> Result<(), StoreError> {
    file.seek(SeekFrom::Start(0)).await?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
    }
    if <[u8; 32]>::from(digest.finalize()) == hash.0 { Ok(()) } else { Err(StoreError::WrongHash) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::iter;

    fn hash(content: &[u8]) -> FileHash {
        FileHash(Sha256::digest(content).into())
    }

    async fn put(store: &MediaStore, content: &[u8]) -> Result<u64, StoreError> {
        let chunks: Vec<Result<Bytes, String>> =
            content.chunks(3).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
        store.receive(hash(content), 0, iter(chunks)).await
    }

    fn stored(store: &MediaStore, content: &[u8]) -> Option<Vec<u8>> {
        let (path, bytes) = store.find(hash(content))?;
        let read = std::fs::read(path).expect("the file is there");
        assert_eq!(read.len() as u64, bytes);
        Some(read)
    }

    fn folder_len(store: &MediaStore) -> usize {
        std::fs::read_dir(store.folder.path()).expect("a folder").count()
    }

    #[tokio::test]
    async fn what_is_stored_is_found_and_what_is_wrong_leaves_nothing() {
        let store = MediaStore::open(None, 10, 1000).expect("opens");
        assert_eq!(put(&store, b"encrypted").await.expect("stored"), 9);
        assert_eq!(stored(&store, b"encrypted").as_deref(), Some(b"encrypted".as_slice()));
        assert!(matches!(put(&store, b"eleven byte").await, Err(StoreError::TooLarge { limit: 10 })));
        let other = iter([Ok::<_, String>(Bytes::from_static(b"other"))]);
        assert!(matches!(store.receive(hash(b"else"), 0, other).await, Err(StoreError::WrongHash)));
        assert_eq!((store.find(hash(b"else")), folder_len(&store)), (None, 1));
    }

    #[tokio::test]
    async fn an_interrupted_upload_goes_on_where_it_stopped() {
        let store = MediaStore::open(None, 100, 1000).expect("opens");
        let whole = hash(b"first second");
        let broken = iter([Ok(Bytes::from_static(b"first ")), Err("cut")]);
        assert!(matches!(store.receive(whole, 0, broken).await, Err(StoreError::BrokenOff(_))));
        assert_eq!(store.progress(whole).await, 6);
        let too_far = iter([Ok::<_, String>(Bytes::from_static(b"second"))]);
        assert!(matches!(store.receive(whole, 7, too_far).await, Err(StoreError::WrongOffset { offset: 7 })));
        let rest = iter([Ok::<_, String>(Bytes::from_static(b"second"))]);
        assert_eq!(store.receive(whole, 6, rest).await.expect("complete"), 12);
        assert_eq!(stored(&store, b"first second").as_deref(), Some(b"first second".as_slice()));
        assert_eq!((store.progress(whole).await, folder_len(&store)), (0, 1));
    }

    #[tokio::test]
    async fn the_oldest_files_make_room() {
        let store = MediaStore::open(None, 10, 10).expect("opens");
        for content in [b"aaaa", b"bbbb", b"cccc"] {
            put(&store, content).await.expect("stored");
        }
        assert_eq!(stored(&store, b"aaaa"), None);
        assert!(stored(&store, b"bbbb").is_some() && stored(&store, b"cccc").is_some());
        assert!(store.remove(hash(b"bbbb")).await);
        assert!(!store.remove(hash(b"bbbb")).await);
        assert_eq!(folder_len(&store), 1);
    }

    #[tokio::test]
    async fn a_given_folder_keeps_its_files_and_our_own_goes() {
        let folder = Folder::temporary().expect("a folder");
        let store = MediaStore::open(Some(folder.path()), 10, 100).expect("opens");
        put(&store, b"kept").await.expect("stored");
        drop(store);
        let again = MediaStore::open(Some(folder.path()), 10, 100).expect("opens");
        assert_eq!(stored(&again, b"kept").as_deref(), Some(b"kept".as_slice()));
        let own = MediaStore::open(None, 10, 100).expect("opens");
        let path = own.folder.path().to_owned();
        drop(own);
        assert!(!path.exists());
    }
}
