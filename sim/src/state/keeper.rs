//! Keeping the state: what was kept before, and writing what changed.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Base64;
use super::rows::{self, later_stream};
use super::store::{Changes, Store};
use crate::account::{PhoneNumber, Registry};
use crate::entropy::Entropy;
use crate::error::SimError;
use crate::fault::Restriction;
use crate::group::{Group, GroupId, Groups};
use crate::world::World;

/// Pause between two saves. With the time that a save takes, at most a second is lost in a crash.
const PAUSE: Duration = Duration::from_millis(500);
/// Bytes that are written in one transaction, about.
const BATCH_BYTES: usize = 16 << 20;
const SERVER: &str = "server";
const RESTRICTIONS: &str = "restrictions";
const GROUP: &str = "group/";
/// Connections of one start, in the numbers that connections have.
const SERIALS_PER_START: u32 = 40;

/// What all keys follow from, and how often it was started.
#[derive(Serialize, Deserialize)]
struct ServerRow {
    seed: Base64,
    starts: u64,
}

/// What was kept before.
pub(crate) struct Kept {
    pub entropy: Entropy,
    pub registry: Registry,
    pub restrictions: Vec<(PhoneNumber, Restriction)>,
    pub groups: Groups,
    /// The number of the last connection of earlier starts.
    pub last_serial: u64,
}

impl Kept {
    /// For a simulator that keeps nothing.
    pub(crate) fn nothing(seed: Option<u64>) -> Self {
        let (entropy, registry) = (Entropy::new(seed), Registry::new());
        Self { entropy, registry, restrictions: Vec::new(), groups: Groups::default(), last_serial: 0 }
    }
}

/// An open state.
struct Open {
    store: Store,
    /// What is in each account's rows, as hashes.
    written: HashMap<PhoneNumber, HashMap<String, u64>>,
    restrictions: u64,
    /// The versions of the groups that are in their rows.
    groups: HashMap<GroupId, u64>,
    /// After a failed save it is not known which changes it was about.
    all: bool,
}

/// Writes the state of a simulator.
pub(crate) struct Keeper {
    /// Closed at the end, so that another simulator can open it.
    open: Mutex<Option<Open>>,
    hasher: RandomState,
}

impl Keeper {
    /// Opens the state in a folder; a new one begins with `seed`. For the blocking threads.
    pub(crate) fn open(folder: &Path, seed: Option<u64>, mailbox_limit: usize) -> Result<(Self, Kept), SimError> {
        let store = Store::open(folder)?;
        let mut accounts: BTreeMap<PhoneNumber, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        let mut others: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        store.read(|name, content| {
            match rows::split(name) {
                Some((number, what)) => {
                    accounts.entry(number).or_default().insert(what.to_owned(), content.to_vec());
                }
                None => drop(others.insert(name.to_owned(), content.to_vec())),
            }
            Ok(())
        })?;
        let parse = |name: &str, error: serde_json::Error| store.damaged(name, &error.to_string());
        let (entropy, starts) = match others.get(SERVER) {
            Some(row) => {
                let row: ServerRow = serde_json::from_slice(row).map_err(|error| parse(SERVER, error))?;
                let seed = row.seed.array().map_err(|reason| store.damaged(SERVER, &reason))?;
                (Entropy::from_seed(seed), row.starts + 1)
            }
            None if accounts.is_empty() => (Entropy::new(seed), 0),
            None => return Err(store.damaged(SERVER, "it is missing")),
        };
        let restrictions: Vec<(PhoneNumber, Restriction)> = match others.get(RESTRICTIONS) {
            Some(row) => serde_json::from_slice(row).map_err(|error| parse(RESTRICTIONS, error))?,
            None => Vec::new(),
        };
        let hasher = RandomState::new();
        let registry = Registry::new();
        let mut written = HashMap::new();
        for (number, rows) in accounts {
            let account = rows::restore(number, &rows, mailbox_limit, later_stream(&entropy, starts, number))
                .map_err(|(what, reason)| store.damaged(&format!("{what} of {number:?}"), &reason))?;
            registry.put(account);
            let hashes = rows.into_iter().map(|(what, row)| (what, hasher.hash_one(&row))).collect();
            written.insert(number, hashes);
        }
        let row = ServerRow { seed: entropy.seed().into(), starts };
        let row = serde_json::to_vec(&row).map_err(|error| parse(SERVER, error))?;
        store.write(&vec![(SERVER.to_owned(), Some(row))])?;
        tracing::info!(accounts = written.len(), starts, "state opened");
        let mut groups = Vec::new();
        for (name, row) in others.iter().filter(|(name, _)| name.starts_with(GROUP)) {
            groups.push(serde_json::from_slice::<Group>(row).map_err(|error| parse(name, error))?);
        }
        let versions = groups.iter().map(|group| (group.id, group.version)).collect();
        let groups: Groups = groups.into_iter().collect();
        let open = Open { store, written, restrictions: 0, groups: versions, all: false };
        let last_serial = starts << SERIALS_PER_START;
        let kept = Kept { entropy, registry, restrictions, groups, last_serial };
        Ok((Self { open: Mutex::new(Some(open)), hasher }, kept))
    }

    /// Saves again and again until the simulator stops.
    pub(crate) async fn run(world: Arc<World>) {
        if world.keeper.is_none() {
            return;
        }
        let stop = world.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            if let Err(error) = Self::save(&world).await {
                tracing::error!(%error, "the state can't be saved; it is tried again");
            }
        }
    }

    /// Saves what changed. It is on disk when this returns.
    pub(crate) async fn save(world: &Arc<World>) -> Result<(), SimError> {
        let shared = Arc::clone(world);
        Self::off_thread(move || match &shared.keeper {
            Some(keeper) => keeper.save_now(&shared),
            None => Ok(()),
        })
        .await
    }

    /// Saves for the last time and closes the file.
    pub(crate) async fn close(world: &Arc<World>) -> Result<(), SimError> {
        Self::save(world).await?;
        let shared = Arc::clone(world);
        Self::off_thread(move || {
            if let Some(keeper) = &shared.keeper {
                *keeper.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Ok(())
        })
        .await
    }

    async fn off_thread(work: impl FnOnce() -> Result<(), SimError> + Send + 'static) -> Result<(), SimError> {
        tokio::task::spawn_blocking(work).await.map_err(|_| SimError::Stopping)?
    }

    fn save_now(&self, world: &World) -> Result<(), SimError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &mut *open else {
            return Ok(());
        };
        let all = std::mem::replace(&mut open.all, true);
        let mut batch = Batch::default();
        self.add_restrictions(world, open, all, &mut batch)?;
        add_groups(world, open, all, &mut batch)?;
        for account in world.registry.all() {
            let number = account.number;
            let rows = rows::changed(&account, all).map_err(|reason| open.store.damaged("of an account", &reason))?;
            if rows.is_empty() {
                continue;
            }
            let known = open.written.entry(number).or_default();
            known.retain(|what, _| {
                let outlived = rows::outlived(&account, what);
                if outlived {
                    batch.changes.push((rows::name(number, what), None));
                }
                !outlived
            });
            for (what, content) in rows {
                match content {
                    Some(content) => {
                        let hash = self.hasher.hash_one(&content);
                        if known.insert(what.clone(), hash) != Some(hash) || all {
                            batch.bytes += content.len();
                            batch.changes.push((rows::name(number, &what), Some(content)));
                        }
                    }
                    None => {
                        if known.remove(&what).is_some() || all {
                            batch.changes.push((rows::name(number, &what), None));
                        }
                    }
                }
            }
            if batch.bytes >= BATCH_BYTES {
                batch.write(&open.store)?;
            }
        }
        batch.write(&open.store)?;
        open.all = false;
        Ok(())
    }

    fn add_restrictions(&self, world: &World, open: &mut Open, all: bool, batch: &mut Batch) -> Result<(), SimError> {
        let restrictions = world.restrictions.all();
        let row =
            serde_json::to_vec(&restrictions).map_err(|error| open.store.damaged(RESTRICTIONS, &error.to_string()))?;
        let hash = self.hasher.hash_one(&row);
        if hash != open.restrictions || all {
            open.restrictions = hash;
            batch.changes.push((RESTRICTIONS.to_owned(), Some(row)));
        }
        Ok(())
    }
}

fn add_groups(world: &World, open: &mut Open, all: bool, batch: &mut Batch) -> Result<(), SimError> {
    for group in world.groups.all() {
        if open.groups.insert(group.id, group.version) != Some(group.version) || all {
            let name = format!("{GROUP}{}", group.id);
            let row = serde_json::to_vec(&*group).map_err(|error| open.store.damaged(&name, &error.to_string()))?;
            batch.bytes += row.len();
            batch.changes.push((name, Some(row)));
        }
    }
    Ok(())
}

/// Rows that are written together.
#[derive(Default)]
struct Batch {
    changes: Changes,
    bytes: usize,
}

impl Batch {
    fn write(&mut self, store: &Store) -> Result<(), SimError> {
        if !self.changes.is_empty() {
            store.write(&self.changes)?;
        }
        *self = Self::default();
        Ok(())
    }
}

/// Where the media server keeps files beside the state.
pub(crate) fn media_folder(state: &Path) -> PathBuf {
    state.join("media")
}
