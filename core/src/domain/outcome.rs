//! How a job's attempt ended: a vocabulary, not error strings.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What becomes of a job after one attempt to process it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// WhatsApp's server has taken it (at this moment).
    Done(Timestamp),
    /// Not this time; once more after this span. Spends an attempt.
    RetryAfter(Duration, FailReason),
    /// A limit says when it may go. Spends no attempt.
    ParkUntil(Timestamp, FailReason),
    /// It will never go, for this reason.
    Fail(FailReason),
    /// Its deadline has passed before it was on the wire.
    Expire,
    /// It was on the wire, no answer came, and its deadline has passed: nobody knows.
    Uncertain,
    /// The session was lost to another owner or the worker is stopping: no attempt is spent, the job stays in its queue.
    /// Nothing is written, unless it was on the wire and our own stop interrupts it: then that the attempt was not
    /// spent.
    Abandon,
}

/// The answer of WhatsApp's server to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendAnswer {
    /// Taken.
    Accepted,
    /// Refused with an error code (463: may not open new chats, 429: too fast, 479, …).
    Refused(u16),
    /// None within the time given, or the connection was cut: it may have been taken.
    Unknown,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// Why a job failed or waits. The text is part of the contract: it stands in events, dead letters and answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum FailReason {
            $($(#[$doc])* #[serde(rename = $text)] $name),+
        }

        impl FailReason {
            /// Every reason, for the schema and the docs.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The reason as the contract writes it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Reads what [`FailReason::as_str`] wrote.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
            }
        }
    };
}

reasons! {
    /// The body is not JSON.
    BadJson = "bad_json",
    /// The message's type names a version that this program does not know.
    UnknownVersion = "unknown_version",
    /// A field is missing, unknown or has the wrong type.
    BadField = "bad_field",
    /// The recipient is no phone number.
    BadNumber = "bad_number",
    /// The body is larger than 64 KiB.
    BodyTooLarge = "body_too_large",
    /// A job of the otp lane has no `expires_at`.
    MissingDeadline = "missing_deadline",
    /// The body's session or pool is not the one of the queue it stood in.
    WrongTarget = "wrong_target",
    /// The tenant in the body is not the one the broker vouches for.
    WrongTenant = "wrong_tenant",
    /// The number has no WhatsApp account.
    NotOnWhatsapp = "not_on_whatsapp",
    /// The recipient got a one-time password too recently.
    RecipientLimited = "recipient_limited",
    /// The sender's own pace.
    SenderLimited = "sender_limited",
    /// The sender has sent as many messages today as it may.
    SenderDailyCap = "sender_daily_cap",
    /// The sender's number is new and has sent as many messages today as its warm-up allows.
    SenderWarmingUp = "sender_warming_up",
    /// The sender has written to as many new recipients today as it may.
    SenderColdContacts = "sender_cold_contacts",
    /// WhatsApp refuses to open new chats for this account (error 463 and the like).
    SenderRestricted = "sender_restricted",
    /// WhatsApp told the sender to slow down (429).
    RateLimited = "rate_limited",
    /// WhatsApp refused the message for another reason.
    RefusedByWhatsapp = "refused_by_whatsapp",
    /// The sender is not connected.
    SenderDisconnected = "sender_disconnected",
    /// The sender was logged out on its phone.
    SenderLoggedOut = "sender_logged_out",
    /// The sender is banned.
    SenderBanned = "sender_banned",
    /// The recipient wants no bulk messages of this tenant.
    Suppressed = "suppressed",
    /// Its session was deleted before it was on the wire.
    SessionDeleted = "session_deleted",
    /// The client could not put it on the wire.
    SendFailed = "send_failed",
    /// WhatsApp did not answer.
    NoAnswer = "no_answer",
    /// Somebody asked for a later moment.
    Rescheduled = "rescheduled",
    /// The queue did not take it; it is not sent under this id.
    NotQueued = "not_queued",
    /// As [`FailReason::NotQueued`], in entries of before there was the state `cancelled`.
    Cancelled = "cancelled",
}

impl fmt::Display for FailReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
