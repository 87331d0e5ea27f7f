//! Until when a message may be sent again.
//!
//! A phone that could not read a message asks for it again, maybe much later, and the library sends what it finds among the
//! sent messages (`whatsapp-rust` 0.7, `retry.rs`). An OTP must not be found there when its time is over, by a later owner of
//! the session either; so the moment is stored with it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kurir_core::domain::Timestamp;

/// No Protobuf message begins with it: there is no field 0. So what has no moment is stored as it is.
const LIMITED: u8 = 0;
const FOREVER: Timestamp = Timestamp::from_millis(i64::MAX);
/// The mark and the moment, in milliseconds, big-endian.
const HEAD: usize = 1 + size_of::<i64>();

/// How long after its moment a message is surely not stored any more.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// The moments of messages that the library has not stored yet.
#[derive(Default)]
pub(super) struct Repeatable(Mutex<HashMap<String, Timestamp>>);

impl Repeatable {
    /// This message may be sent again until then.
    pub fn limit(&self, message: &str, not_after: Timestamp, now: Timestamp) {
        let mut moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of sends that failed before they were stored. One that is over may still be on its way to the store, which
        // would keep it without its moment.
        moments.retain(|_, not_after| not_after.plus(FORGOTTEN_AFTER) > now);
        moments.insert(message.to_owned(), not_after);
    }

    /// The message's moment, when it is stored.
    pub fn take(&self, message: &str) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(message)
    }
}

/// A message as it is stored.
pub(super) fn encode(message: &[u8], not_after: Option<Timestamp>) -> Bytes {
    let not_after = match not_after {
        Some(not_after) => not_after,
        None if message.first() == Some(&LIMITED) => FOREVER,
        None => return Bytes::copy_from_slice(message),
    };
    let mut stored = Vec::with_capacity(HEAD + message.len());
    stored.push(LIMITED);
    stored.extend(not_after.as_millis().to_be_bytes());
    stored.extend(message);
    stored.into()
}

/// Until when a stored message may be sent again, and the message.
pub(super) fn decode(stored: &[u8]) -> Option<(Option<Timestamp>, &[u8])> {
    let Some((&LIMITED, rest)) = stored.split_first() else { return Some((None, stored)) };
    let (millis, message) = rest.split_first_chunk()?;
    let not_after = Timestamp::from_millis(i64::from_be_bytes(*millis));
    Some(((not_after != FOREVER).then_some(not_after), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_what_was_stored_before_too() {
        let moment = Some(Timestamp::from_millis(1_795_904_130_865));
        for (message, not_after) in
            [(&b"\x0a\x02hi"[..], moment), (b"\x0a\x02hi", None), (b"", moment), (b"", None), (b"\0x", None)]
        {
            assert_eq!(decode(&encode(message, not_after)), Some((not_after, message)));
        }
        assert_eq!(decode(&[LIMITED, 1, 2]), None);
    }

    #[test]
    fn a_moment_is_kept_until_its_message_is_stored_or_it_is_long_over() {
        let (moments, at) = (Repeatable::default(), Timestamp::from_millis);
        let later = at(5).plus(FORGOTTEN_AFTER);
        moments.limit("A", later, at(0));
        moments.limit("B", at(5), at(0));
        moments.limit("C", later, later.minus(Duration::from_millis(1)));
        assert_eq!(moments.0.lock().unwrap().len(), 3, "B may be on its way to the store");
        moments.limit("C", later, later);
        assert_eq!((moments.take("A"), moments.take("A"), moments.take("B")), (Some(later), None, None));
    }
}
