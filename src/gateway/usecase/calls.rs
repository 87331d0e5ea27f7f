//! What only the owner of a session can do: asked of it at once, and answered at once or not at all.

use std::time::Duration;

use kurir_core::domain::{
    PhoneNumber, Presence, Secret, SessionId, SessionRecord, SessionState, TenantId, Timestamp, Typing, Wanted,
};
use kurir_core::port::{Called, PAIRING_LIMIT};
use kurir_core::wire::{CallAnswerV1, CallV1};

use super::{UseCaseError, UseCases};

/// How long an owner may take. Less than a request may take by default, so that the caller hears what happened.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a code that links: the owner has all of its time, and a moment to say that it was not enough.
const PAIRING_PATIENCE: Duration = PAIRING_LIMIT.saturating_add(Duration::from_secs(2));

/// A question for a pairing code that comes back unanswered sooner than this was lost with its connection; after how long it is
/// put again.
const LOST_WITHIN: Duration = Duration::from_secs(3);
const LOST_PAUSE: Duration = Duration::from_millis(300);

/// Most numbers in one check: WhatsApp's own clients ask for that many.
const MOST_NUMBERS: usize = 50;

/// Most messages that are marked as read at once.
const MOST_MESSAGES: usize = 100;

/// Longest id of a message at WhatsApp, bytes.
const LONGEST_ID: usize = 128;

/// Whether a number has WhatsApp.
#[derive(Clone, Debug)]
pub struct CheckedNumber {
    /// The number.
    pub number: PhoneNumber,
    /// Whether it has.
    pub on_whatsapp: bool,
}

/// A code to type on the phone.
#[derive(Clone, Debug)]
pub struct PairingCode {
    /// Whoever types it links the session.
    pub code: Secret<String>,
    /// When WhatsApp stops taking it.
    pub expires_at: Timestamp,
}

impl UseCases {
    /// Which of these numbers have WhatsApp, asked through a session at its own pace.
    pub async fn check_numbers(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        numbers: &[String],
    ) -> Result<Vec<CheckedNumber>, UseCaseError> {
        if numbers.is_empty() || numbers.len() > MOST_NUMBERS {
            return Err(UseCaseError::field("numbers", format!("must be 1 to {MOST_NUMBERS} numbers")));
        }
        let parsed: Result<Vec<PhoneNumber>, UseCaseError> =
            numbers.iter().map(|number| self.number_in("numbers", number)).collect();
        let numbers = parsed?;
        let record = self.own_session(tenant, session).await.map_err(in_body)?;
        match self.ask(&record, &CallV1::CheckNumbers { numbers: numbers.clone() }).await? {
            CallAnswerV1::Numbers { on_whatsapp } if on_whatsapp.len() == numbers.len() => {
                let checked = numbers.into_iter().zip(on_whatsapp);
                Ok(checked.map(|(number, on_whatsapp)| CheckedNumber { number, on_whatsapp }).collect())
            }
            other => Err(unexpected(&record, &other)),
        }
    }

    /// Shows the writer of messages that they were read.
    pub async fn mark_read(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        chat: &str,
        messages: Vec<String>,
    ) -> Result<(), UseCaseError> {
        let record = self.own_session(tenant, session).await?;
        let chat = self.number_in("number", chat)?;
        if messages.is_empty() || messages.len() > MOST_MESSAGES {
            let message = format!("must be 1 to {MOST_MESSAGES} ids of messages");
            return Err(UseCaseError::field("message_ids", message));
        }
        let is_id =
            |id: &String| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        if !messages.iter().all(is_id) {
            return Err(UseCaseError::field("message_ids", "must be ids of WhatsApp's, as events tell them"));
        }
        self.done(&record, &CallV1::MarkRead { chat, messages }).await
    }

    /// Shows in a chat that somebody writes, or not any more.
    pub async fn show_typing(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        chat: &str,
        typing: Typing,
    ) -> Result<(), UseCaseError> {
        let record = self.own_session(tenant, session).await?;
        let chat = self.number_in("number", chat)?;
        self.done(&record, &CallV1::ShowTyping { chat, typing }).await
    }

    /// Shows the session's contacts that it is there, or not.
    pub async fn show_presence(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        presence: Presence,
    ) -> Result<(), UseCaseError> {
        let record = self.own_session(tenant, session).await?;
        self.done(&record, &CallV1::ShowPresence { presence }).await
    }

    /// A code that links the session when it is typed on the phone of this number. Asking starts a session that rests because
    /// nobody scanned, as asking for a QR code does.
    pub async fn pairing_code(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        number: &str,
    ) -> Result<PairingCode, UseCaseError> {
        let record = self.own_session(tenant, session).await?;
        let number = self.number_in("number", number)?;
        let rests = matches!(record.status.state, SessionState::ScanTimedOut | SessionState::LoggedOut);
        if rests && record.wanted == Wanted::Stopped {
            self.ports.sessions.want(session, Wanted::Running).await?;
            self.nudge().await;
            return Err(UseCaseError::NotConnected { state: record.status.state, soon: true });
        }
        let (call, asked) = (CallV1::PairingCode { number }, tokio::time::Instant::now());
        let mut answer = self.ask(&record, &call).await;
        // A connection that ends meanwhile (a restart, an expired round), or an owner that does, takes the question with it. The
        // next one is there soon, and a code that was asked for twice is the later one.
        while matches!(answer, Ok(CallAnswerV1::NoAnswer) | Err(UseCaseError::NoAnswer))
            && asked.elapsed() < LOST_WITHIN
        {
            tokio::time::sleep(LOST_PAUSE).await;
            answer = self.ask(&self.own_session(tenant, session).await?, &call).await;
        }
        let answer = answer?;
        match answer {
            CallAnswerV1::PairingCode { code, expires_at } => Ok(PairingCode { code, expires_at }),
            other => Err(unexpected(&record, &other)),
        }
    }

    fn number_in(&self, field: &'static str, text: &str) -> Result<PhoneNumber, UseCaseError> {
        PhoneNumber::parse(text, self.default_country.as_deref())
            .map_err(|error| UseCaseError::field(field, error.to_string()))
    }

    async fn done(&self, record: &SessionRecord, call: &CallV1) -> Result<(), UseCaseError> {
        match self.ask(record, call).await? {
            CallAnswerV1::Done => Ok(()),
            other => Err(unexpected(record, &other)),
        }
    }

    /// Asks the session's owner; what is no answer to the question is an error.
    pub(super) async fn ask(&self, record: &SessionRecord, call: &CallV1) -> Result<CallAnswerV1, UseCaseError> {
        if record.wanted == Wanted::Deleted {
            return Err(UseCaseError::SessionDeleted);
        }
        let patience = if let CallV1::PairingCode { .. } = call { PAIRING_PATIENCE } else { PATIENCE };
        let called = self.ports.calls.call(&record.id, call.encode(), patience).await?;
        match called {
            Called::Answered(answer) => CallAnswerV1::decode(&answer).ok_or(UseCaseError::NotUnderstood),
            Called::NoOwner => Err(not_connected(record)),
            Called::Busy => Err(UseCaseError::SessionBusy),
            Called::NoAnswer => Err(UseCaseError::NoAnswer),
        }
    }
}

fn not_connected(record: &SessionRecord) -> UseCaseError {
    UseCaseError::NotConnected { state: record.status.state, soon: record.wanted == Wanted::Running }
}

/// An answer that is not the one that was asked for.
pub(super) fn unexpected(record: &SessionRecord, answer: &CallAnswerV1) -> UseCaseError {
    match answer {
        CallAnswerV1::NotConnected => not_connected(record),
        CallAnswerV1::Linked => UseCaseError::Linked { state: record.status.state },
        CallAnswerV1::NoAnswer => UseCaseError::NoAnswer,
        CallAnswerV1::Refused => UseCaseError::WhatsAppRefused,
        CallAnswerV1::Done
        | CallAnswerV1::Numbers { .. }
        | CallAnswerV1::PairingCode { .. }
        | CallAnswerV1::NotUnderstood => UseCaseError::NotUnderstood,
    }
}

/// A session that the body names.
fn in_body(error: UseCaseError) -> UseCaseError {
    match error {
        UseCaseError::NotFound { what, .. } => UseCaseError::NotFound { what, field: Some("session") },
        other => other,
    }
}
