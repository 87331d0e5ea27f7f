//! Passwords: hashed with argon2id, on threads of their own, a few at a time.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use kurir_core::domain::Secret;
use kurir_core::port::Entropy;
use tokio::sync::Semaphore;

/// What one hash costs, as OWASP advises for argon2id: 19 MiB, two passes, one thread.
const COST: Params = match Params::new(19_456, 2, 1, None) {
    Ok(cost) => cost,
    Err(_) => Params::DEFAULT,
};

/// How many are computed at the same time, each taking a thread and the memory of [`COST`].
const AT_ONCE: usize = 2;

/// How many callers may be in here, those at work included; further ones are told that it is busy.
const PLACES: usize = 32;

/// Longest password, in bytes; a longer one is nobody's.
pub(super) const LONGEST: usize = 512;

/// Stands for the salt of whom there is not, so that a wrong name takes as long as a wrong password.
const NOBODYS_SALT: &[u8; 16] = b"nobody-has-a-hsh";

/// Too many passwords are being checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at this moment; try again in a few seconds")]
pub struct Busy;

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
    entropy: Arc<dyn Entropy>,
}

impl Passwords {
    /// Salts come from here.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), at_work: Arc::new(Semaphore::new(AT_ONCE)), entropy }
    }

    /// Hashes a password with a fresh salt, as a PHC string; `None`: it is too long to be one.
    pub async fn hash(&self, password: Secret<String>) -> Result<Option<Secret<String>>, Busy> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        self.work(move || {
            let password = Some(password.expose().as_bytes()).filter(|bytes| bytes.len() <= LONGEST)?;
            let hash = hasher().hash_password_with_salt(password, &salt).ok()?;
            Some(Secret::new(hash.to_string()))
        })
        .await
    }

    /// Whether this password has that hash. Without a hash, which is how somebody is checked who is not there, it takes as
    /// long and the answer is no.
    pub async fn matches(&self, password: Secret<String>, hash: Option<Secret<String>>) -> Result<bool, Busy> {
        self.work(move || {
            let given = password.expose().as_bytes();
            let fits = given.len() <= LONGEST;
            let checked = if fits { given } else { &given[..LONGEST] };
            let Some(hash) = hash else {
                let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
                // It fails for a bad salt or length only, and these are ours.
                let _ = hasher().hash_password_into(checked, NOBODYS_SALT, &mut out);
                return false;
            };
            hasher().verify_password(checked, hash.expose().as_str()).is_ok() && fits
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        let turn = Arc::clone(&self.at_work).acquire_owned().await.map_err(|_| Busy)?;
        // The thread has the place and the turn, so a caller who hangs up makes no room before it is done.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, turn));
            done
        });
        done.await.map_err(|_| Busy)
    }
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, COST)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use kurir_core::memory::SeededEntropy;

    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(Arc::new(SeededEntropy::new(3)))
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_matches_its_hash_and_no_other() {
        let passwords = passwords();
        let (one, two) = (
            passwords.hash(secret("rahasia sekali")).await.unwrap().unwrap(),
            passwords.hash(secret("rahasia sekali")).await.unwrap().unwrap(),
        );
        assert!(one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.expose());
        assert_ne!(one, two, "each has a salt of its own");
        assert!(passwords.matches(secret("rahasia sekali"), Some(one.clone())).await.unwrap());
        for wrong in ["", "rahasia sekal", "Rahasia sekali"] {
            assert!(!passwords.matches(secret(wrong), Some(one.clone())).await.unwrap(), "{wrong}");
        }
        assert!(!passwords.matches(secret("rahasia sekali"), None).await.unwrap());
        assert!(!passwords.matches(secret("x"), Some(secret("no hash"))).await.unwrap());
        assert_eq!(passwords.hash(secret(&"x".repeat(LONGEST + 1))).await.unwrap(), None);
        let longest = passwords.hash(secret(&"x".repeat(LONGEST))).await.unwrap().unwrap();
        assert!(passwords.matches(secret(&"x".repeat(LONGEST)), Some(longest.clone())).await.unwrap());
        assert!(!passwords.matches(secret(&"x".repeat(LONGEST + 1)), Some(longest)).await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_few_work_some_wait_and_the_rest_is_told_so() {
        let passwords = passwords();
        let (begun, is_begun) = mpsc::channel();
        let mut ends = Vec::new();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..PLACES {
            let (end, is_ended) = mpsc::channel::<()>();
            ends.push(end);
            let (passwords, begun) = (passwords.clone(), begun.clone());
            tasks.spawn(async move {
                let work = passwords.work(move || {
                    begun.send(()).unwrap();
                    is_ended.recv().unwrap_err();
                });
                work.await
            });
        }
        let patience = std::time::Duration::from_secs(20);
        for _ in 0..AT_ONCE {
            is_begun.recv_timeout(patience).unwrap();
        }
        // All have come in once no place is left.
        let all_in = async {
            while passwords.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(patience, all_in).await.unwrap();
        assert_eq!(passwords.work(|| ()).await, Err(Busy));
        assert!(is_begun.try_recv().is_err(), "no more than a few at once");
        // Whoever hangs up while waiting makes room.
        drop(ends);
        while let Some(done) = tasks.join_next().await {
            assert_eq!(done.unwrap(), Ok(()));
        }
        assert_eq!(passwords.work(|| 7).await, Ok(7));
    }
}
