//! Looks through the bytes of a stanza before they are decoded, for addresses within addresses.
//!
//! The library's decoder calls itself for the parts of an address, without a bound: a frame of a few thousand address
//! marks would overflow the stack and end the whole process. No client ever nests them. Everything else is left to the
//! decoder: where these bytes make no sense, it says so.

use wacore_binary::token::{
    AD_JID, BINARY_8, BINARY_20, BINARY_32, DICTIONARY_0, DICTIONARY_3, FB_JID, HEX_8, INTEROP_JID, JID_PAIR, LIST_8,
    LIST_16, NIBBLE_8,
};

/// An address stands where a part of an address was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address within an address")]
pub(crate) struct NestedAddress;

/// What comes next.
enum Next {
    /// A list that is a node.
    Node,
    /// The values of a node that has been begun, and whether content follows them.
    Values { left: usize, content: bool },
    /// Nodes of a list.
    Nodes(usize),
}

/// Checks a whole stanza.
pub(crate) fn check(bytes: &[u8]) -> Result<(), NestedAddress> {
    let mut bytes = Bytes(bytes);
    let mut ahead = vec![Next::Node];
    while let Some(next) = ahead.pop() {
        let known = match next {
            Next::Node => bytes.node(&mut ahead),
            Next::Nodes(left) => {
                if left > 0 {
                    ahead.push(Next::Nodes(left - 1));
                    ahead.push(Next::Node);
                }
                Some(())
            }
            Next::Values { left: 0, content: false } => Some(()),
            Next::Values { left: 0, content: true } => bytes.content(&mut ahead)?,
            Next::Values { left, content } => {
                ahead.push(Next::Values { left: left - 1, content });
                bytes.value()?
            }
        };
        if known.is_none() {
            // Cut short or nonsense: the decoder stops here as well.
            return Ok(());
        }
    }
    Ok(())
}

/// `None` wherever the bytes end or make no sense.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        (0..bytes).try_fold(0, |number, _| Some(number << 8 | usize::from(self.byte()?)))
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    fn list(&mut self, tag: u8) -> Option<usize> {
        match tag {
            LIST_8 => self.number(1),
            LIST_16 => self.number(2),
            _ => None,
        }
    }

    fn node(&mut self, ahead: &mut Vec<Next>) -> Option<()> {
        let tag = self.byte()?;
        let size = self.list(tag).filter(|size| *size > 0)?;
        // The tag's name, then pairs, then perhaps the content.
        ahead.push(Next::Values { left: 1 + (size - 1) / 2 * 2, content: size % 2 == 0 });
        Some(())
    }

    fn content(&mut self, ahead: &mut Vec<Next>) -> Result<Option<()>, NestedAddress> {
        let Some(tag) = self.byte() else {
            return Ok(None);
        };
        if matches!(tag, LIST_8 | LIST_16) {
            return Ok(self.list(tag).map(|size| ahead.push(Next::Nodes(size))));
        }
        self.tagged(tag)
    }

    fn value(&mut self) -> Result<Option<()>, NestedAddress> {
        match self.byte() {
            None => Ok(None),
            Some(tag) => self.tagged(tag),
        }
    }

    /// A value, or an address with its parts: what stands before the user, and between user and server.
    fn tagged(&mut self, tag: u8) -> Result<Option<()>, NestedAddress> {
        let (before, between, server) = match tag {
            JID_PAIR => (0, 0, true),
            AD_JID => (2, 0, false),
            FB_JID => (0, 2, true),
            INTEROP_JID => (0, 4, true),
            tag => return Ok(self.plain(tag)),
        };
        let mut known = self.skip(before);
        if known.is_some() {
            known = self.part()?;
        }
        if known.is_some() && server {
            known = self.skip(between);
            if known.is_some() {
                known = self.part()?;
            }
        }
        Ok(known)
    }

    /// A part of an address.
    fn part(&mut self) -> Result<Option<()>, NestedAddress> {
        match self.byte() {
            Some(JID_PAIR | AD_JID | FB_JID | INTEROP_JID) => Err(NestedAddress),
            Some(tag) => Ok(self.plain(tag)),
            None => Ok(None),
        }
    }

    fn plain(&mut self, tag: u8) -> Option<()> {
        let length = match tag {
            BINARY_8 => self.number(1)?,
            // Twenty bits.
            BINARY_20 => self.number(3)? & 0xf_ffff,
            BINARY_32 => self.number(4)?,
            NIBBLE_8 | HEX_8 => self.number(1)? & 0x7f,
            DICTIONARY_0..=DICTIONARY_3 => 1,
            LIST_8 | LIST_16 => return None,
            _ => 0,
        };
        self.skip(length)
    }
}

#[cfg(test)]
mod tests {
    use wacore_binary::builder::NodeBuilder;
    use wacore_binary::marshal::{marshal, unmarshal_ref};
    use wacore_binary::{Jid, Node};

    use super::*;

    fn plain(node: &Node) -> Vec<u8> {
        let written = marshal(node).expect("a stanza can be written");
        wacore_binary::util::unpack(&written).expect("what was written unpacks").into_owned()
    }

    #[test]
    fn an_address_within_an_address_is_found_wherever_it_stands() {
        for tag in [JID_PAIR, FB_JID, INTEROP_JID] {
            let tags = vec![tag; 100_000];
            assert_eq!(check(&[&[LIST_8, 1], &tags[..]].concat()), Err(NestedAddress), "as a tag's name");
            assert_eq!(check(&[&[LIST_8, 2, 5], &tags[..]].concat()), Err(NestedAddress), "as the content");
            assert_eq!(check(&[&[LIST_8, 3, 5, 6], &tags[..]].concat()), Err(NestedAddress), "as an attribute");
            assert_eq!(check(&[&[LIST_8, 2, 5, LIST_16, 0, 1, LIST_8, 2, 5], &tags[..]].concat()), Err(NestedAddress));
        }
        assert_eq!(check(&[LIST_8, 1, AD_JID, 0, 0, AD_JID, 0, 0, 5]), Err(NestedAddress));
        assert_eq!(check(&[LIST_8, 1, JID_PAIR, 5, JID_PAIR, 5, 6]), Err(NestedAddress), "as the server");
    }

    #[test]
    fn stanzas_of_all_kinds_pass_to_their_last_byte() {
        let lid: Jid = "100000012345678:3@lid".parse().expect("an address");
        let leaf = NodeBuilder::new("enc").attr("v", "2").bytes(vec![JID_PAIR; 300]).build();
        let texts = NodeBuilder::new("x").attr("long", "é".repeat(200)).attr("digits", "1234567890").build();
        let to = NodeBuilder::new("to").attr("jid", Jid::pn("15551230001")).children([leaf, texts]).build();
        let node = NodeBuilder::new("message").attr("from", lid).attr("id", "3EB0").children([to]).build();
        let bytes = plain(&node);
        assert_eq!(check(&bytes), Ok(()));
        // Whatever is put after it is seen, so the walk has gone through all of it.
        let mut list = vec![LIST_8, 2, 5, LIST_8, 2];
        list.extend_from_slice(&bytes);
        list.extend_from_slice(&[LIST_8, 1, JID_PAIR, JID_PAIR]);
        assert_eq!(check(&list), Err(NestedAddress));
    }

    #[test]
    fn what_is_cut_short_or_nonsense_is_left_to_the_decoder() {
        let bytes = plain(&NodeBuilder::new("iq").attr("to", Jid::pn("15551230001")).bytes(vec![7; 40]).build());
        for length in 0..bytes.len() {
            assert_eq!(check(&bytes[..length]), Ok(()));
            assert!(unmarshal_ref(&bytes[..length]).is_err());
        }
        assert_eq!(check(&[JID_PAIR, JID_PAIR]), Ok(()));
    }
}
