//! What an account has to do with other accounts: chats, blocks, tokens, privacy settings.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use super::PhoneNumber;
use crate::state::Base64;

/// The privacy settings that clients ask for, with the values of a new account. The names were seen
/// with whatsapp-rust 0.7, Baileys 7 and whatsmeow.
const SETTINGS: [(&str, &str); 9] = [
    ("last", "all"),
    ("online", "all"),
    ("profile", "all"),
    ("status", "contacts"),
    ("readreceipts", "all"),
    ("groupadd", "all"),
    ("calladd", "all"),
    ("messages", "all"),
    ("defense", "off"),
];
/// The values that such a setting may have.
const VALUES: [&str; 8] =
    ["all", "contacts", "contact_blacklist", "none", "match_last_seen", "known", "off", "on_standard"];

/// A token with which a contact shows that it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub bytes: [u8; 16],
    /// Seconds since 1970, as its issuer gave them.
    pub issued_at: u64,
    /// Whether the contact has shown it since.
    shown: bool,
}

/// How a shown token compares with the one that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It is the one, for the first time.
    First,
    /// It is the one, again.
    Again,
    /// It is not the one, or none was issued.
    Wrong,
}

#[derive(Debug, Default)]
struct Lists {
    chats: HashSet<PhoneNumber>,
    /// Blocked accounts, each under the address by which it was blocked.
    blocked: BTreeMap<PhoneNumber, Jid>,
    changed: BTreeMap<&'static str, &'static str>,
    tokens: HashMap<PhoneNumber, Token>,
}

/// The contacts of one account.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    lists: Mutex<Lists>,
    /// Whether they are others than when they were last saved.
    changed: AtomicBool,
}

/// Contacts as they are kept across restarts.
#[derive(Serialize, Deserialize)]
pub(crate) struct ContactsRecord {
    chats: BTreeSet<PhoneNumber>,
    blocked: BTreeMap<PhoneNumber, String>,
    settings: BTreeMap<String, String>,
    /// By contact: the token, when it was issued, and whether it was shown.
    tokens: BTreeMap<PhoneNumber, (Base64, u64, bool)>,
}

impl Contacts {
    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists, to be changed.
    fn change(&self) -> MutexGuard<'_, Lists> {
        let lists = self.lock();
        // Under the lock: a save that looks at them after this sees the change, or the mark.
        self.changed.store(true, Ordering::Release);
        lists
    }

    /// Whether they may have changed since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn record(&self) -> ContactsRecord {
        let lists = self.lock();
        let token = |token: &Token| (token.bytes.into(), token.issued_at, token.shown);
        ContactsRecord {
            chats: lists.chats.iter().copied().collect(),
            blocked: lists.blocked.iter().map(|(other, address)| (*other, address.to_string())).collect(),
            settings: lists.changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            tokens: lists.tokens.iter().map(|(other, own)| (*other, token(own))).collect(),
        }
    }

    /// Makes them what was kept.
    pub(crate) fn restore(&self, record: ContactsRecord) -> Result<(), String> {
        for (name, value) in &record.settings {
            self.set(name, value).ok_or_else(|| format!("the unknown privacy setting '{name}'"))?;
        }
        let mut lists = self.lock();
        lists.chats = record.chats.into_iter().collect();
        for (other, address) in record.blocked {
            let address = address.parse().map_err(|error| format!("the address of a block: {error}"))?;
            lists.blocked.insert(other, address);
        }
        for (other, (bytes, issued_at, shown)) in record.tokens {
            lists.tokens.insert(other, Token { bytes: bytes.array()?, issued_at, shown });
        }
        Ok(())
    }

    /// Notes that there is a chat with an account.
    pub(crate) fn met(&self, other: PhoneNumber) {
        if self.lock().chats.insert(other) {
            self.changed.store(true, Ordering::Release);
        }
    }

    /// Whether there is a chat with an account.
    pub(crate) fn has_met(&self, other: PhoneNumber) -> bool {
        self.lock().chats.contains(&other)
    }

    /// The accounts with which there is a chat.
    pub(crate) fn chats(&self) -> Vec<PhoneNumber> {
        self.lock().chats.iter().copied().collect()
    }

    /// Blocks an account, known by this address. Returns whether that changed anything.
    pub(crate) fn block(&self, other: PhoneNumber, address: Jid) -> bool {
        self.change().blocked.insert(other, address).is_none()
    }

    /// Takes a block back. Returns whether there was one.
    pub(crate) fn unblock(&self, other: PhoneNumber) -> bool {
        self.change().blocked.remove(&other).is_some()
    }

    /// Whether an account is blocked.
    pub(crate) fn blocks(&self, other: PhoneNumber) -> bool {
        let lists = self.lock();
        !lists.blocked.is_empty() && lists.blocked.contains_key(&other)
    }

    /// The addresses of all blocked accounts.
    pub(crate) fn blocked(&self) -> Vec<Jid> {
        self.lock().blocked.values().cloned().collect()
    }

    /// All privacy settings.
    pub(crate) fn settings(&self) -> Vec<(&'static str, &'static str)> {
        let lists = self.lock();
        SETTINGS.iter().map(|(name, value)| (*name, lists.changed.get(name).copied().unwrap_or(*value))).collect()
    }

    /// Changes a privacy setting; `None` when there is no such name or value.
    pub(crate) fn set(&self, name: &str, value: &str) -> Option<()> {
        let (name, _) = SETTINGS.into_iter().find(|(known, _)| *known == name)?;
        let value = VALUES.into_iter().find(|known| *known == value)?;
        self.change().changed.insert(name, value);
        Some(())
    }

    /// One privacy setting; empty when there is none of this name.
    pub(crate) fn setting(&self, name: &str) -> &'static str {
        self.settings().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value).unwrap_or_default()
    }

    /// Trusts an account with a new token.
    pub(crate) fn trust(&self, other: PhoneNumber, bytes: [u8; 16], issued_at: u64) {
        self.change().tokens.insert(other, Token { bytes, issued_at, shown: false });
    }

    /// Whether an account was trusted with a token.
    pub(crate) fn trusts(&self, other: PhoneNumber) -> bool {
        self.lock().tokens.contains_key(&other)
    }

    /// An account shows a token.
    pub(crate) fn shown(&self, other: PhoneNumber, bytes: &[u8]) -> Shown {
        match self.change().tokens.get_mut(&other) {
            Some(token) if token.bytes == bytes => {
                if std::mem::replace(&mut token.shown, true) {
                    Shown::Again
                } else {
                    Shown::First
                }
            }
            _ => Shown::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        text.parse().expect("a valid number")
    }

    #[test]
    fn a_block_is_known_by_its_number_whatever_its_address() {
        let (contacts, other) = (Contacts::default(), number("15551230002"));
        assert!(contacts.block(other, other.lid()));
        assert!(!contacts.block(other, other.jid()));
        assert!(contacts.blocks(other));
        assert_eq!(contacts.blocked(), [other.jid()]);
        assert!(contacts.unblock(other) && !contacts.unblock(other));
        assert!(!contacts.blocks(other));
    }

    #[test]
    fn settings_have_known_names_and_values_only() {
        let contacts = Contacts::default();
        assert_eq!(contacts.setting("last"), "all");
        assert_eq!(contacts.set("last", "none"), Some(()));
        assert_eq!(contacts.setting("last"), "none");
        assert_eq!(contacts.set("last", "sometimes"), None);
        assert_eq!(contacts.set("weight", "all"), None);
        assert_eq!(contacts.settings().len(), SETTINGS.len());
    }

    #[test]
    fn a_token_is_good_for_the_one_it_was_given_to_until_the_next_one() {
        let (contacts, friend, stranger) = (Contacts::default(), number("15551230002"), number("15551230003"));
        contacts.trust(friend, [1; 16], 5);
        assert_eq!(contacts.shown(friend, &[1; 16]), Shown::First);
        assert_eq!(contacts.shown(friend, &[1; 16]), Shown::Again);
        assert_eq!(contacts.shown(stranger, &[1; 16]), Shown::Wrong);
        contacts.trust(friend, [2; 16], 6);
        assert_eq!(contacts.shown(friend, &[1; 16]), Shown::Wrong);
        assert_eq!(contacts.shown(friend, &[2; 16]), Shown::First);
    }

    #[test]
    fn they_are_the_same_after_they_were_kept() {
        let (contacts, other) = (Contacts::default(), number("15551230002"));
        assert!(!contacts.take_changed());
        contacts.met(other);
        contacts.block(other, other.lid());
        contacts.set("last", "none").expect("a known setting");
        contacts.trust(other, [3; 16], 5);
        assert!(contacts.take_changed() && !contacts.take_changed());
        let json = serde_json::to_string(&contacts.record()).expect("writes");
        let again = Contacts::default();
        again.restore(serde_json::from_str(&json).expect("reads")).expect("as it was kept");
        assert!(again.has_met(other) && again.blocks(other) && again.trusts(other));
        assert_eq!((again.blocked(), again.setting("last")), (vec![other.lid()], "none"));
        assert_eq!(serde_json::to_string(&again.record()).expect("writes"), json);
        assert_eq!(again.shown(other, &[3; 16]), Shown::First);
    }
}
