//! From kurir's words to WhatsApp's messages.

use std::sync::Arc;

use kurir_core::domain::{PhoneNumber, Place, Quoted, Reaction, Recipient, Referred, Secret, Timestamp, Writer};
use kurir_core::port::{Body, MessengerError, Outgoing};
use whatsapp_rust::proto_helpers::{MessageBuilderExt as _, MessageExt as _};
use whatsapp_rust::types::message::AddressingMode;
use whatsapp_rust::wacore::client::context::GroupInfo;
use whatsapp_rust::wacore::proto_helpers::build_reaction_message;
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type;
use whatsapp_rust::waproto::whatsapp::message::{ContactMessage, LocationMessage, ProtocolMessage};
use whatsapp_rust::waproto::whatsapp::{ContextInfo, Message, MessageKey};
use whatsapp_rust::{Client, Jid};

use super::media;

/// The address of whom a message goes to.
pub(super) fn address(to: &Recipient) -> Jid {
    match to {
        Recipient::Number(number) => Jid::pn(number.digits()),
        Recipient::Group(group) => Jid::group(group.id()),
    }
}

/// Where a message goes, and how people are addressed there.
pub(super) struct Chat {
    jid: Jid,
    own: Jid,
    group: Option<Arc<GroupInfo>>,
}

impl Chat {
    /// Asks WhatsApp about a group that it does not remember, if the message names somebody in there.
    pub async fn of(client: &Client, outgoing: &Outgoing) -> Result<Self, MessengerError> {
        let jid = address(&outgoing.to);
        let own = client.pn().ok_or(MessengerError::NotConnected)?.to_non_ad();
        let refers = outgoing.reply_to.is_some()
            || matches!(outgoing.body, Body::Reaction(_) | Body::Edit { .. } | Body::Delete(_));
        // Where it does not answer, numbers are what members are known by as well.
        let group = if refers && jid.is_group() { client.groups().query_info(&jid).await.ok() } else { None };
        let group = group.filter(|info| info.addressing_mode == AddressingMode::Lid);
        let own = match (&group, client.lid()) {
            (Some(_), Some(lid)) => lid.to_non_ad(),
            _ => own,
        };
        Ok(Self { jid, own, group })
    }

    fn member(&self, number: &PhoneNumber) -> Jid {
        let jid = Jid::pn(number.digits());
        match &self.group {
            Some(info) => info.phone_device_jid_into_lid(jid),
            None => jid,
        }
    }
}

/// Puts a message into WhatsApp's form.
pub(super) fn message(outgoing: &Outgoing, chat: &Chat, now: Timestamp) -> Message {
    let mut message = match &outgoing.body {
        Body::Text(text) => Message::text(text.expose()),
        Body::Location(place) => location(place),
        Body::Contact(contact) => {
            let contact = ContactMessage {
                display_name: Some(contact.name.expose().clone()),
                vcard: Some(contact.vcard().into_inner()),
                ..Default::default()
            };
            Message { contact_message: contact.into(), ..Default::default() }
        }
        Body::Reaction(Reaction { message, emoji }) => {
            build_reaction_message(key(chat, message), emoji, now.as_millis())
        }
        Body::Edit { message, text } => {
            let edit = ProtocolMessage {
                key: own_key(chat, message).into(),
                r#type: Some(Type::MESSAGE_EDIT),
                edited_message: Message::text(text.expose()).into(),
                timestamp_ms: Some(now.as_millis()),
                ..Default::default()
            };
            Message { protocol_message: edit.into(), ..Default::default() }
        }
        Body::Delete(message) => {
            let revoke =
                ProtocolMessage { key: key(chat, message).into(), r#type: Some(Type::REVOKE), ..Default::default() };
            Message { protocol_message: revoke.into(), ..Default::default() }
        }
        Body::Media(media) => media::message(media),
    };
    if let Some(quoted) = &outgoing.reply_to {
        // All kinds that can answer have a place for it.
        message.set_context_info(context(chat, quoted));
    }
    message
}

fn location(place: &Place) -> Message {
    let location = LocationMessage {
        degrees_latitude: Some(place.latitude),
        degrees_longitude: Some(place.longitude),
        name: place.name.clone().map(Secret::into_inner),
        address: place.address.clone().map(Secret::into_inner),
        ..Default::default()
    };
    Message { location_message: location.into(), ..Default::default() }
}

/// What names a message in a chat. Who wrote it is said in groups only, and not of our own.
fn key(chat: &Chat, message: &Referred) -> MessageKey {
    let participant = match &message.writer {
        Writer::Us(_) | Writer::Chat => None,
        Writer::Member(number) => Some(chat.member(number).to_string()),
    };
    MessageKey {
        remote_jid: Some(chat.jid.to_string()),
        from_me: Some(matches!(message.writer, Writer::Us(_))),
        id: Some(message.id.to_string()),
        participant,
    }
}

/// An edit names its writer in groups.
fn own_key(chat: &Chat, message: &Referred) -> MessageKey {
    let participant = chat.jid.is_group().then(|| chat.own.to_string());
    MessageKey { participant, ..key(chat, message) }
}

fn context(chat: &Chat, quoted: &Quoted) -> ContextInfo {
    let writer = match &quoted.message.writer {
        Writer::Us(_) => chat.own.clone(),
        Writer::Chat => chat.jid.clone(),
        Writer::Member(number) => chat.member(number),
    };
    // Without a message in it the quote is not shown; an empty text shows that there is one.
    let shown = quoted.text.as_ref().map(|text| text.expose().as_str()).unwrap_or_default();
    ContextInfo {
        stanza_id: Some(quoted.message.id.to_string()),
        participant: Some(writer.to_string()),
        quoted_message: Message::text(shown).into(),
        ..Default::default()
    }
}
