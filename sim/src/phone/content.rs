//! What a message is, beside its text.

use serde::{Deserialize, Serialize};
use wacore::proto_helpers::MessageExt;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;

use crate::media::{Attachment, MediaKind};

/// What a message is, where its text does not say all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// A file.
    Media(MediaContent),
    /// A place, once or live.
    Location {
        /// Degrees to the north.
        latitude: Degrees,
        /// Degrees to the east.
        longitude: Degrees,
        /// Name of the place.
        name: Option<String>,
        /// Address of the place.
        address: Option<String>,
        /// Whether the sender's place is followed for a while.
        live: bool,
    },
    /// One or more contacts.
    Contacts {
        /// The contacts.
        contacts: Vec<Contact>,
    },
    /// A text that answers a message.
    Reply {
        /// Id of the message that is answered.
        to: String,
        /// Address of that message's sender, if it is told.
        participant: Option<String>,
    },
    /// A sign on a message.
    Reaction {
        /// Id of the message.
        to: String,
        /// The sign; empty takes an earlier one back.
        emoji: String,
    },
    /// A new text for a message sent before.
    Edit {
        /// Id of that message.
        of: String,
        /// The new text, or caption.
        text: Option<String>,
    },
    /// A message sent before is taken back.
    Revoke {
        /// Id of that message.
        of: String,
    },
}

/// A file, as a phone shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MediaContent {
    /// What it is shown as.
    pub media: MediaKind,
    /// Its MIME type, as the sender says.
    pub mimetype: Option<String>,
    /// The text below it.
    pub caption: Option<String>,
    /// Its name, for a document.
    pub file_name: Option<String>,
    /// Its length in bytes, as the sender says.
    pub length: Option<u64>,
    /// SHA-256 of the file in hexadecimal, as the sender says.
    pub sha256: Option<String>,
    /// Id of the message that it answers.
    pub reply_to: Option<String>,
    /// What the phone found when it downloaded the file.
    pub download: Download,
}

/// What became of a file's download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Download {
    /// It is under way.
    Pending,
    /// The file came, could be decrypted, and has the announced hashes and length.
    Good,
    /// The file did not come or is not the announced one.
    Broken {
        /// What is wrong with it.
        reason: String,
    },
}

/// A person's details that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Contact {
    /// The name.
    pub name: Option<String>,
    /// The details as a vCard.
    pub vcard: Option<String>,
}

/// An angle, to a millionth of a degree; in JSON a number of degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = f64)]
pub struct Degrees(i64);

impl Degrees {
    const PARTS: f64 = 1e6;

    /// From degrees.
    #[expect(clippy::cast_possible_truncation, reason = "angles are small, and `as` cuts what is none")]
    pub fn new(degrees: f64) -> Self {
        Self((degrees * Self::PARTS).round() as i64)
    }

    /// In degrees.
    #[expect(clippy::cast_precision_loss, reason = "millionths of an angle are far below 2^53")]
    pub fn get(self) -> f64 {
        self.0 as f64 / Self::PARTS
    }
}

impl Serialize for Degrees {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

impl<'de> Deserialize<'de> for Degrees {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::new)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn target(key: &wa::MessageKey) -> String {
    key.id.clone().unwrap_or_default()
}

fn place(latitude: Option<f64>, longitude: Option<f64>) -> (Degrees, Degrees) {
    (Degrees::new(latitude.unwrap_or_default()), Degrees::new(longitude.unwrap_or_default()))
}

impl Content {
    /// Reads what a message is, and the file that it carries; `None` for a plain text.
    pub(super) fn of(message: &wa::Message) -> Option<(Self, Option<Attachment>)> {
        let base = message.get_base_message();
        if let Some((attachment, mimetype)) = Attachment::of(base) {
            let media = MediaContent {
                media: attachment.kind,
                mimetype,
                caption: base.get_caption().map(str::to_owned),
                file_name: base.document_message.as_option().and_then(|document| document.file_name.clone()),
                length: attachment.length,
                sha256: attachment.sha256.as_deref().map(hex),
                reply_to: context(base).and_then(|context| context.stanza_id.clone()),
                download: Download::Pending,
            };
            return Some((Self::Media(media), Some(attachment)));
        }
        Self::without_file(base).map(|content| (content, None))
    }

    fn without_file(base: &wa::Message) -> Option<Self> {
        if let Some(protocol) = base.protocol_message.as_option() {
            return Self::about_earlier(protocol);
        }
        if let Some(location) = base.location_message.as_option() {
            let (latitude, longitude) = place(location.degrees_latitude, location.degrees_longitude);
            let (name, address) = (location.name.clone(), location.address.clone());
            return Some(Self::Location { latitude, longitude, name, address, live: location.is_live == Some(true) });
        }
        if let Some(live) = base.live_location_message.as_option() {
            let (latitude, longitude) = place(live.degrees_latitude, live.degrees_longitude);
            return Some(Self::Location { latitude, longitude, name: live.caption.clone(), address: None, live: true });
        }
        let contact = |contact: &wa::message::ContactMessage| Contact {
            name: contact.display_name.clone(),
            vcard: contact.vcard.clone(),
        };
        if let Some(one) = base.contact_message.as_option() {
            return Some(Self::Contacts { contacts: vec![contact(one)] });
        }
        if let Some(many) = base.contacts_array_message.as_option() {
            return Some(Self::Contacts { contacts: many.contacts.iter().map(contact).collect() });
        }
        if let Some(reaction) = base.reaction_message.as_option() {
            let emoji = reaction.text.clone().unwrap_or_default();
            return Some(Self::Reaction { to: reaction.key.as_option().map(target).unwrap_or_default(), emoji });
        }
        let context = context(base)?;
        Some(Self::Reply { to: context.stanza_id.clone()?, participant: context.participant.clone() })
    }

    fn about_earlier(protocol: &wa::message::ProtocolMessage) -> Option<Self> {
        let of = protocol.key.as_option().map(target).unwrap_or_default();
        match protocol.r#type? {
            Type::REVOKE => Some(Self::Revoke { of }),
            Type::MESSAGE_EDIT => {
                let edited = protocol.edited_message.as_option();
                let text = edited.and_then(|new| new.text_content().or_else(|| new.get_caption()));
                Some(Self::Edit { of, text: text.map(str::to_owned) })
            }
            _ => None,
        }
    }
}

/// The part of a message that tells what it answers.
fn context(base: &wa::Message) -> Option<&wa::ContextInfo> {
    macro_rules! first {
        ($($field:ident),*) => {
            None$(.or_else(|| base.$field.as_option().and_then(|message| message.context_info.as_option())))*
        };
    }
    first!(extended_text_message, image_message, video_message, document_message, audio_message, sticker_message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &wa::Message) -> Option<Content> {
        Content::of(message).map(|(content, _)| content)
    }

    fn key(id: &str) -> wa::MessageKey {
        wa::MessageKey { id: Some(id.into()), ..Default::default() }
    }

    fn protocol(kind: Type, edited: Option<wa::Message>) -> wa::Message {
        let protocol = wa::message::ProtocolMessage {
            key: key("A1").into(),
            r#type: Some(kind),
            edited_message: edited.map(Into::into).unwrap_or_default(),
            ..Default::default()
        };
        wa::Message { protocol_message: protocol.into(), ..Default::default() }
    }

    #[test]
    fn a_plain_text_is_only_text() {
        let plain = wa::Message { conversation: Some("hello".into()), ..Default::default() };
        assert_eq!(read(&plain), None);
        let extended = wa::message::ExtendedTextMessage { text: Some("hello".into()), ..Default::default() };
        assert_eq!(read(&wa::Message { extended_text_message: extended.into(), ..Default::default() }), None);
    }

    #[test]
    fn a_reply_names_the_message_it_answers() {
        let context =
            wa::ContextInfo { stanza_id: Some("A1".into()), participant: Some("p".into()), ..Default::default() };
        let text = wa::message::ExtendedTextMessage { context_info: context.into(), ..Default::default() };
        let reply = wa::Message { extended_text_message: text.into(), ..Default::default() };
        assert_eq!(read(&reply), Some(Content::Reply { to: "A1".into(), participant: Some("p".into()) }));
    }

    #[test]
    fn edits_and_revocations_name_the_earlier_message() {
        let text = wa::Message { conversation: Some("new".into()), ..Default::default() };
        let edit = Content::Edit { of: "A1".into(), text: Some("new".into()) };
        assert_eq!(read(&protocol(Type::MESSAGE_EDIT, Some(text))), Some(edit));
        assert_eq!(read(&protocol(Type::REVOKE, None)), Some(Content::Revoke { of: "A1".into() }));
        assert_eq!(read(&protocol(Type::APP_STATE_SYNC_KEY_SHARE, None)), None);
    }

    #[test]
    fn a_file_is_found_inside_of_wrappers() {
        let document = wa::message::DocumentMessage {
            mimetype: Some("application/pdf".into()),
            file_name: Some("bill.pdf".into()),
            caption: Some("yours".into()),
            file_sha256: Some(vec![0xAB; 32]),
            file_length: Some(7),
            ..Default::default()
        };
        let inner = wa::Message { document_message: document.into(), ..Default::default() };
        let wrapper = wa::message::FutureProofMessage { message: inner.into() };
        let message = wa::Message { document_with_caption_message: wrapper.into(), ..Default::default() };
        let (content, attachment) = Content::of(&message).expect("a document");
        let Content::Media(media) = content else { panic!("not a file: {content:?}") };
        assert_eq!((media.media, media.length, media.sha256), (MediaKind::Document, Some(7), Some("ab".repeat(32))));
        assert_eq!((media.file_name.as_deref(), media.caption.as_deref()), (Some("bill.pdf"), Some("yours")));
        assert_eq!(attachment.expect("a file").length, Some(7));
    }

    #[test]
    fn places_are_numbers_of_degrees_in_json() {
        let location = wa::message::LocationMessage {
            degrees_latitude: Some(52.520_008),
            degrees_longitude: Some(-13.404_954),
            ..Default::default()
        };
        let content = read(&wa::Message { location_message: location.into(), ..Default::default() }).expect("a place");
        let json = serde_json::to_value(&content).expect("JSON");
        assert_eq!((json["kind"].as_str(), json["longitude"].as_f64()), (Some("location"), Some(-13.404_954)));
        assert_eq!(serde_json::from_value::<Content>(json).expect("reads back"), content);
    }
}
