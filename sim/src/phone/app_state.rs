//! The account's name as its phone synchronises it: an encrypted patch, chained to those before it.
//!
//! Only this one setting is understood; whatever else devices synchronise passes by.

use wacore::appstate::decode::decode_record;
use wacore::appstate::encode::encode_record;
use wacore::appstate::hash::{HashState, generate_patch_mac};
use wacore::appstate::keys::{ExpandedAppStateKeys, expand_app_state_keys};
use waproto::whatsapp as wa;
use waproto::whatsapp::syncd_mutation::SyncdOperation;

/// The index of the setting, as clients know it.
const NAME_INDEX: &[u8] = br#"["setting_pushName"]"#;
/// The version of the setting's form.
const NAME_VERSION: i32 = 1;

/// The key of the synchronised state, and what its collection of names adds up to.
pub(crate) struct NameState {
    key_id: Vec<u8>,
    keys: ExpandedAppStateKeys,
    state: HashState,
    name: String,
}

impl NameState {
    pub(crate) fn new(key_id: Vec<u8>, key: &[u8]) -> Self {
        Self { key_id, keys: expand_app_state_keys(key), state: HashState::default(), name: String::new() }
    }

    /// The state under a key as linked devices have it.
    pub(crate) fn of(key: &wa::message::AppStateSyncKey) -> Self {
        let id = key.key_id.as_option().and_then(|id| id.key_id.clone()).unwrap_or_default();
        let data = key.key_data.as_option().and_then(|data| data.key_data.clone()).unwrap_or_default();
        Self::new(id, &data)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A patch that sets the name. `now` is in milliseconds since 1970.
    pub(crate) fn patch(
        &mut self,
        collection: &str,
        version: u64,
        name: &str,
        now: u64,
        iv: [u8; 16],
    ) -> wa::SyncdPatch {
        let value = wa::SyncActionValue {
            timestamp: Some(i64::try_from(now).unwrap_or(i64::MAX)),
            push_name_setting: wa::sync_action_value::PushNameSetting { name: Some(name.to_owned()) }.into(),
            ..Default::default()
        };
        let (mutation, _) =
            encode_record(SyncdOperation::SET, NAME_INDEX, &value, &self.keys, &self.key_id, &iv, NAME_VERSION);
        let mut patch = wa::SyncdPatch {
            version: wa::SyncdVersion { version: Some(version) }.into(),
            mutations: vec![mutation],
            key_id: wa::KeyId { id: Some(self.key_id.clone()) }.into(),
            ..Default::default()
        };
        self.advance(&patch, version);
        patch.snapshot_mac = Some(self.state.generate_snapshot_mac(collection, &self.keys.snapshot_mac));
        patch.patch_mac = Some(generate_patch_mac(&patch, collection, &self.keys.patch_mac, version));
        name.clone_into(&mut self.name);
        patch
    }

    /// Reads a device's patch of the same collection.
    pub(crate) fn read(&mut self, patch: &wa::SyncdPatch, version: u64) {
        self.advance(patch, version);
        for mutation in &patch.mutations {
            let Some(record) = mutation.record.as_option() else {
                continue;
            };
            match decode_record(SyncdOperation::SET, record, &self.keys, &self.key_id, true) {
                Ok((decoded, _)) if decoded.index == ["setting_pushName"] => {
                    let setting = decoded.action_value.and_then(|value| value.push_name_setting.into_option());
                    self.name = setting.and_then(|setting| setting.name).unwrap_or_default();
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "a phone can't read a synchronised setting"),
            }
        }
    }

    /// Adds a patch to what the collection adds up to.
    fn advance(&mut self, patch: &wa::SyncdPatch, version: u64) {
        let known = &self.state.index_value_map;
        let before = |index: &[u8]| known.get(&hex(index)).cloned();
        let found: Vec<Option<Vec<u8>>> = patch.mutations.iter().map(|mutation| before(index_of(mutation))).collect();
        self.state.version = version;
        let (_, outcome) = self.state.update_hash(&patch.mutations, |_, position| Ok(found[position].clone()));
        if let Err(error) = outcome {
            tracing::debug!(%error, "a synchronised patch does not add up");
        }
        for mutation in &patch.mutations {
            let value = mutation.record.as_option().and_then(|record| record.value.as_option()?.blob.as_deref());
            if let Some((_, mac)) = value.and_then(|value| value.split_last_chunk::<32>()) {
                self.state.index_value_map.insert(hex(index_of(mutation)), mac.to_vec());
            }
        }
    }
}

fn index_of(mutation: &wa::SyncdMutation) -> &[u8] {
    let index = mutation.record.as_option().and_then(|record| record.index.as_option()?.blob.as_deref());
    index.unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_set_by_one_side_is_read_by_the_other_and_both_stay_in_step() {
        let (mut phone, mut device) = (NameState::new(vec![1], &[7; 32]), NameState::new(vec![1], &[7; 32]));
        let first = phone.patch("critical_block", 1, "Anna", 5, [9; 16]);
        device.read(&first, 1);
        assert_eq!(device.name(), "Anna");
        let second = device.patch("critical_block", 2, "Anna B", 6, [9; 16]);
        phone.read(&second, 2);
        assert_eq!(phone.name(), "Anna B");
        assert_eq!(phone.state.hash, device.state.hash);
        assert_ne!(first.snapshot_mac, second.snapshot_mac);
    }

    #[test]
    fn a_patch_under_another_key_changes_no_name() {
        let mut phone = NameState::new(vec![1], &[7; 32]);
        phone.patch("critical_block", 1, "Anna", 5, [9; 16]);
        let foreign = NameState::new(vec![2], &[8; 32]).patch("critical_block", 2, "Eve", 5, [9; 16]);
        phone.read(&foreign, 2);
        assert_eq!(phone.name(), "Anna");
    }
}
