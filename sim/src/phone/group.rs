//! Group messages on a phone.

use std::collections::BTreeSet;
use std::sync::Arc;

use wacore::libsignal::protocol::SignalProtocolError;
use wacore::messages::{MessageUtils, decode_plaintext};
use wacore::proto_helpers::MessageExt;
use waproto::whatsapp as wa;

use super::actor::{Phone, Reaction, signal_address};
use super::inbox::SentCopy;
use super::signal_store::EncKind;
use crate::account::{DeviceAddress, PhoneNumber};
use crate::group::GroupId;

/// A group message as it reached the phone.
#[derive(Debug)]
pub(crate) struct GroupEnvelope {
    pub group: GroupId,
    pub from: DeviceAddress,
    /// Whether the phone's own account sent it.
    pub own: bool,
    pub id: String,
    /// What is for this phone alone: the sender's key, or the message once more.
    pub pairwise: Option<(EncKind, Vec<u8>)>,
    /// What is for all.
    pub broadcast: Option<Arc<[u8]>>,
}

/// What a phone sends to devices that lack its key, before a message for all.
pub(crate) struct Distribution {
    /// To be sealed for each of `lacking`.
    pub plaintext: Vec<u8>,
    pub lacking: Vec<DeviceAddress>,
}

enum Opened {
    Message(Box<wa::Message>),
    Replayed,
}

impl Phone {
    /// Takes an arriving group message. `now` is in milliseconds since 1970.
    pub(crate) fn receive_in_group(&mut self, envelope: &GroupEnvelope, now: u64) -> Reaction {
        let GroupEnvelope { group, from, own, id, .. } = envelope;
        if !own && self.asks_again(from.account, id) {
            return self.unreadable(from.account, id, "asks for a retry by its settings".into());
        }
        match self.open_group_message(envelope) {
            Ok(Opened::Message(message)) if *own => {
                self.inbox.keep_copy(SentCopy {
                    id: id.clone(),
                    to: group.to_string(),
                    from_device: from.device,
                    text: message.text_content().map(str::to_owned),
                    at: now,
                });
                Reaction::Silent
            }
            Ok(Opened::Message(message)) => self.open(*from, id, *message, Some(*group), now),
            Ok(Opened::Replayed) => Reaction::Replayed { shown_before: self.inbox.arrived_again(from.account, id) },
            Err(reason) => self.unreadable(from.account, id, reason),
        }
    }

    fn open_group_message(&mut self, envelope: &GroupEnvelope) -> Result<Opened, String> {
        let GroupEnvelope { group, from, pairwise, broadcast, .. } = envelope;
        let alone = pairwise.as_ref().map(|(kind, ciphertext)| self.open_pairwise(*group, *from, *kind, ciphertext));
        let Some(ciphertext) = broadcast else {
            return alone.unwrap_or_else(|| Err("it has nothing for this phone".into()));
        };
        match self.sender_keys.open(*group, *from, ciphertext) {
            Ok(plaintext) => {
                let message = decode_plaintext(&plaintext, 2).map_err(|error| error.to_string())?;
                Ok(Opened::Message(Box::new(message)))
            }
            Err(SignalProtocolError::DuplicatedMessage(..)) => Ok(Opened::Replayed),
            // Why the key did not come says more than that it is missing.
            Err(error) => Err(match alone {
                Some(Err(reason)) => reason,
                _ => error.to_string(),
            }),
        }
    }

    /// Opens what is for this phone alone and learns the sender's key if it holds one.
    fn open_pairwise(
        &mut self,
        group: GroupId,
        from: DeviceAddress,
        kind: EncKind,
        ciphertext: &[u8],
    ) -> Result<Opened, String> {
        let plaintext = match self.signal.decrypt(&signal_address(from), kind, ciphertext) {
            Ok(plaintext) => plaintext,
            Err(SignalProtocolError::DuplicatedMessage(..)) => return Ok(Opened::Replayed),
            Err(error) => return Err(error.to_string()),
        };
        let message: wa::Message = decode_plaintext(&plaintext, 2).map_err(|error| error.to_string())?;
        if let Some(distribution) = message.sender_key_distribution_message.as_option() {
            if distribution.group_id.as_deref() != Some(group.to_string().as_str()) {
                return Err("it brings a key for another group".into());
            }
            let key = distribution.axolotl_sender_key_distribution_message.as_deref().unwrap_or_default();
            self.sender_keys.learn(group, from, key).map_err(|error| error.to_string())?;
        }
        Ok(Opened::Message(Box::new(message)))
    }

    /// Begins a group message: an id and the plaintext to seal for all. `own` is the phone's number.
    pub(crate) fn write_in_group(
        &mut self,
        own: PhoneNumber,
        group: GroupId,
        message: &wa::Message,
        now: u64,
    ) -> (String, Vec<u8>) {
        let (id, plaintext) = self.write(own, message, now);
        self.note_group(group);
        (id, plaintext)
    }

    /// The phone's key of a group, for those of the devices in `all` that lack it.
    pub(crate) fn distribute(
        &mut self,
        own: PhoneNumber,
        group: GroupId,
        all: &BTreeSet<DeviceAddress>,
    ) -> Result<Distribution, SignalProtocolError> {
        let own = DeviceAddress { account: own, device: 0 };
        let (key, lacking) = self.sender_keys.distribute(group, own, all, self.signal.rng())?;
        let distribution = wa::message::SenderKeyDistributionMessage {
            group_id: Some(group.to_string()),
            axolotl_sender_key_distribution_message: Some(key),
        };
        let message = wa::Message { sender_key_distribution_message: distribution.into(), ..Default::default() };
        Ok(Distribution { plaintext: MessageUtils::encode_and_pad(&message), lacking })
    }

    /// Notes that a device was sent the phone's key of a group.
    pub(crate) fn note_given(&mut self, group: GroupId, device: DeviceAddress) {
        self.sender_keys.note_given(group, device);
    }

    /// Notes that a device lacks the phone's key of a group.
    pub(crate) fn note_lacking(&mut self, group: GroupId, device: DeviceAddress) {
        self.sender_keys.note_lacking(group, device);
    }

    /// Seals a plaintext for all who have the phone's key of a group.
    pub(crate) fn seal_for_group(
        &mut self,
        own: PhoneNumber,
        group: GroupId,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SignalProtocolError> {
        let own = DeviceAddress { account: own, device: 0 };
        self.sender_keys.seal(group, own, plaintext, self.signal.rng())
    }
}
