//! Webhooks: where a tenant wants to hear of events, and how telling it goes.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EventId, EventKind, KindChoice, LogPosition, Secret, SessionId, TenantId, Timestamp, WebhookId};

/// Most attempts of a delivery that are remembered; the oldest go first.
const REMEMBERED: usize = 20;

/// What a tenant says of a webhook. Stores seal it as a whole: addresses may hold keys, secrets are some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSettings {
    /// Where to tell.
    pub url: Secret<String>,
    /// What people call it.
    pub label: String,
    /// What to tell.
    pub types: KindChoice,
    /// Of which sessions; `None`: of all, and what is of none.
    pub sessions: Option<BTreeSet<SessionId>>,
    /// What is signed with (`whsec_` and base64).
    pub secret: Secret<String>,
    /// The secret before, which signs as well until its end.
    pub old_secret: Option<OldSecret>,
}

/// A secret that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSecret {
    /// The secret.
    pub secret: Secret<String>,
    /// From when on it signs no more.
    pub until: Timestamp,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $word:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$of])* #[serde(rename = $text)] $word),+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// Its word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }

            /// Reads what `as_str` wrote.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

words! {
    /// Why a webhook is told nothing.
    DisabledReason {
        /// Its tenant wants it so.
        ByRequest = "by_request",
        /// It answered 410: it is not there any more.
        Gone = "gone",
        /// It has failed for too long.
        Failing = "failing",
    }
}

words! {
    /// Where a delivery stands.
    DeliveryState {
        /// It waits for its next attempt.
        Pending = "pending",
        /// It was taken.
        Delivered = "delivered",
        /// It is tried no more.
        Failed = "failed",
    }
}

words! {
    /// Why an attempt failed.
    DeliveryFault {
        /// It was answered with another status than 2xx.
        Status = "status",
        /// The address is not one of the public internet and not allowed.
        Forbidden = "forbidden_address",
        /// The address can't be asked.
        BadAddress = "bad_address",
        /// The name of the host is not known.
        NoSuchHost = "no_such_host",
        /// There was no connection.
        NotConnected = "not_connected",
        /// There was no answer in time.
        TimedOut = "timed_out",
        /// The connection failed before the answer was there.
        Broken = "broken",
        /// The event is not kept any more.
        Forgotten = "event_forgotten",
    }
}

/// How telling a webhook goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookHealth {
    /// Since when it is told nothing, and why.
    pub disabled: Option<(DisabledReason, Timestamp)>,
    /// Attempts that failed since the last one that was taken.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// Until when it is left alone.
    pub rest_until: Option<Timestamp>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name.
    pub id: WebhookId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Counts the changes of its settings.
    pub version: u64,
    /// What its tenant says of it.
    pub settings: WebhookSettings,
    /// How it goes.
    pub health: WebhookHealth,
    /// How far the log of events was looked through for it.
    pub cursor: LogPosition,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A delivery's id. Later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub Uuid);

impl DeliveryId {
    /// An id of this moment: a UUID of version 7.
    pub fn new(at: Timestamp, random: u128) -> Self {
        let millis = u128::from(at.as_millis().cast_unsigned()) & ((1 << 48) - 1);
        let (high, low) = ((random >> 64) & 0xfff, random & ((1 << 62) - 1));
        Self(Uuid::from_u128((millis << 80) | (7 << 76) | (high << 64) | (2 << 62) | low))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One attempt. What was sent and answered is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long it took, milliseconds.
    pub took_ms: u32,
    /// Why it failed, if it did.
    pub fault: Option<DeliveryFault>,
}

/// One event on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// What.
    pub event: EventId,
    /// Of which kind.
    pub kind: EventKind,
    /// Where the event stands in the log; `None`: it is a test's, which is in no log.
    pub position: Option<LogPosition>,
    /// When it came to be.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it is tried next; while it is pending.
    pub due_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// Its latest attempts, the oldest first.
    pub attempts: Vec<DeliveryAttempt>,
}

impl Delivery {
    /// A delivery that is due at once.
    pub fn new(
        id: DeliveryId,
        webhook: WebhookId,
        (event, kind, position): (EventId, EventKind, Option<LogPosition>),
        now: Timestamp,
    ) -> Self {
        let (state, due_at, attempts) = (DeliveryState::Pending, Some(now), Vec::new());
        Self { id, webhook, event, kind, position, created_at: now, state, due_at, ended_at: None, attempts }
    }

    /// Remembers an attempt and what came of it.
    pub fn tried(&mut self, attempt: DeliveryAttempt, end: DeliveryEnd, now: Timestamp) {
        self.attempts.push(attempt);
        if self.attempts.len() > REMEMBERED {
            self.attempts.remove(0);
        }
        (self.state, self.due_at, self.ended_at) = match end {
            DeliveryEnd::Taken => (DeliveryState::Delivered, None, Some(now)),
            DeliveryEnd::Again(due_at) => (DeliveryState::Pending, Some(due_at), None),
            DeliveryEnd::GivenUp => (DeliveryState::Failed, None, Some(now)),
        };
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// The webhook has it.
    Taken,
    /// It is to be tried again at this moment.
    Again(Timestamp),
    /// It is tried no more.
    GivenUp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_deliveries_follow_their_moments() {
        let at = |ms: i64| DeliveryId::new(Timestamp::from_millis(1_790_000_000_000 + ms), u128::MAX / 3);
        assert!(at(0) < at(1) && at(1) < at(1000));
        assert_eq!((at(0).0.get_version_num(), at(0).0.get_variant()), (7, uuid::Variant::RFC4122));
    }
}
