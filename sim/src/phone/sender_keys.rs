//! Sender keys: with one, a device encrypts a group message once for all members.
//!
//! The phone keeps its own key of each group, remembers which devices have it, and learns the keys
//! of others from messages to it alone.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use rand::rngs::StdRng;
use wacore::libsignal::protocol::{
    SenderKeyDistributionMessage, SenderKeyName, SenderKeyRecord, SenderKeyStore, SignalProtocolError,
    create_sender_key_distribution_message, group_decrypt, group_encrypt, process_sender_key_distribution_message,
};

use super::signal_store::at_once;
use crate::account::DeviceAddress;
use crate::group::GroupId;

type Result<T> = std::result::Result<T, SignalProtocolError>;

/// Keys by group and sender. The library writes a record down as bytes and reads it back.
#[derive(Default)]
pub(super) struct Records(pub(super) HashMap<String, SenderKeyRecord>);

#[async_trait]
impl SenderKeyStore for Records {
    async fn store_sender_key(&mut self, name: &SenderKeyName, record: SenderKeyRecord) -> Result<()> {
        self.0.insert(name.cache_key().to_owned(), record);
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> Result<Option<SenderKeyRecord>> {
        Ok(self.0.get(name.cache_key()).cloned())
    }
}

fn name(group: GroupId, sender: DeviceAddress) -> SenderKeyName {
    SenderKeyName::from_parts(&group.to_string(), &format!("{}.{}", sender.account, sender.device))
}

/// The sender keys of one phone.
#[derive(Default)]
pub(super) struct SenderKeys {
    pub(super) records: Records,
    pub(super) given: HashMap<GroupId, BTreeSet<DeviceAddress>>,
}

impl SenderKeys {
    /// Takes the key of `sender` from a message that it sent to this phone alone.
    pub(super) fn learn(&mut self, group: GroupId, sender: DeviceAddress, distribution: &[u8]) -> Result<()> {
        let distribution = SenderKeyDistributionMessage::try_from(distribution)?;
        at_once(process_sender_key_distribution_message(&name(group, sender), &distribution, &mut self.records))
    }

    /// Opens a message that `sender` encrypted for all.
    pub(super) fn open(&mut self, group: GroupId, sender: DeviceAddress, ciphertext: &[u8]) -> Result<Vec<u8>> {
        at_once(group_decrypt(ciphertext, &mut self.records, &name(group, sender)))
    }

    /// The phone's own key, and which of the devices in `all` do not have it. If one has it that is
    /// not in the group any more, there is a new key, which nobody has.
    pub(super) fn distribute(
        &mut self,
        group: GroupId,
        own: DeviceAddress,
        all: &BTreeSet<DeviceAddress>,
        rng: &mut StdRng,
    ) -> Result<(Vec<u8>, Vec<DeviceAddress>)> {
        let given = self.given.entry(group).or_default();
        if !given.is_subset(all) {
            given.clear();
            self.records.0.remove(name(group, own).cache_key());
        }
        let lacking = all.difference(given).copied().collect();
        let distribution = at_once(create_sender_key_distribution_message(&name(group, own), &mut self.records, rng))?;
        Ok((distribution.serialized().to_vec(), lacking))
    }

    /// Notes that a device was sent the phone's own key.
    pub(super) fn note_given(&mut self, group: GroupId, device: DeviceAddress) {
        self.given.entry(group).or_default().insert(device);
    }

    /// Notes that a device does not have the phone's own key after all.
    pub(super) fn note_lacking(&mut self, group: GroupId, device: DeviceAddress) {
        self.given.entry(group).or_default().remove(&device);
    }

    /// Encrypts for all who have the phone's own key.
    pub(super) fn seal(
        &mut self,
        group: GroupId,
        own: DeviceAddress,
        plaintext: &[u8],
        rng: &mut StdRng,
    ) -> Result<Vec<u8>> {
        let sealed = at_once(group_encrypt(&mut self.records, &name(group, own), plaintext, rng))?;
        Ok(sealed.serialized().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn device(number: u64, device: u16) -> DeviceAddress {
        let account = crate::account::PhoneNumber::from_u64(15_551_230_000 + number).expect("a number");
        DeviceAddress { account, device }
    }

    fn group() -> GroupId {
        GroupId::nth(1)
    }

    struct Alice {
        keys: SenderKeys,
        rng: StdRng,
    }

    impl Alice {
        fn new() -> Self {
            Self { keys: SenderKeys::default(), rng: StdRng::seed_from_u64(1) }
        }

        fn distribute(&mut self, to: &[DeviceAddress]) -> (Vec<u8>, Vec<DeviceAddress>) {
            let all = to.iter().copied().collect();
            let (key, lacking) = self.keys.distribute(group(), device(1, 0), &all, &mut self.rng).expect("a key");
            for given in &lacking {
                self.keys.note_given(group(), *given);
            }
            (key, lacking)
        }

        fn seal(&mut self, text: &[u8]) -> Vec<u8> {
            self.keys.seal(group(), device(1, 0), text, &mut self.rng).expect("seals")
        }
    }

    #[test]
    fn a_key_opens_what_comes_after_it_once() {
        let (mut alice, mut bob) = (Alice::new(), SenderKeys::default());
        let (key, lacking) = alice.distribute(&[device(2, 0), device(3, 1)]);
        assert_eq!(lacking, [device(2, 0), device(3, 1)]);
        let (first, second) = (alice.seal(b"first"), alice.seal(b"second"));
        assert!(matches!(bob.open(group(), device(1, 0), &first), Err(SignalProtocolError::NoSenderKeyState(_))));
        bob.learn(group(), device(1, 0), &key).expect("a key");
        assert_eq!(bob.open(group(), device(1, 0), &second).expect("opens"), b"second");
        assert_eq!(bob.open(group(), device(1, 0), &first).expect("opens"), b"first");
        assert!(matches!(bob.open(group(), device(1, 0), &first), Err(SignalProtocolError::DuplicatedMessage(..))));
        assert!(bob.open(group(), device(1, 1), &second).is_err(), "the key is one device's");
        assert!(bob.open(GroupId::nth(2), device(1, 0), &second).is_err(), "and one group's");
    }

    #[test]
    fn only_newcomers_get_the_key_until_somebody_leaves() {
        let mut alice = Alice::new();
        let (first, _) = alice.distribute(&[device(2, 0), device(3, 0)]);
        assert_eq!(alice.distribute(&[device(2, 0), device(3, 0), device(4, 0)]).1, [device(4, 0)]);
        let (_, lacking) = alice.distribute(&[device(2, 0), device(4, 0)]);
        assert_eq!(lacking, [device(2, 0), device(4, 0)]);
        let mut gone = SenderKeys::default();
        gone.learn(group(), device(1, 0), &first).expect("a key");
        let later = alice.seal(b"later");
        assert!(gone.open(group(), device(1, 0), &later).is_err());
        alice.keys.note_lacking(group(), device(4, 0));
        assert_eq!(alice.distribute(&[device(2, 0), device(4, 0)]).1, [device(4, 0)]);
    }
}
