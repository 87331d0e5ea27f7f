//! What a producer asks for: one message to one number or group.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::placeholder::{UnknownPlaceholder, fill};
use super::{
    ContactCard, JobId, JobKey, MediaContent, Place, PoolId, Quoted, Reaction, Recipient, Referred, Secret, SessionId,
    TenantId, Timestamp, Writer,
};

/// Which of a sender's two queues a job stands in. Two queues, not priorities: an OTP never waits behind a blast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// One-time passwords and whatever else must arrive now or never; a deadline is required.
    Otp,
    /// Everything else.
    Bulk,
}

impl Lane {
    /// Both lanes, the urgent one first.
    pub const ALL: [Self; 2] = [Self::Otp, Self::Bulk];

    /// As it stands in routing keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::Bulk => "bulk",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who is to send: one session, or any of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// This session and no other.
    Session(SessionId),
    /// Any connected session of the pool with budget left.
    Pool(PoolId),
}

impl From<&SessionId> for Target {
    fn from(session: &SessionId) -> Self {
        Self::Session(session.clone())
    }
}

impl From<&PoolId> for Target {
    fn from(pool: &PoolId) -> Self {
        Self::Pool(pool.clone())
    }
}

impl Target {
    /// The routing key of this target's lane: `s.{session}.{lane}` or `p.{pool}.{lane}`.
    pub fn routing_key(&self, lane: Lane) -> String {
        match self {
            Self::Session(id) => format!("s.{id}.{lane}"),
            Self::Pool(id) => format!("p.{id}.{lane}"),
        }
    }

    /// Reads what [`Target::routing_key`] wrote; `None` for any other text.
    pub fn parse_routing_key(key: &str) -> Option<(Self, Lane)> {
        let (target, lane) = key.rsplit_once('.')?;
        let lane = Lane::ALL.into_iter().find(|known| known.as_str() == lane)?;
        let target = match target.split_once('.')? {
            ("s", id) => Self::Session(SessionId::new(id).ok()?),
            ("p", id) => Self::Pool(PoolId::new(id).ok()?),
            _ => return None,
        };
        Some((target, lane))
    }
}

/// What the message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The text as it is.
    Text(Secret<String>),
    /// A one-time password in a text that has `{code}` where it goes.
    Otp {
        /// The password.
        code: Secret<String>,
        /// The text around it.
        text: String,
    },
    /// A text with `{name}` placeholders and their values.
    Template {
        /// The text with placeholders.
        text: String,
        /// Values by placeholder.
        values: BTreeMap<String, Secret<String>>,
    },
    /// A place.
    Location(Place),
    /// Somebody's details.
    Contact(ContactCard),
    /// A sign on a message.
    Reaction(Reaction),
    /// Another text for a message of ours.
    Edit {
        /// The message.
        message: Referred,
        /// The text that it is to have.
        text: Secret<String>,
    },
    /// A message of ours is taken back, for everyone.
    Delete(Referred),
    /// A file.
    Media(MediaContent),
}

impl Content {
    /// The message that this one is about.
    pub const fn about(&self) -> Option<&Referred> {
        match self {
            Self::Reaction(reaction) => Some(&reaction.message),
            Self::Edit { message, .. } | Self::Delete(message) => Some(message),
            _ => None,
        }
    }

    /// The text to send; empty for what is more than a text. Placeholders are `{word}`; braces around anything else stay
    /// as they are.
    pub fn render(&self) -> Result<Secret<String>, UnknownPlaceholder> {
        match self {
            Self::Text(text) | Self::Edit { text, .. } => Ok(text.clone()),
            Self::Otp { code, text } => fill(text, |name| (name == "code").then(|| code.expose().as_str())),
            Self::Template { text, values } => fill(text, |name| values.get(name).map(|value| value.expose().as_str())),
            Self::Location(_) | Self::Contact(_) | Self::Reaction(_) | Self::Delete(_) | Self::Media(_) => {
                Ok(Secret::new(String::new()))
            }
        }
    }
}

/// One message to one number or group, as the producer enqueued it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The producer's id; the same id again is the same job.
    pub id: JobId,
    /// Whose job it is.
    pub tenant: TenantId,
    /// Who is to send it.
    pub target: Target,
    /// The recipient.
    pub to: Recipient,
    /// How urgent it is.
    pub lane: Lane,
    /// What it says.
    pub content: Content,
    /// The message that it answers.
    pub reply_to: Option<Quoted>,
    /// Past this moment it is never sent. Always there in the otp lane.
    pub expires_at: Option<Timestamp>,
    /// When the producer enqueued it, if it said so.
    pub enqueued_at: Option<Timestamp>,
    /// The producer's own words, repeated in every event of the job.
    pub metadata: BTreeMap<String, String>,
}

impl Job {
    /// The job's identity in the ledger.
    pub fn key(&self) -> JobKey {
        JobKey::new(self.tenant.clone(), self.id)
    }

    /// The message that it refers to.
    pub fn refers_to(&self) -> Option<&Referred> {
        self.content.about().or(self.reply_to.as_ref().map(|quoted| &quoted.message))
    }

    /// The job whose message it refers to, if that is one of ours.
    pub fn follows(&self) -> Option<JobKey> {
        match self.refers_to()?.writer {
            Writer::Us(job) => Some(JobKey::new(self.tenant.clone(), job)),
            Writer::Chat | Writer::Member(_) => None,
        }
    }

    /// Whether its deadline has passed.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|deadline| now >= deadline)
    }

    /// The last moment to put it on the wire, where it takes `way` to its phone.
    pub fn last_moment(&self, way: Duration) -> Option<Timestamp> {
        self.expires_at.map(|deadline| deadline.minus(way))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_braces_kept() {
        let content = Content::Template {
            text: "Halo {name}, {} {not a name} {{name}} {".into(),
            values: BTreeMap::from([("name".into(), Secret::new("{code}".to_owned()))]),
        };
        assert_eq!(content.render().unwrap().expose(), "Halo {code}, {} {not a name} {{code}} {");
    }

    #[test]
    fn routing_keys_are_read_back() {
        for target in [Target::Session(SessionId::new("a-1").unwrap()), Target::Pool(PoolId::new("p").unwrap())] {
            for lane in Lane::ALL {
                assert_eq!(Target::parse_routing_key(&target.routing_key(lane)), Some((target.clone(), lane)));
            }
        }
        for text in ["", "s", "s.a", "s.a.fast", "x.a.otp", "s..otp", "s.a.b.otp", "s.a.otp."] {
            assert_eq!(Target::parse_routing_key(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_missing_value_is_named() {
        let content = Content::Otp { code: "1".to_owned().into(), text: "{kode}".into() };
        assert_eq!(content.render(), Err(UnknownPlaceholder("kode".into())));
    }
}
