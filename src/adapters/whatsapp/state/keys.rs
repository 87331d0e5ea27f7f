//! Where each kind of state lies: the areas of the state store and the spelling of the keys in them.
//!
//! These words are stored, so they never change their meaning. Keys sort bytewise in the store; numbers are padded so
//! that this is their own order.

use std::borrow::Cow;
use std::collections::BTreeSet;

use kurir_core::domain::PhoneNumber;
use kurir_core::port::{StateKey, StateValue};

/// The device: credentials, identity, counters. One value, key `""`.
pub const DEVICE: &str = "device";
/// Identity keys of others, by Signal address.
pub const IDENTITY: &str = "identity";
/// Signal sessions, by Signal address.
pub const SESSION: &str = "session";
/// One-time pre-keys, by number.
pub const PREKEY: &str = "prekey";
/// Signed pre-keys, by number.
pub const SIGNED_PREKEY: &str = "signed_prekey";
/// Group sender keys, by group and sender.
pub const SENDER_KEY: &str = "sender_key";
/// Which device of a group has our sender key, by group and device.
pub const SENDER_KEY_DEVICE: &str = "sender_key_device";
/// App-state keys, by the key's id in hexadecimal.
pub const SYNC_KEY: &str = "sync_key";
/// The id of the app-state key that came last. One value, key `""`.
pub const SYNC_KEY_LATEST: &str = "sync_key_latest";
/// App-state versions, by collection.
pub const SYNC_VERSION: &str = "sync_version";
/// App-state MACs, by collection and index MAC in hexadecimal.
pub const SYNC_MAC: &str = "sync_mac";
/// What is known of a LID, by LID.
pub const LID: &str = "lid";
/// The LID of a phone number, by number.
pub const LID_OF_PHONE: &str = "lid_of_phone";
/// Base keys seen in retries, by Signal address and message id.
pub const BASE_KEY: &str = "base_key";
/// Device lists, by user.
pub const DEVICE_LIST: &str = "device_list";
/// Group metadata, by group.
pub const GROUP: &str = "group";
/// Privacy tokens, by contact.
pub const TC_TOKEN: &str = "tc_token";
/// Messages sent, kept for the recipient's request to encrypt them again, by chat and message id.
pub const SENT: &str = "sent";
/// Messages received that nobody has stored yet, by chat, sender and message id.
pub const INBOUND: &str = "inbound";
/// Message secrets, by chat, sender and message id.
pub const MSG_SECRET: &str = "msg_secret";

/// A key of one part, spelt as it is.
pub fn plain(area: &'static str, part: &str) -> StateKey {
    StateKey::new(area, part)
}

/// The key of an area's only value.
pub fn only(area: &'static str) -> StateKey {
    StateKey::new(area, "")
}

/// A key of a number.
pub fn number(area: &'static str, id: u32) -> StateKey {
    StateKey::new(area, format!("{id:010}"))
}

/// Reads back the number of a key; `None` when it is not one that [`number`] wrote.
pub fn read_number(key: &str) -> Option<u32> {
    key.parse().ok()
}

/// A key of several parts, joined with `/`. A `/` or `%` within a part is escaped, so that no two lists of parts give
/// the same key.
pub fn joined(area: &'static str, parts: &[&str]) -> StateKey {
    StateKey::new(area, parts.iter().map(|part| escape(part)).collect::<Vec<_>>().join("/"))
}

/// The start of all keys whose first part is this one.
pub fn prefix(part: &str) -> String {
    format!("{}/", escape(part))
}

/// The part that follows the first one.
pub fn second_part(key: &str) -> Option<String> {
    key.split('/').nth(1).map(|part| part.replace("%2F", "/").replace("%25", "%"))
}

/// Bytes as text.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn escape(part: &str) -> Cow<'_, str> {
    if part.contains(['/', '%']) {
        Cow::Owned(part.replace('%', "%25").replace('/', "%2F"))
    } else {
        Cow::Borrowed(part)
    }
}

/// The numbers that a state names: candidates for whom the session has written to, and others. Keys of these areas begin with
/// the digits of a number, or of an id that stands for one.
pub fn numbers_in_state(state: &[StateValue]) -> BTreeSet<PhoneNumber> {
    const NAMING: [&str; 4] = [SESSION, IDENTITY, LID_OF_PHONE, DEVICE_LIST];
    let named = state.iter().filter(|value| NAMING.contains(&value.area.as_str()));
    let digits = named.map(|value| value.key.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    digits.filter_map(|digits| PhoneNumber::from_digits(digits.to_owned()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lists_of_parts_share_a_key() {
        let keys = [&["a/b", "c"][..], &["a", "b/c"], &["a", "b", "c"], &["a%2Fb", "c"], &["a%", "b"], &["a", "%b"]]
            .map(|parts| joined("x", parts).key);
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(key), "{key} twice");
        }
    }

    #[test]
    fn a_part_is_read_as_it_was_written() {
        for part in ["1203@g.us", "a/b", "%2F", "%", "%25/"] {
            let key = joined("x", &["first/", part]);
            assert!(key.key.starts_with(&prefix("first/")));
            assert_eq!(second_part(&key.key).as_deref(), Some(part));
        }
    }

    #[test]
    fn numbers_sort_as_numbers() {
        assert!(number("x", 9).key < number("x", 10).key);
        assert!(number("x", 999_999).key < number("x", u32::MAX).key);
        assert_eq!(read_number(&number("x", 42).key), Some(42));
    }
}
