//! Calls to a session's owner, between the gateway and the workers of one fleet. No part of the contract with others: both
//! sides are kurir, and a call lives for seconds. A worker that does not know a call says so, for the time in which a fleet is
//! brought to another version.

use serde::{Deserialize, Serialize};

use crate::domain::{PhoneNumber, Presence, Secret, Timestamp, Typing};

/// What the owner of a session is asked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum CallV1 {
    /// Which of these numbers have WhatsApp.
    CheckNumbers {
        /// At most 50.
        numbers: Vec<PhoneNumber>,
    },
    /// Show the writer of these messages that they were read.
    MarkRead {
        /// Whose chat.
        chat: PhoneNumber,
        /// WhatsApp's ids of them.
        messages: Vec<String>,
    },
    /// Show in a chat that somebody writes, or not any more.
    ShowTyping {
        /// Whose chat.
        chat: PhoneNumber,
        /// What to show.
        typing: Typing,
    },
    /// Show the session's contacts that it is there, or not.
    ShowPresence {
        /// What to show.
        presence: Presence,
    },
    /// Ask for a code that is typed on the phone of this number to link it.
    PairingCode {
        /// The number of the phone.
        number: PhoneNumber,
    },
}

impl CallV1 {
    /// The call's name, for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CheckNumbers { .. } => "check_numbers",
            Self::MarkRead { .. } => "mark_read",
            Self::ShowTyping { .. } => "show_typing",
            Self::ShowPresence { .. } => "show_presence",
            Self::PairingCode { .. } => "pairing_code",
        }
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Texts and lists of them always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`CallV1::encode`] wrote; `None`: another version's.
    pub fn decode(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

impl std::fmt::Debug for CallV1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the owner answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum CallAnswerV1 {
    /// It is done.
    Done,
    /// Of each number, in order, whether it has WhatsApp.
    Numbers {
        /// As many as were asked for.
        on_whatsapp: Vec<bool>,
    },
    /// A code to type.
    PairingCode {
        /// Whoever types it links the session.
        code: Secret<String>,
        /// When WhatsApp stops taking it.
        expires_at: Timestamp,
    },
    /// The session has no connection now, or not one that this can be done on.
    NotConnected,
    /// The session is linked already.
    Linked,
    /// WhatsApp did not answer.
    NoAnswer,
    /// WhatsApp refused.
    Refused,
    /// The worker does not know this call.
    NotUnderstood,
}

impl CallAnswerV1 {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Texts and lists of them always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`CallAnswerV1::encode`] wrote; `None`: another version's.
    pub fn decode(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_answers_are_read_back_and_show_nothing() {
        let number = PhoneNumber::parse("6281234567890", None).unwrap();
        let calls = [
            CallV1::CheckNumbers { numbers: vec![number.clone()] },
            CallV1::MarkRead { chat: number.clone(), messages: vec!["3EB0".into()] },
            CallV1::ShowTyping { chat: number.clone(), typing: Typing::Recording },
            CallV1::ShowPresence { presence: Presence::Unavailable },
            CallV1::PairingCode { number },
        ];
        for call in calls {
            assert_eq!(CallV1::decode(&call.encode()), Some(call.clone()));
            assert!(!format!("{call:?}").contains("628"), "{call:?}");
            assert!(String::from_utf8(call.encode()).unwrap().contains(call.name()));
        }
        let code = Secret::new("ABCD1234".to_owned());
        let answer = CallAnswerV1::PairingCode { code, expires_at: Timestamp::from_millis(5) };
        assert_eq!(CallAnswerV1::decode(&answer.encode()), Some(answer.clone()));
        assert!(!format!("{answer:?}").contains("ABCD"));
        assert_eq!(CallV1::decode(br#"{"call":"of_tomorrow"}"#), None);
        assert_eq!(CallAnswerV1::decode(b""), None);
    }
}
