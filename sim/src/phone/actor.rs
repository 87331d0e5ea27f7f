//! One phone: it opens what arrives, keeps its inbox, decides how to answer, and writes messages.

use std::collections::HashSet;

use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use wacore::libsignal::protocol::{
    CurveError, IdentityKey, IdentityKeyPair, PreKeyBundle, ProtocolAddress, PublicKey, SignalProtocolError,
};
use wacore::messages::{MessageUtils, decode_plaintext};
use wacore::proto_helpers::MessageExt;
use waproto::whatsapp as wa;

use super::activity::Activity;
use super::app_state::NameState;
use super::content::{Content, Download};
use super::inbox::{Inbox, InboxMessage, OutgoingMessage, SentCopy};
use super::sender_keys::SenderKeys;
use super::signal_store::{EncKind, PhoneBundle, SignalStore};
use crate::account::{DeviceAddress, PhoneNumber};
use crate::config::ReceiptDelays;
use crate::group::GroupId;
use crate::media::Attachment;

/// How many of its own messages a phone can send again on request.
const RESENDABLE: usize = 1000;

/// What a single phone does differently from the simulator's rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PhoneBehaviour {
    /// Milliseconds from arrival to the delivery receipt.
    pub delivered_after_ms: Option<u64>,
    /// Milliseconds from arrival to the read receipt.
    pub read_after_ms: Option<u64>,
    /// Never send a delivery receipt.
    pub never_delivered: bool,
    /// Never send a read receipt.
    pub never_read: bool,
    /// Ask for each new message a second time, as a phone does that can't decrypt.
    pub asks_for_retry: bool,
}

impl PhoneBehaviour {
    /// The delays in force, given the simulator's rule.
    pub(crate) fn delays(&self, rule: ReceiptDelays) -> ReceiptDelays {
        let millis = std::time::Duration::from_millis;
        let pick = |never: bool, own: Option<u64>, rule| {
            if never { None } else { own.map(millis).or(rule) }
        };
        ReceiptDelays {
            delivered: pick(self.never_delivered, self.delivered_after_ms, rule.delivered),
            read: pick(self.never_read, self.read_after_ms, rule.read),
        }
    }
}

/// An encrypted message that reached the phone.
pub(crate) struct Envelope {
    pub from: DeviceAddress,
    pub id: String,
    pub kind: EncKind,
    pub ciphertext: Vec<u8>,
}

/// What the phone made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// New and readable.
    Shown,
    /// Readable, but its id was shown before.
    Duplicate,
    /// A copy of what an own linked device sent, or something without content for the owner.
    Silent,
    /// Encrypted with a message key that was used before.
    Replayed { shown_before: bool },
    /// Not readable; the phone asks for it again, for the `count`th time.
    Unreadable { count: u32, reason: String, bundle: Box<PhoneBundle> },
}

pub(super) struct Written {
    pub(super) message: OutgoingMessage,
    pub(super) plaintext: Vec<u8>,
}

/// The state of one phone.
pub(crate) struct Phone {
    pub(super) signal: SignalStore,
    pub(super) sender_keys: SenderKeys,
    pub(super) inbox: Inbox,
    pub(super) written: Vec<Written>,
    /// Ids for which a retry was asked on purpose.
    pub(super) asked: HashSet<(PhoneNumber, String)>,
    pub(super) app_state_key: Option<(wa::message::AppStateSyncKey, NameState)>,
    /// The file of the message that was shown last, until it is downloaded.
    attachment: Option<Attachment>,
    pub(super) raw_id: u32,
    pub activity: Activity,
    pub behaviour: PhoneBehaviour,
}

pub(super) fn signal_address(address: DeviceAddress) -> ProtocolAddress {
    ProtocolAddress::new(&address.account.to_string(), u32::from(address.device).into())
}

impl Phone {
    pub(crate) fn new(rng: StdRng, behaviour: PhoneBehaviour) -> Result<Self, CurveError> {
        let mut signal = SignalStore::generate(rng)?;
        let raw_id = u32::from_be_bytes(signal.random()) >> 1;
        Ok(Self::with_signal(signal, raw_id, behaviour))
    }

    /// A phone with these keys that did nothing yet.
    pub(super) fn with_signal(signal: SignalStore, raw_id: u32, behaviour: PhoneBehaviour) -> Self {
        Self {
            signal,
            sender_keys: SenderKeys::default(),
            inbox: Inbox::default(),
            written: Vec::new(),
            asked: HashSet::new(),
            app_state_key: None,
            attachment: None,
            raw_id,
            activity: Activity::default(),
            behaviour,
        }
    }

    /// The pieces of its messages that changed since the last call, or all: names and content.
    pub(crate) fn take_changed_pieces(&mut self, size: usize, all: bool) -> Vec<(String, Vec<u8>)> {
        self.inbox.take_changed_pieces(size, all)
    }

    /// Whether a piece has this name that it does not have any more.
    pub(crate) fn has_no_piece(&self, name: &str, size: usize) -> bool {
        self.inbox.has_no_piece(name, size)
    }

    pub(crate) fn identity(&self) -> &IdentityKeyPair {
        self.signal.identity()
    }

    pub(crate) fn rng(&mut self) -> &mut StdRng {
        self.signal.rng()
    }

    /// Names this phone's generation of linked devices.
    pub(crate) fn raw_id(&self) -> u32 {
        self.raw_id
    }

    pub(crate) fn bundle(&mut self) -> PhoneBundle {
        self.signal.bundle()
    }

    /// The phone's bundle in the form in which another phone uses it.
    pub(crate) fn published(&mut self) -> Result<PreKeyBundle, SignalProtocolError> {
        let bundle = self.signal.bundle();
        PreKeyBundle::new(
            bundle.registration_id,
            0.into(),
            Some((bundle.one_time_id.into(), PublicKey::from_djb_public_key_bytes(&bundle.one_time)?)),
            bundle.signed_id.into(),
            PublicKey::from_djb_public_key_bytes(&bundle.signed)?,
            bundle.signature.to_vec(),
            IdentityKey::new(PublicKey::from_djb_public_key_bytes(&bundle.identity)?),
        )
    }

    pub(crate) fn messages(&self) -> &[InboxMessage] {
        self.inbox.messages()
    }

    pub(crate) fn copies(&self) -> &[SentCopy] {
        self.inbox.copies()
    }

    pub(crate) fn outgoing(&self) -> Vec<OutgoingMessage> {
        self.written.iter().map(|written| written.message.clone()).collect()
    }

    /// Takes an arriving message. `now` is in milliseconds since 1970.
    pub(crate) fn receive(&mut self, envelope: &Envelope, now: u64) -> Reaction {
        let Envelope { from, id, kind, ciphertext } = envelope;
        if self.asks_again(from.account, id) {
            return self.unreadable(from.account, id, "asks for a retry by its settings".into());
        }
        let opened = match self.signal.decrypt(&signal_address(*from), *kind, ciphertext) {
            Ok(opened) => opened,
            Err(SignalProtocolError::DuplicatedMessage(..)) => {
                return Reaction::Replayed { shown_before: self.inbox.arrived_again(from.account, id) };
            }
            Err(error) => return self.unreadable(from.account, id, error.to_string()),
        };
        match decode_plaintext(&opened, 2) {
            Ok(message) => self.open(*from, id, message, None, now),
            Err(error) => self.unreadable(from.account, id, error.to_string()),
        }
    }

    /// Whether the phone is set to ask for this message again, and has not done so.
    pub(super) fn asks_again(&mut self, from: PhoneNumber, id: &str) -> bool {
        self.behaviour.asks_for_retry && self.asked.insert((from, id.to_owned()))
    }

    pub(super) fn unreadable(&mut self, from: PhoneNumber, id: &str, reason: String) -> Reaction {
        let count = self.inbox.unreadable(from, id);
        Reaction::Unreadable { count, reason, bundle: Box::new(self.signal.bundle()) }
    }

    /// Shows what a message holds, once.
    pub(super) fn open(
        &mut self,
        from: DeviceAddress,
        id: &str,
        mut message: wa::Message,
        group: Option<GroupId>,
        now: u64,
    ) -> Reaction {
        if let Some(copy) = message.device_sent_message.take() {
            let text = copy.message.as_option().and_then(|inner| inner.text_content()).map(str::to_owned);
            self.inbox.keep_copy(SentCopy {
                id: id.to_owned(),
                to: copy.destination_jid.unwrap_or_default(),
                from_device: from.device,
                text,
                at: now,
            });
            return Reaction::Silent;
        }
        let (content, attachment) = Content::of(&message).unzip();
        if message.protocol_message.is_set() && content.is_none() {
            return Reaction::Silent;
        }
        if self.inbox.arrived_again(from.account, id) {
            return Reaction::Duplicate;
        }
        self.inbox.show(InboxMessage {
            id: id.to_owned(),
            from: from.account,
            from_device: from.device,
            group,
            text: message.text_content().map(str::to_owned),
            content,
            first_at: now,
            arrivals: 1,
            shown: 1,
        });
        self.attachment = attachment.flatten();
        Reaction::Shown
    }

    /// The file of the message that was just shown, to be downloaded.
    pub(crate) fn take_attachment(&mut self) -> Option<Attachment> {
        self.attachment.take()
    }

    /// Notes what became of the download of a message's file.
    pub(crate) fn downloaded(&mut self, from: PhoneNumber, id: &str, outcome: Download) {
        self.inbox.downloaded(from, id, outcome);
    }

    /// Begins a message: an id and the plaintext to seal for each device.
    pub(crate) fn write(&mut self, to: PhoneNumber, message: &wa::Message, now: u64) -> (String, Vec<u8>) {
        let id = self.new_id();
        let plaintext = MessageUtils::encode_and_pad(message);
        let text = message.text_content().or_else(|| message.get_caption()).unwrap_or_default().to_owned();
        if self.written.len() == RESENDABLE {
            self.written.remove(0);
        }
        let message = OutgoingMessage {
            id: id.clone(),
            to,
            group: None,
            text,
            at: now,
            delivered: false,
            read: false,
            retries: 0,
        };
        self.written.push(Written { message, plaintext: plaintext.clone() });
        (id, plaintext)
    }

    /// Notes that the message written last went to a group.
    pub(super) fn note_group(&mut self, group: GroupId) {
        if let Some(written) = self.written.last_mut() {
            written.message.group = Some(group);
        }
    }

    /// The plaintext for own linked devices: the message with the chat it went to.
    pub(crate) fn copy_of(message: wa::Message, to: PhoneNumber) -> Vec<u8> {
        MessageUtils::encode_and_pad(&wacore::messages::wrap_device_sent(message, to.jid().to_string()))
    }

    /// Notes that a device of the recipient has message `id`.
    pub(crate) fn confirm(&mut self, id: &str, read: bool) {
        if let Some(written) = self.written.iter_mut().rev().find(|written| written.message.id == id) {
            written.message.delivered = true;
            written.message.read |= read;
        }
    }

    /// The plaintext of `id`, for a device that asks for it again.
    pub(crate) fn again(&mut self, id: &str) -> Option<Vec<u8>> {
        let written = self.written.iter_mut().rev().find(|written| written.message.id == id)?;
        written.message.retries += 1;
        Some(written.plaintext.clone())
    }

    pub(crate) fn has_session(&self, with: DeviceAddress) -> bool {
        self.signal.has_session(&signal_address(with))
    }

    /// Seals `plaintext` for a device, opening a session first if a bundle is given.
    pub(crate) fn seal(
        &mut self,
        to: DeviceAddress,
        bundle: Option<&PreKeyBundle>,
        plaintext: &[u8],
    ) -> Result<(EncKind, Vec<u8>), SignalProtocolError> {
        let address = signal_address(to);
        if let Some(bundle) = bundle {
            self.signal.open_session(&address, bundle)?;
        }
        self.signal.encrypt(&address, plaintext)
    }

    /// A message id as phones make them.
    pub(super) fn new_id(&mut self) -> String {
        let random: [u8; 9] = self.signal.random();
        random.iter().fold(String::from("3A"), |id, byte| id + &format!("{byte:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    struct Person {
        phone: Phone,
        address: DeviceAddress,
    }

    fn person(number: &str, seed: u64) -> Person {
        let account = number.parse().expect("valid");
        let phone = Phone::new(StdRng::seed_from_u64(seed), PhoneBehaviour::default()).expect("keys");
        Person { phone, address: DeviceAddress { account, device: 0 } }
    }

    fn envelope(from: &mut Person, to: &mut Person, text: &str, fresh: bool) -> Envelope {
        let bundle = fresh.then(|| to.phone.published().expect("bundle"));
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        let (id, plaintext) = from.phone.write(to.address.account, &message, 0);
        let (kind, ciphertext) = from.phone.seal(to.address, bundle.as_ref(), &plaintext).expect("seals");
        Envelope { from: from.address, id, kind, ciphertext }
    }

    #[test]
    fn a_text_is_read_shown_once_and_a_replayed_key_is_noticed() {
        let (mut alice, mut bob) = (person("15551230001", 1), person("15551230002", 2));
        let first = envelope(&mut alice, &mut bob, "hello", true);
        assert_eq!(first.kind, EncKind::PreKey);
        assert_eq!(bob.phone.receive(&first, 5), Reaction::Shown);
        assert_eq!(bob.phone.receive(&first, 6), Reaction::Replayed { shown_before: true });
        let message = &bob.phone.messages()[0];
        assert_eq!((message.text.as_deref(), message.first_at), (Some("hello"), 5));
        assert_eq!((message.arrivals, message.shown), (2, 1));
    }

    #[test]
    fn a_second_ciphertext_under_the_same_id_is_a_duplicate() {
        let (mut alice, mut bob) = (person("15551230001", 1), person("15551230002", 2));
        let first = envelope(&mut alice, &mut bob, "hello", true);
        let mut second = envelope(&mut alice, &mut bob, "hello", false);
        second.id.clone_from(&first.id);
        assert_eq!(bob.phone.receive(&first, 5), Reaction::Shown);
        assert_eq!(bob.phone.receive(&second, 6), Reaction::Duplicate);
        assert_eq!(bob.phone.messages().len(), 1);
    }

    #[test]
    fn an_answer_continues_the_session() {
        let (mut alice, mut bob) = (person("15551230001", 1), person("15551230002", 2));
        let first = envelope(&mut alice, &mut bob, "hello", true);
        assert_eq!(bob.phone.receive(&first, 5), Reaction::Shown);
        let answer = envelope(&mut bob, &mut alice, "you too", false);
        assert_eq!(answer.kind, EncKind::Signal);
        assert_eq!(alice.phone.receive(&answer, 6), Reaction::Shown);
    }

    #[test]
    fn what_can_not_be_read_is_asked_for_and_then_counts_as_an_arrival() {
        let (mut alice, mut bob) = (person("15551230001", 1), person("15551230002", 2));
        let good = envelope(&mut alice, &mut bob, "hello", true);
        let mut bad =
            Envelope { ciphertext: good.ciphertext.clone(), id: good.id.clone(), from: good.from, kind: good.kind };
        let last = bad.ciphertext.len() - 1;
        bad.ciphertext[last] ^= 1;
        assert!(matches!(bob.phone.receive(&bad, 5), Reaction::Unreadable { count: 1, .. }));
        assert_eq!(bob.phone.receive(&good, 6), Reaction::Shown);
        assert_eq!(bob.phone.messages()[0].arrivals, 2);
    }

    #[test]
    fn a_phone_can_be_told_to_ask_for_each_message_again() {
        let (mut alice, mut bob) = (person("15551230001", 1), person("15551230002", 2));
        bob.phone.behaviour.asks_for_retry = true;
        let first = envelope(&mut alice, &mut bob, "hello", true);
        assert!(matches!(bob.phone.receive(&first, 5), Reaction::Unreadable { count: 1, .. }));
        assert_eq!(bob.phone.receive(&first, 6), Reaction::Shown);
    }

    #[test]
    fn behaviour_overrides_the_rule_for_one_phone() {
        let rule = ReceiptDelays::default();
        assert_eq!(PhoneBehaviour::default().delays(rule), rule);
        let own = PhoneBehaviour { read_after_ms: Some(50), never_delivered: true, ..Default::default() };
        assert_eq!(own.delays(rule).delivered, None);
        assert_eq!(own.delays(rule).read, Some(std::time::Duration::from_millis(50)));
    }
}
