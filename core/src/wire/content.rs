//! What a message says, as the producer writes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{
    ContactCard, Content, FailReason, JobId, JobKey, MediaContent, MediaFrom, MediaId, MediaKind, MessageId,
    PhoneNumber, Place, Quoted, Reaction, Recipient, Referred, Secret, Writer,
};

/// What an OTP says when its producer gives no text.
pub const OTP_TEXT: &str = "{code}";

/// Most numbers of a contact.
const MAX_NUMBERS: usize = 10;

/// Longest name, address or sign, and longest id of a message, in bytes.
const MAX_NAME: usize = 512;
const MAX_EMOJI: usize = 64;
const MAX_MESSAGE_ID: usize = 128;

/// Longest address of a file, in bytes.
const MAX_URL: usize = 2048;

/// What a message says.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ContentV1 {
    /// The text as it is.
    Text {
        /// The text.
        text: String,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<QuotedV1>,
    },
    /// A one-time password.
    Otp {
        /// The password.
        code: String,
        /// The text around it with `{code}` where it goes; without one the message is the code alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// A text with `{name}` placeholders.
    Template {
        /// The text.
        text: String,
        /// Values by placeholder; each placeholder needs one.
        #[serde(default)]
        values: BTreeMap<String, String>,
    },
    /// A place.
    Location {
        /// Degrees to the north.
        #[schemars(range(min = -90.0, max = 90.0))]
        latitude: f64,
        /// Degrees to the east.
        #[schemars(range(min = -180.0, max = 180.0))]
        longitude: f64,
        /// What the place is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Where it is, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<QuotedV1>,
    },
    /// Somebody's details, shown as a contact that can be saved.
    Contact {
        /// The name.
        name: String,
        /// The numbers, from 1 to 10.
        #[schemars(length(min = 1, max = 10))]
        numbers: Vec<String>,
    },
    /// A sign on a message.
    Reaction {
        /// The message.
        message: MessageRefV1,
        /// The sign; empty takes an earlier one back.
        emoji: String,
    },
    /// Another text for a text that was sent before; WhatsApp takes it for about 15 minutes.
    Edit {
        /// The message, by its job.
        message: MessageRefV1,
        /// The text that it is to have.
        text: String,
    },
    /// A message that was sent before is taken back, for everyone; WhatsApp takes it for about two days.
    Delete {
        /// The message, by its job.
        message: MessageRefV1,
    },
    /// A file: one that was uploaded or came in (`media`), or one at an address (`url`), which is fetched by the worker.
    Media {
        /// What it is shown as.
        #[schemars(with = "MediaKindSchema")]
        kind: MediaKind,
        /// The file's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media: Option<Uuid>,
        /// The file's address, http or https, of the public internet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// The text below it; not below audio, voice and stickers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
        /// What it is called; shown of documents.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<QuotedV1>,
    },
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "MediaKind")]
#[allow(dead_code, reason = "only its schema is used")]
enum MediaKindSchema {
    /// A picture: JPEG, PNG, WebP or GIF.
    Image,
    /// A film: MP4, 3GPP, QuickTime or WebM.
    Video,
    /// A sound.
    Audio,
    /// A sound, shown as a voice message; best Opus in Ogg.
    Voice,
    /// Any file, to be saved.
    Document,
    /// A picture in WebP, shown as a sticker.
    Sticker,
}

/// A message that another one refers to: one of ours by its `job`, or one that came in by its `message_id`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageRefV1 {
    /// The job that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Uuid>,
    /// WhatsApp's id of it, as `message.received` tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who wrote it, as `message.received` tells it; needed in a group, with `message_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// The message that a message answers: one of ours by its `job`, or one that came in by its `message_id`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotedV1 {
    /// The job that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Uuid>,
    /// WhatsApp's id of it, as `message.received` tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who wrote it, as `message.received` tells it; needed in a group, with `message_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What is shown of it above the answer; kurir keeps no texts, so it has to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl std::fmt::Debug for ContentV1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text { .. } => "Text([secret])",
            Self::Otp { .. } => "Otp([secret])",
            Self::Template { .. } => "Template([secret])",
            Self::Location { .. } => "Location([secret])",
            Self::Contact { .. } => "Contact([secret])",
            Self::Reaction { .. } => "Reaction([secret])",
            Self::Edit { .. } => "Edit([secret])",
            Self::Delete { .. } => "Delete([secret])",
            Self::Media { .. } => "Media([secret])",
        })
    }
}

impl ContentV1 {
    /// A text that answers nothing.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), reply_to: None }
    }

    /// Checks the fields; what is wrong is told as `content.field: …`, without a value.
    pub(super) fn into_content(self, own: &JobKey, to: &Recipient, country: Option<&str>) -> Result<Parts, Bad> {
        let reader = Reader { own, to, country };
        match self {
            Self::Text { text, reply_to } => {
                let (content, _) = rendered(Content::Text(Secret::new(text)))?;
                Ok((content, reader.quoted(reply_to)?))
            }
            Self::Otp { code, text } => {
                let text = text.unwrap_or_else(|| OTP_TEXT.to_owned());
                rendered(Content::Otp { code: Secret::new(code), text })
            }
            Self::Template { text, values } => {
                let values = values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
                rendered(Content::Template { text, values })
            }
            Self::Location { latitude, longitude, name, address, reply_to } => {
                let place = Place {
                    latitude: within("latitude", latitude, 90.0)?,
                    longitude: within("longitude", longitude, 180.0)?,
                    name: name.map(|name| short("name", name, MAX_NAME)).transpose()?.map(Secret::new),
                    address: address.map(|text| short("address", text, MAX_NAME)).transpose()?.map(Secret::new),
                };
                Ok((Content::Location(place), reader.quoted(reply_to)?))
            }
            Self::Contact { name, numbers } => {
                let name = filled("name", short("name", name, MAX_NAME)?)?;
                if !(1..=MAX_NUMBERS).contains(&numbers.len()) {
                    return Err(bad("numbers", "a contact has from 1 to 10 numbers"));
                }
                let read = |(at, text): (usize, &String)| {
                    PhoneNumber::parse(text, country).map_err(|error| bad(&format!("numbers[{at}]"), error))
                };
                let numbers = numbers.iter().enumerate().map(read).collect::<Result<_, _>>()?;
                Ok((Content::Contact(ContactCard { name: name.into(), numbers }), None))
            }
            Self::Reaction { message, emoji } => {
                let message = reader.referred("message", &message)?;
                let emoji = short("emoji", emoji, MAX_EMOJI)?;
                Ok((Content::Reaction(Reaction { message, emoji }), None))
            }
            Self::Edit { message, text } => {
                let message = reader.own("message", &message)?;
                Ok((Content::Edit { message, text: filled("text", text)?.into() }, None))
            }
            Self::Delete { message } => Ok((Content::Delete(reader.own("message", &message)?), None)),
            Self::Media { kind, media, url, caption, filename, reply_to } => {
                let from = match (media, url) {
                    (Some(id), None) => MediaFrom::Stored(MediaId::new(id)),
                    (None, Some(url)) => MediaFrom::Url(address(url)?.into()),
                    _ => return Err(bad("media", "exactly one of media and url is given")),
                };
                if caption.is_some() && !kind.has_caption() {
                    return Err(bad("caption", "not below audio, voice and stickers"));
                }
                let filename = filename.map(|name| file_name(short("filename", name, MAX_NAME)?)).transpose()?;
                let content = MediaContent {
                    kind,
                    from,
                    caption: caption.filter(|caption| !caption.is_empty()).map(Secret::new),
                    filename: filename.map(Secret::new),
                };
                Ok((Content::Media(content), reader.quoted(reply_to)?))
            }
        }
    }
}

/// A content, and what it answers.
type Parts = (Content, Option<Quoted>);

/// What is wrong with a job.
type Bad = (FailReason, String);

fn bad(field: &str, what: impl std::fmt::Display) -> Bad {
    (FailReason::BadField, format!("content.{field}: {what}"))
}

fn filled(field: &str, text: String) -> Result<String, Bad> {
    if text.is_empty() { Err(bad(field, "the message would be empty")) } else { Ok(text) }
}

fn short(field: &str, text: String, most: usize) -> Result<String, Bad> {
    if text.len() > most { Err(bad(field, format_args!("at most {most} bytes"))) } else { Ok(text) }
}

/// A name that says of no folder where it is to go.
fn file_name(name: String) -> Result<String, Bad> {
    if name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\')) {
        return Err(bad("filename", "a name without folders and control characters"));
    }
    Ok(name)
}

fn address(url: String) -> Result<String, Bad> {
    let web = ["http://", "https://"].into_iter().any(|scheme| url.starts_with(scheme));
    if web && url.len() <= MAX_URL && url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(url);
    }
    Err(bad("url", "an address that begins with http:// or https://, of at most 2048 characters"))
}

fn within(field: &str, degrees: f64, most: f64) -> Result<f64, Bad> {
    // Not a number is not within, either.
    if degrees.abs() <= most { Ok(degrees) } else { Err(bad(field, format_args!("degrees from -{most} to {most}"))) }
}

fn rendered(content: Content) -> Result<Parts, Bad> {
    let text = content.render().map_err(|error| (FailReason::BadField, format!("content: {error}")))?;
    if text.expose().is_empty() {
        return Err((FailReason::BadField, "content: the message would be empty".to_owned()));
    }
    Ok((content, None))
}

/// What references are read against.
struct Reader<'a> {
    own: &'a JobKey,
    to: &'a Recipient,
    country: Option<&'a str>,
}

impl Reader<'_> {
    fn referred(&self, field: &str, wire: &MessageRefV1) -> Result<Referred, Bad> {
        match (wire.job, &wire.message_id) {
            (Some(_), None) if wire.from.is_some() => {
                Err(bad(&format!("{field}.from"), "not beside job: a job's message is the session's own"))
            }
            (Some(job), None) => {
                let job = JobId::new(job);
                if job == self.own.job {
                    return Err(bad(&format!("{field}.job"), "a message can't refer to itself"));
                }
                let key = JobKey::new(self.own.tenant.clone(), job);
                Ok(Referred { id: MessageId::derive(&key), writer: Writer::Us(job) })
            }
            (None, Some(id)) => {
                let fits = (1..=MAX_MESSAGE_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
                if !fits {
                    return Err(bad(&format!("{field}.message_id"), "not an id of WhatsApp's"));
                }
                Ok(Referred { id: MessageId::from_wire(id), writer: self.writer(field, wire.from.as_deref())? })
            }
            _ => Err(bad(field, "exactly one of job and message_id is given")),
        }
    }

    /// Who wrote a message that came in.
    fn writer(&self, field: &str, from: Option<&str>) -> Result<Writer, Bad> {
        let field = format!("{field}.from");
        let from = from.map(|from| PhoneNumber::parse(from, self.country)).transpose();
        match (self.to, from.map_err(|error| bad(&field, error))?) {
            (Recipient::Group(_), Some(member)) => Ok(Writer::Member(member)),
            (Recipient::Group(_), None) => Err(bad(&field, "who wrote it is needed in a group")),
            (Recipient::Number(to), Some(from)) if from != *to => {
                Err(bad(&field, "only the recipient writes in a chat of two"))
            }
            (Recipient::Number(_), _) => Ok(Writer::Chat),
        }
    }

    /// A message of ours.
    fn own(&self, field: &str, wire: &MessageRefV1) -> Result<Referred, Bad> {
        if wire.message_id.is_some() {
            return Err(bad(&format!("{field}.message_id"), "only the session's own messages, by their job"));
        }
        self.referred(field, wire)
    }

    fn quoted(&self, wire: Option<QuotedV1>) -> Result<Option<Quoted>, Bad> {
        let Some(QuotedV1 { job, message_id, from, text }) = wire else { return Ok(None) };
        let message = self.referred("reply_to", &MessageRefV1 { job, message_id, from })?;
        Ok(Some(Quoted { message, text: text.map(Secret::new) }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::domain::{Content, FailReason, Job, Writer};
    use crate::wire::{JOB_KIND, JobV1};

    const OTHER: &str = "018f2a52-7c4e-7a3b-9d10-0123456789ff";

    fn job(to: &str, content: &Value) -> Result<Job, (FailReason, String)> {
        let body = json!({"id": "018f2a52-7c4e-7a3b-9d10-0123456789ab", "tenant": "acme", "session": "s1", "to": to,
            "lane": "bulk", "content": content});
        JobV1::decode(JOB_KIND, body.to_string().as_bytes(), Some("62")).map_err(|bad| (bad.reason, bad.detail))
    }

    #[test]
    fn references_are_read_as_whatsapp_needs_them() {
        let ours = job("0812345678", &json!({"type": "edit", "message": {"job": OTHER}, "text": "x"})).unwrap();
        assert_eq!(ours.follows().unwrap().job.to_string(), OTHER);
        assert!(ours.refers_to().unwrap().id.as_str().starts_with("3EB0"));
        let theirs = json!({"type": "reaction", "message": {"message_id": "ABC"}, "emoji": "👍"});
        let theirs = job("0812345678", &theirs).unwrap();
        assert_eq!((theirs.follows(), &theirs.refers_to().unwrap().writer), (None, &Writer::Chat));
        let reply = json!({"type": "text", "text": "x", "reply_to": {"message_id": "ABC", "from": "0812345679"}});
        let member = job("120363000000000001@g.us", &reply).unwrap();
        assert!(matches!(member.refers_to().unwrap().writer, Writer::Member(_)));
        assert!(matches!(member.content, Content::Text(_)));
    }

    #[test]
    fn what_can_not_be_meant_is_refused_by_its_field() {
        const TO: &str = "0812345678";
        const GROUP: &str = "120363000000000001@g.us";
        let cases = [
            (TO, json!({"type": "poll"}), "content"),
            (TO, json!({"type": "media", "kind": "gif", "url": "https://a.b/"}), "content"),
            (TO, json!({"type": "media", "kind": "image"}), "content.media: "),
            (TO, json!({"type": "media", "kind": "image", "media": OTHER, "url": "https://a.b/"}), "content.media: "),
            (TO, json!({"type": "media", "kind": "image", "url": "ftp://a.b/"}), "content.url: "),
            (TO, json!({"type": "media", "kind": "voice", "media": OTHER, "caption": "x"}), "content.caption: "),
            (
                TO,
                json!({"type": "media", "kind": "document", "media": OTHER, "filename": "../x"}),
                "content.filename: ",
            ),
            (TO, json!({"type": "text", "text": ""}), "content: "),
            (TO, json!({"type": "edit", "message": {"job": OTHER}, "text": ""}), "content.text: "),
            (TO, json!({"type": "text", "text": "x", "answers": 1}), "content"),
            (TO, json!({"type": "location", "latitude": 91, "longitude": 0}), "content.latitude: "),
            (TO, json!({"type": "location", "latitude": 0, "longitude": -181}), "content.longitude: "),
            (TO, json!({"type": "contact", "name": "A", "numbers": []}), "content.numbers: "),
            (TO, json!({"type": "contact", "name": "A", "numbers": ["0812345678", "x"]}), "content.numbers[1]: "),
            (TO, json!({"type": "reaction", "message": {}, "emoji": "x"}), "content.message: "),
            (
                TO,
                json!({"type": "reaction", "message": {"job": OTHER, "message_id": "A"}, "emoji": ""}),
                "content.message: ",
            ),
            (
                TO,
                json!({"type": "reaction", "message": {"message_id": "a b"}, "emoji": ""}),
                "content.message.message_id: ",
            ),
            (GROUP, json!({"type": "reaction", "message": {"message_id": "A"}, "emoji": ""}), "content.message.from: "),
            (TO, json!({"type": "edit", "message": {"message_id": "A"}, "text": "x"}), "content.message.message_id: "),
            (TO, json!({"type": "delete", "message": {"job": OTHER, "from": "0812345678"}}), "content.message.from: "),
            (
                TO,
                json!({"type": "delete", "message": {"job": "018f2a52-7c4e-7a3b-9d10-0123456789ab"}}),
                "content.message.job: ",
            ),
            (
                TO,
                json!({"type": "text", "text": "x", "reply_to": {"message_id": "A", "from": "0812345679"}}),
                "content.reply_to.from: ",
            ),
        ];
        for (to, content, detail) in cases {
            let (reason, said) = job(to, &content).expect_err(&content.to_string());
            assert_eq!(reason, FailReason::BadField, "{content}: {said}");
            assert!(said.starts_with(detail), "{content}: {said}");
        }
        let (reason, said) = job("12@g.us", &json!({"type": "text", "text": "x"})).unwrap_err();
        assert_eq!((reason, said.split(':').next()), (FailReason::BadField, Some("to")));
    }
}
