//! The messages of a phone in pieces of limited size, as they are kept across restarts: a busy phone
//! writes its latest piece, not all that it ever got.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::inbox::Inbox;
use crate::account::PhoneNumber;

const MESSAGES: &str = "inbox";
const COPIES: &str = "copies";

fn encode<T: Serialize>(kind: &str, all: &[T], index: usize, size: usize) -> Option<(String, Vec<u8>)> {
    let piece = all.chunks(size).nth(index)?;
    match serde_json::to_vec(piece) {
        Ok(content) => Some((format!("{kind}/{index:08}"), content)),
        Err(error) => {
            tracing::error!(%error, "messages can't be encoded");
            None
        }
    }
}

fn decode<T: DeserializeOwned>(content: &[u8]) -> Result<Vec<T>, String> {
    serde_json::from_slice(content).map_err(|error| error.to_string())
}

impl Inbox {
    /// The pieces that changed since the last call, or all: names and content.
    pub(super) fn take_changed_pieces(&mut self, size: usize, all: bool) -> Vec<(String, Vec<u8>)> {
        let mut pieces = Vec::new();
        let changed = std::mem::take(&mut self.changed);
        let mut last = None;
        for index in if all { (0..self.messages.len()).step_by(size).collect() } else { changed } {
            if last.replace(index / size) != Some(index / size) {
                pieces.extend(encode(MESSAGES, &self.messages, index / size, size));
            }
        }
        let first = if all { 0 } else { self.copies_saved };
        if first < self.copies.len() {
            for index in first / size..self.copies.len().div_ceil(size) {
                pieces.extend(encode(COPIES, &self.copies, index, size));
            }
        }
        self.copies_saved = self.copies.len();
        pieces
    }

    /// Whether this is the name of a piece.
    pub(crate) fn is_piece(name: &str) -> bool {
        name.split_once('/').is_some_and(|(kind, _)| kind == MESSAGES || kind == COPIES)
    }

    /// Whether a piece of this name is beyond the end.
    pub(super) fn has_no_piece(&self, name: &str, size: usize) -> bool {
        let length = match name.split_once('/') {
            Some((MESSAGES, _)) => self.messages.len(),
            Some((COPIES, _)) => self.copies.len(),
            _ => return false,
        };
        let index = name.split_once('/').and_then(|(_, index)| index.parse::<usize>().ok());
        index.is_some_and(|index| index >= length.div_ceil(size))
    }

    /// Adds a piece that was kept. Pieces come in the order of their names.
    pub(crate) fn add_piece(&mut self, name: &str, content: &[u8]) -> Result<(), String> {
        if name.starts_with(COPIES) {
            self.copies.extend(decode(content)?);
            self.copies_saved = self.copies.len();
            return Ok(());
        }
        for message in decode::<super::InboxMessage>(content)? {
            self.index.insert((message.from, message.id.clone()), self.messages.len());
            self.messages.push(message);
        }
        Ok(())
    }

    /// How often messages that are not shown could not be read.
    pub(super) fn unreadable_counts(&self) -> Vec<(PhoneNumber, String, u32)> {
        let mut counts: Vec<_> =
            self.unreadable.iter().map(|((from, id), count)| (*from, id.clone(), *count)).collect();
        counts.sort_unstable();
        counts
    }

    pub(super) fn set_unreadable_counts(&mut self, counts: Vec<(PhoneNumber, String, u32)>) {
        self.unreadable = counts.into_iter().map(|(from, id, count)| ((from, id), count)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::{InboxMessage, SentCopy};

    fn message(number: usize) -> InboxMessage {
        InboxMessage {
            id: number.to_string(),
            from: "15551230001".parse().expect("valid"),
            from_device: 1,
            group: None,
            text: None,
            content: None,
            first_at: 1,
            arrivals: 1,
            shown: 1,
        }
    }

    fn copy(number: usize) -> SentCopy {
        SentCopy { id: number.to_string(), to: String::new(), from_device: 1, text: None, at: 1 }
    }

    fn names(pieces: &[(String, Vec<u8>)]) -> Vec<&str> {
        pieces.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn only_what_changed_is_written_and_all_comes_back() {
        let mut inbox = Inbox::default();
        (0..5).for_each(|number| inbox.show(message(number)));
        inbox.keep_copy(copy(0));
        let mut kept: std::collections::BTreeMap<_, _> = inbox.take_changed_pieces(2, false).into_iter().collect();
        assert_eq!(
            kept.keys().collect::<Vec<_>>(),
            ["copies/00000000", "inbox/00000000", "inbox/00000001", "inbox/00000002"]
        );
        assert!(inbox.take_changed_pieces(2, false).is_empty());

        assert!(inbox.arrived_again(message(2).from, "2"));
        inbox.unreadable(message(3).from, "3");
        inbox.keep_copy(copy(1));
        inbox.keep_copy(copy(2));
        let changed = inbox.take_changed_pieces(2, false);
        assert_eq!(names(&changed), ["inbox/00000001", "copies/00000000", "copies/00000001"]);
        kept.extend(changed);
        assert_eq!(inbox.take_changed_pieces(2, true).len(), kept.len());

        let mut again = Inbox::default();
        for (name, content) in &kept {
            assert!(Inbox::is_piece(name) && !inbox.has_no_piece(name, 2));
            again.add_piece(name, content).expect("as it was written");
        }
        assert_eq!((again.messages(), again.copies()), (inbox.messages(), inbox.copies()));
        assert!(again.take_changed_pieces(2, false).is_empty());
        assert!(again.arrived_again(message(4).from, "4"), "ids are known again");
    }

    #[test]
    fn pieces_beyond_the_end_are_noticed() {
        let mut inbox = Inbox::default();
        inbox.show(message(0));
        assert!(!inbox.has_no_piece("inbox/00000000", 2));
        assert!(inbox.has_no_piece("inbox/00000001", 2) && inbox.has_no_piece("copies/00000000", 2));
        assert!(!inbox.has_no_piece("mail/1", 2));
    }
}
