//! Verifications: a code that is sent to a number and asked back.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CodeMark, JobId, JobKey, PhoneNumber, PoolId, Secret, SessionId, Target, TenantId, Timestamp};

/// Names a verification within its tenant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VerificationId(Uuid);

impl VerificationId {
    /// From a UUID; of version 7, so that ids are in the order of time.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for VerificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for VerificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a verification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationStatus {
    /// The code is asked back.
    Pending,
    /// It was given back. It is good for nothing any more.
    Approved,
    /// Its time passed.
    Expired,
    /// Wrong codes were given too often.
    MaxAttemptsReached,
    /// Taken back by whoever asked for it.
    Canceled,
}

impl VerificationStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Approved, Self::Expired, Self::MaxAttemptsReached, Self::Canceled];

    /// As the contract and the stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Expired => "expired",
            Self::MaxAttemptsReached => "max_attempts_reached",
            Self::Canceled => "canceled",
        }
    }

    /// Reads what [`VerificationStatus::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the code can still be given back.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending)
    }

    /// Whether a verification of this status may come to have `next`. Every end is final.
    pub const fn may_become(self, next: Self) -> bool {
        self.is_open() && !next.is_open()
    }
}

impl fmt::Display for VerificationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verification has ended before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the verification has ended: it is {0}")]
pub struct VerificationEnded(pub VerificationStatus);

/// What codes are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeAlphabet {
    /// 0 to 9.
    #[default]
    Digits,
    /// Twenty capital letters: no vowels, so that no code is a word.
    Letters,
}

impl CodeAlphabet {
    /// Its characters, each of one byte.
    pub const fn characters(self) -> &'static [u8] {
        match self {
            Self::Digits => b"0123456789",
            Self::Letters => b"BCDFGHJKLMNPQRSTVWXZ",
        }
    }
}

/// A word that names no alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an alphabet is digits or letters")]
pub struct NoSuchAlphabet;

impl FromStr for CodeAlphabet {
    type Err = NoSuchAlphabet;

    fn from_str(text: &str) -> Result<Self, NoSuchAlphabet> {
        match text {
            "digits" => Ok(Self::Digits),
            "letters" => Ok(Self::Letters),
            _ => Err(NoSuchAlphabet),
        }
    }
}

/// How a code gets to its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A message of this session.
    Session(SessionId),
    /// A message of any session of this pool.
    Pool(PoolId),
    /// A request to the caller's own server, which has somebody else send it. The address may hold keys.
    Webhook(Secret<String>),
}

impl Channel {
    /// Who sends the message; `None`: it is no message of ours.
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Session(session) => Some(Target::Session(session.clone())),
            Self::Pool(pool) => Some(Target::Pool(pool.clone())),
            Self::Webhook(_) => None,
        }
    }

    /// `session`, `pool` or `webhook`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Pool(_) => "pool",
            Self::Webhook(_) => "webhook",
        }
    }

    /// The session's or the pool's name.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Session(session) => Some(session.as_str()),
            Self::Pool(pool) => Some(pool.as_str()),
            Self::Webhook(_) => None,
        }
    }
}

/// A channel, and how long it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Which.
    pub channel: Channel,
    /// How long the code may take to the phone before the next channel is used.
    pub patience: Duration,
}

/// How far the present sending has come on its present channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeDelivery {
    /// It is meant to be sent; whether the channel has it is not known.
    Begun,
    /// The channel has it.
    Handed,
    /// The phone has it, or the caller's server has taken it.
    Reached,
    /// No channel could deliver it.
    Failed,
}

/// A verification. The code itself is not in it: the store keeps it sealed apart, as long as it may be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Its id.
    pub id: VerificationId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Counts the writes, as that of a ledger's entry does.
    pub version: u64,
    /// The number.
    pub to: PhoneNumber,
    /// Where it stands.
    pub status: VerificationStatus,
    /// What recognises the code.
    pub mark: CodeMark,
    /// The text around the code, with `{code}` where it goes.
    pub text: String,
    /// The channels in their order; never none.
    pub hops: Vec<Hop>,
    /// The place of the present one.
    pub hop: usize,
    /// How far the present sending has come there.
    pub delivery: CodeDelivery,
    /// When it was begun there.
    pub hop_at: Timestamp,
    /// How often the present channel was asked; only of webhooks.
    pub tries: u32,
    /// How often the code was sent because somebody asked for it. What falls back to another channel does not count.
    pub sends: u32,
    /// At most so often.
    pub max_sends: u32,
    /// When it was asked for the last time.
    pub sent_at: Timestamp,
    /// How often a code was given back.
    pub checks: u32,
    /// At most so often.
    pub max_checks: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// At this moment it is too late.
    pub expires_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When somebody must look at it; `None`: it has ended.
    pub due_at: Option<Timestamp>,
    /// The caller's own words.
    pub metadata: BTreeMap<String, String>,
}

impl Verification {
    /// The verification with this end.
    pub fn ended(&self, how: VerificationStatus, at: Timestamp) -> Result<Self, VerificationEnded> {
        if !self.status.may_become(how) {
            return Err(VerificationEnded(self.status));
        }
        Ok(Self { status: how, ended_at: Some(at), due_at: None, ..self.clone() })
    }

    /// Whether its time has passed.
    pub fn is_late(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// Counts a code that was given back at `now`; `matches` says whether it was the right one.
    pub fn checked(&self, matches: bool, now: Timestamp) -> Result<Self, VerificationEnded> {
        if self.is_late(now) {
            return self.ended(VerificationStatus::Expired, now);
        }
        let mut next = self.clone();
        next.checks += 1;
        if matches {
            return next.ended(VerificationStatus::Approved, now);
        }
        if next.checks >= next.max_checks {
            return next.ended(VerificationStatus::MaxAttemptsReached, now);
        }
        if next.status.is_open() { Ok(next) } else { Err(VerificationEnded(next.status)) }
    }

    /// One sending more, at `now`: on the channel that was reached, or on the first one after all had failed.
    pub fn sent_again(&self, now: Timestamp) -> Result<Self, VerificationEnded> {
        if !self.status.is_open() {
            return Err(VerificationEnded(self.status));
        }
        let hop = if self.delivery == CodeDelivery::Failed { 0 } else { self.hop };
        Ok(Self { sends: self.sends + 1, sent_at: now, ..self.on(hop, now) })
    }

    /// The same on its next channel; `None`: there is none.
    pub fn fallen_back(&self, now: Timestamp) -> Option<Self> {
        (!self.is_on_last_channel()).then(|| self.on(self.hop + 1, now))
    }

    /// Whether there is no further channel.
    pub fn is_on_last_channel(&self) -> bool {
        self.hop + 1 >= self.hops.len()
    }

    fn on(&self, hop: usize, now: Timestamp) -> Self {
        Self { hop, hop_at: now, delivery: CodeDelivery::Begun, tries: 0, due_at: Some(now), ..self.clone() }
    }

    /// The present channel; `None` only if the record was written by somebody else.
    pub fn channel(&self) -> Option<&Hop> {
        self.hops.get(self.hop)
    }

    /// The id of the message that carries the code, derived: who repeats a step that a crash interrupted repeats the
    /// message, which is then sent once.
    pub fn job(&self) -> JobId {
        JobId::new(Uuid::new_v5(&self.id.as_uuid(), format!("{}/{}", self.sends, self.hop).as_bytes()))
    }

    /// That message's key in the ledger.
    pub fn job_key(&self) -> JobKey {
        JobKey::new(self.tenant.clone(), self.job())
    }
}
