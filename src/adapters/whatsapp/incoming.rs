//! From WhatsApp's messages to kurir's words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kurir_core::domain::{GroupId, MediaKind, MessageId, PhoneNumber, Place, Secret, Timestamp};
use kurir_core::port::{Incoming, IncomingContact, IncomingContent, IncomingMedia};
use serde::{Deserialize, Serialize};
use whatsapp_rust::download::DownloadParams;
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::types::durability_hook::InboundMessage;
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type;
use whatsapp_rust::waproto::whatsapp::message::{ContactMessage, ProtocolMessage};
use whatsapp_rust::waproto::whatsapp::{ContextInfo, Message, MessageKey};

use super::media;

/// A message of somebody to the session or a group of it; `None` for broadcasts, for copies of what the account itself
/// wrote, and for what carries keys and nothing to read.
pub(super) fn incoming(inbound: &InboundMessage) -> Option<Incoming> {
    let info = &inbound.info;
    let source = &info.source;
    let chat = &source.chat;
    if source.is_from_me || !(chat.is_group() || chat.is_pn() || chat.is_lid()) {
        return None;
    }
    let group = if chat.is_group() { Some(GroupId::from_id(&chat.user).ok()?) } else { None };
    let message = inbound.message.get_base_message();
    let (content, text) = content_of(message);
    if content == IncomingContent::Other && message.sender_key_distribution_message.is_set() {
        return None;
    }
    let number = [Some(&source.sender), source.sender_alt.as_ref()].into_iter().flatten().find(|jid| jid.is_pn());
    let quoted = context(message).and_then(|context| context.stanza_id.clone());
    Some(Incoming {
        id: MessageId::from_wire(&info.id),
        from: number.and_then(|jid| PhoneNumber::from_digits(jid.user.to_string()).ok()),
        text: text.map(Secret::new),
        at: Timestamp::from_millis(info.timestamp.timestamp_millis()),
        group,
        push_name: Some(&info.push_name).filter(|name| !name.is_empty()).cloned().map(Secret::new),
        quoted: quoted.filter(|id| !id.is_empty()).map(MessageId::from_wire),
        content,
    })
}

/// What a message is, and the text of it.
fn content_of(message: &Message) -> (IncomingContent, Option<String>) {
    if let Some(text) = message.text_content() {
        return (IncomingContent::Text, Some(text.to_owned()));
    }
    if let Some((media, caption)) = file_of(message) {
        return (IncomingContent::Media(media), caption);
    }
    if let Some(protocol) = message.protocol_message.as_option() {
        return about_earlier(protocol);
    }
    let secret = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).map(Secret::new);
    if let Some(place) = message.location_message.as_option() {
        let place = Place {
            latitude: place.degrees_latitude.unwrap_or_default(),
            longitude: place.degrees_longitude.unwrap_or_default(),
            name: secret(&place.name),
            address: secret(&place.address),
        };
        return (IncomingContent::Location(place), None);
    }
    if let Some(live) = message.live_location_message.as_option() {
        let place = Place {
            latitude: live.degrees_latitude.unwrap_or_default(),
            longitude: live.degrees_longitude.unwrap_or_default(),
            name: None,
            address: None,
        };
        return (IncomingContent::Location(place), live.caption.clone());
    }
    let contact = |contact: &ContactMessage| IncomingContact {
        name: secret(&contact.display_name),
        vcard: secret(&contact.vcard),
    };
    if let Some(one) = message.contact_message.as_option() {
        return (IncomingContent::Contacts(vec![contact(one)]), None);
    }
    if let Some(many) = message.contacts_array_message.as_option() {
        return (IncomingContent::Contacts(many.contacts.iter().map(contact).collect()), None);
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        let message = named(reaction.key.as_option());
        let emoji = reaction.text.clone().unwrap_or_default();
        return (IncomingContent::Reaction { message, emoji }, None);
    }
    (IncomingContent::Other, None)
}

fn about_earlier(protocol: &ProtocolMessage) -> (IncomingContent, Option<String>) {
    let message = named(protocol.key.as_option());
    match protocol.r#type {
        Some(Type::REVOKE) => (IncomingContent::Delete(message), None),
        Some(Type::MESSAGE_EDIT) => {
            let edited = protocol.edited_message.as_option();
            let text = edited.and_then(|new| new.text_content().or_else(|| new.get_caption()));
            (IncomingContent::Edit(message), text.map(str::to_owned))
        }
        _ => (IncomingContent::Other, None),
    }
}

fn named(key: Option<&MessageKey>) -> MessageId {
    MessageId::from_wire(key.and_then(|key| key.id.clone()).unwrap_or_default())
}

/// The part of a message that tells what it answers.
fn context(message: &Message) -> Option<&ContextInfo> {
    macro_rules! first {
        ($($field:ident),*) => {
            None$(.or_else(|| message.$field.as_option().and_then(|part| part.context_info.as_option())))*
        };
    }
    first!(
        extended_text_message,
        image_message,
        video_message,
        document_message,
        audio_message,
        sticker_message,
        location_message,
        contact_message
    )
}

/// How WhatsApp gives a file out.
#[derive(Serialize, Deserialize)]
struct Source {
    path: String,
    key: String,
    sealed_sha256: String,
    sha256: String,
    length: u64,
    kind: MediaKind,
}

/// What a fetch needs, from the words of [`file_of`]; `None` for other words.
pub(super) fn params(source: &str) -> Option<DownloadParams> {
    let source: Source = serde_json::from_str(source).ok()?;
    let bytes = |text: &str| STANDARD.decode(text).ok();
    Some(DownloadParams::encrypted(
        source.path,
        &bytes(&source.key)?,
        &bytes(&source.sha256)?,
        &bytes(&source.sealed_sha256)?,
        source.length,
        media::keys(source.kind),
    ))
}

/// The file of a message, and the text below it. One without a key or a place can't be fetched and is none.
fn file_of(message: &Message) -> Option<(IncomingMedia, Option<String>)> {
    macro_rules! file {
        ($part:expr, $kind:expr, $name:expr) => {{
            let (kind, part) = ($kind, $part);
            let sha256: [u8; 32] = part.file_sha256.as_deref()?.try_into().ok()?;
            let source = Source {
                path: part.direct_path.clone()?,
                key: STANDARD.encode(part.media_key.as_deref()?),
                sealed_sha256: STANDARD.encode(part.file_enc_sha256.as_deref()?),
                sha256: STANDARD.encode(sha256),
                length: part.file_length.unwrap_or_default(),
                kind,
            };
            let media = IncomingMedia {
                kind,
                mime_type: part.mimetype.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
                size: source.length,
                sha256,
                filename: $name,
                // Texts and numbers always serialise.
                source: Secret::new(serde_json::to_string(&source).unwrap_or_default()),
            };
            let caption = message.get_caption().filter(|caption| !caption.is_empty()).map(str::to_owned);
            Some((media, caption))
        }};
    }
    if let Some(image) = message.image_message.as_option() {
        return file!(image, MediaKind::Image, None);
    }
    if let Some(video) = message.video_message.as_option() {
        return file!(video, MediaKind::Video, None);
    }
    if let Some(audio) = message.audio_message.as_option() {
        let kind = if audio.ptt == Some(true) { MediaKind::Voice } else { MediaKind::Audio };
        return file!(audio, kind, None);
    }
    if let Some(document) = message.document_message.as_option() {
        // A name that its sender chose: what would lead into a folder is taken off it.
        let name = document.file_name.as_deref().and_then(|name| name.rsplit(['/', '\\']).next());
        let name = name
            .filter(|name| !name.is_empty())
            .map(|name| name.chars().filter(|c| !c.is_control()).take(200).collect::<String>());
        return file!(document, MediaKind::Document, name.map(Secret::new));
    }
    let sticker = message.sticker_message.as_option()?;
    file!(sticker, MediaKind::Sticker, None)
}
