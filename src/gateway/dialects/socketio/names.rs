//! Ids made of names.

use kurir_core::domain::SessionId;

/// Longest part of an id that comes from the name; what makes it unique is added.
const MOST: usize = 40;

/// What an id is called whose name has no letter that ids have.
const NAMELESS: &str = "session";

/// The id that says no more than a session's name does; `None` where the name makes none, or one that is reserved.
pub(super) fn plain(name: &str) -> Option<SessionId> {
    let stem = stem(name);
    if stem.is_empty() || stem == "default" { None } else { SessionId::new(stem).ok() }
}

/// An id for a name whose plain one is taken; `chance` makes it another one.
pub(super) fn unique(name: &str, chance: u128) -> Option<SessionId> {
    let stem = stem(name);
    let stem = if stem.is_empty() { NAMELESS } else { &stem };
    // 40 bits: two of the same name never meet, as few as there are.
    SessionId::new(format!("{stem}-{:010x}", chance >> 88)).ok()
}

/// A name's letters and digits in lower case, with a dash for whatever stands between.
fn stem(name: &str) -> String {
    let mut stem = String::new();
    for letter in name.chars() {
        if stem.len() >= MOST {
            break;
        }
        if letter.is_ascii_alphanumeric() {
            stem.push(letter.to_ascii_lowercase());
        } else if !stem.is_empty() && !stem.ends_with('-') {
            stem.push('-');
        }
    }
    stem.truncate(stem.trim_end_matches('-').len());
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_its_name() {
        let id = |name: &str| plain(name).map(String::from);
        assert_eq!(id("Nama Session").as_deref(), Some("nama-session"));
        assert_eq!(id("  Toko (Pusat) #1! ").as_deref(), Some("toko-pusat-1"));
        assert_eq!(id("Kasir Café"), Some("kasir-caf".to_owned()));
        assert_eq!(id(&"a".repeat(200)).map(|id| id.len()), Some(MOST));
        for none in ["", "---", "漢字", "Default"] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn a_name_twice_makes_two_ids() {
        let id = |name: &str, chance| unique(name, chance).map(String::from);
        assert_eq!(id("Toko", u128::MAX).as_deref(), Some("toko-ffffffffff"));
        assert_eq!(id("漢字", 0).as_deref(), Some("session-0000000000"));
        assert_eq!(id("default", 1 << 88).as_deref(), Some("default-0000000001"));
        assert_ne!(id("Toko", 1 << 88), id("Toko", 2 << 88));
        assert!(id(&"x".repeat(99), u128::MAX).is_some());
    }
}
