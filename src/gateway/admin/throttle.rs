//! How often passwords may be tried: by name, and from one address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kurir_core::domain::{Timestamp, UserName};

/// When attempts have to pause.
#[derive(Clone, Copy, Debug)]
struct Rule {
    /// So many in a row are free.
    free: u32,
    /// How long to wait after these; twice as long after each further one.
    first: Duration,
    /// The longest wait.
    longest: Duration,
}

/// With one name: whoever knows a name could keep its owner out, so the longest wait is short enough to sit through.
const OF_NAME: Rule = Rule { free: 5, first: Duration::from_secs(2), longest: Duration::from_mins(5) };

/// From one address: a whole office may share it.
const OF_ADDRESS: Rule = Rule { free: 20, first: Duration::from_secs(2), longest: Duration::from_mins(5) };

/// After so long without an attempt they are forgotten.
const FORGOTTEN: Duration = Duration::from_mins(30);

/// How many names, and how many addresses, are remembered; then the one tried longest ago makes room.
const REMEMBERED: usize = 10_000;

/// Attempts that failed, or whose end is not known yet.
#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    last: Timestamp,
}

impl Rule {
    /// How long the next attempt has to wait.
    fn wait(self, tries: Tries, now: Timestamp) -> Option<Duration> {
        let over = tries.count.checked_sub(self.free)?;
        let pause = self.first.saturating_mul(1_u32.checked_shl(over).unwrap_or(u32::MAX)).min(self.longest);
        let until = tries.last.plus(pause);
        (now < until).then(|| until.since(now))
    }
}

/// Attempts by name or by address.
#[derive(Debug)]
struct Counts<K> {
    rule: Rule,
    remembered: usize,
    tries: HashMap<K, Tries>,
}

impl<K: Clone + Eq + Hash> Counts<K> {
    fn new(rule: Rule, remembered: usize) -> Self {
        Self { rule, remembered, tries: HashMap::new() }
    }

    fn wait(&self, key: &K, now: Timestamp) -> Option<Duration> {
        let tries = self.tries.get(key).filter(|tries| now.since(tries.last) < FORGOTTEN)?;
        self.rule.wait(*tries, now)
    }

    fn count(&mut self, key: K, now: Timestamp) {
        if !self.tries.contains_key(&key) && self.tries.len() >= self.remembered {
            self.tries.retain(|_, tries| now.since(tries.last) < FORGOTTEN);
            if self.tries.len() >= self.remembered {
                let oldest = self.tries.iter().min_by_key(|(_, tries)| tries.last).map(|(key, _)| key.clone());
                oldest.map(|oldest| self.tries.remove(&oldest));
            }
        }
        let tries = self.tries.entry(key).or_insert(Tries { count: 0, last: now });
        if now.since(tries.last) >= FORGOTTEN {
            tries.count = 0;
        }
        *tries = Tries { count: tries.count.saturating_add(1), last: now };
    }

    /// Takes one attempt back.
    fn forgive(&mut self, key: &K) {
        let Some(tries) = self.tries.get_mut(key) else { return };
        tries.count = tries.count.saturating_sub(1);
        if tries.count == 0 {
            self.tries.remove(key);
        }
    }
}

/// The attempts of late, in this process.
#[derive(Debug)]
pub(super) struct Throttle(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    names: Counts<UserName>,
    addresses: Counts<IpAddr>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl Throttle {
    fn remembering(remembered: usize) -> Self {
        let (names, addresses) = (Counts::new(OF_NAME, remembered), Counts::new(OF_ADDRESS, remembered));
        Self(Mutex::new(Counted { names, addresses }))
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an attempt through and counts it as failed until it is known to be better, so that many at once get no further
    /// than many in a row; or tells how long to wait, and counts nothing.
    pub fn admit(&self, name: Option<&UserName>, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let (mut counted, address) = (self.lock(), network(address));
        let waits = [name.and_then(|name| counted.names.wait(name, now)), counted.addresses.wait(&address, now)];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(wait);
        }
        if let Some(name) = name {
            counted.names.count(name.clone(), now);
        }
        counted.addresses.count(address, now);
        Ok(())
    }

    /// The password was right: the name begins anew. The address does not, or whoever has one account could try others'
    /// without end.
    pub fn succeeded(&self, name: &UserName, address: IpAddr) {
        let mut counted = self.lock();
        counted.names.tries.remove(name);
        counted.addresses.forgive(&network(address));
    }

    /// Nothing was tried after all.
    pub fn not_tried(&self, name: Option<&UserName>, address: IpAddr) {
        let mut counted = self.lock();
        if let Some(name) = name {
            counted.names.forgive(name);
        }
        counted.addresses.forgive(&network(address));
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, which is what one household or server is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use kurir_core::memory::ManualClock;
    use kurir_core::port::Clock as _;

    use super::*;

    fn name(text: &str) -> UserName {
        UserName::new(text).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn clock() -> ManualClock {
        ManualClock::new(Timestamp::from_millis(1_790_000_000_000))
    }

    #[test]
    fn after_five_the_pause_grows_up_to_its_end() {
        let (throttle, clock) = (Throttle::default(), clock());
        let admit =
            |text: &str, from: u8| throttle.admit(Some(&name(text)), address(&format!("192.0.2.{from}")), clock.now());
        for from in 0..5 {
            assert_eq!(admit("budi", from), Ok(()));
        }
        for pause in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let pause = Duration::from_secs(pause);
            assert_eq!(admit("budi", 99), Err(pause));
            clock.advance(pause.saturating_sub(Duration::from_millis(1)));
            assert_eq!(admit("Budi", 98), Err(Duration::from_millis(1)), "asking makes it no longer");
            clock.advance(Duration::from_millis(1));
            assert_eq!(admit("budi", 97), Ok(()));
        }
        assert_eq!(admit("siti", 1), Ok(()), "another one is not concerned");
        clock.advance(FORGOTTEN);
        for from in 0..5 {
            assert_eq!(admit("budi", from), Ok(()));
        }
    }

    #[test]
    fn an_address_is_counted_whatever_the_names() {
        let (throttle, clock) = (Throttle::default(), clock());
        let admit = |n: u32, from: &str| throttle.admit(Some(&name(&format!("u{n}"))), address(from), clock.now());
        for n in 0..OF_ADDRESS.free {
            assert_eq!(admit(n, &format!("2001:db8::{n}")), Ok(()));
        }
        assert_eq!(admit(99, "2001:db8::99"), Err(OF_ADDRESS.first), "the same network");
        assert_eq!(throttle.admit(None, address("2001:db8::1"), clock.now()), Err(OF_ADDRESS.first));
        assert_eq!(admit(99, "2001:db8:0:1::99"), Ok(()));
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn a_success_frees_the_name_and_only_its_own_attempt_of_the_address() {
        let (throttle, clock) = (Throttle::default(), clock());
        let from = address("192.0.2.1");
        let (own, victim) = (name("own"), name("victim"));
        for _ in 1..OF_ADDRESS.free {
            throttle.admit(Some(&victim), from, clock.now()).unwrap();
            throttle.lock().names.tries.remove(&victim);
            throttle.admit(Some(&own), from, clock.now()).unwrap();
            throttle.succeeded(&own, from);
        }
        assert!(!throttle.lock().names.tries.contains_key(&own));
        throttle.admit(Some(&victim), from, clock.now()).unwrap();
        assert_eq!(throttle.admit(Some(&own), from, clock.now()), Err(OF_ADDRESS.first));
    }

    #[test]
    fn what_was_not_tried_counts_not() {
        let (throttle, clock) = (Throttle::default(), clock());
        let (name, from) = (name("budi"), address("192.0.2.1"));
        for _ in 0..100 {
            throttle.admit(Some(&name), from, clock.now()).unwrap();
            throttle.not_tried(Some(&name), from);
        }
        assert!(throttle.lock().names.tries.is_empty() && throttle.lock().addresses.tries.is_empty());
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let (throttle, clock) = (Throttle::remembering(3), clock());
        for n in 0..50 {
            let from = address(&format!("192.0.2.{n}"));
            throttle.admit(Some(&name(&format!("u{n}"))), from, clock.now()).unwrap();
            clock.advance(Duration::from_secs(1));
        }
        let counted = throttle.lock();
        let mut left: Vec<_> = counted.names.tries.keys().map(UserName::as_str).collect();
        left.sort_unstable();
        assert_eq!((left, counted.addresses.tries.len()), (vec!["u47", "u48", "u49"], 3));
    }
}
