//! The sending side of a connection of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::{Reply, SentMessage, Shared, Shown, State, lock};
use crate::domain::{Fence, MediaKind, MessageId, PhoneNumber, Presence, Secret, Timestamp, Typing};
use crate::port::{
    FetchError, MessengerError, MessengerEvent, NumberStatus, Outgoing, PairingCode, SendAnswer, Sender, Uploaded,
};

pub(super) struct MemorySender {
    pub(super) shared: Arc<Shared>,
    pub(super) fence: Fence,
    pub(super) number: u64,
}

impl MemorySender {
    /// Whether this client is the session's and connected.
    fn connected(&self, state: &State) -> bool {
        state.clients.get(&self.fence.session).is_some_and(|client| client.number == self.number && client.connected)
    }

    fn show(&self, shown: Shown) -> Result<(), MessengerError> {
        let mut state = lock(&self.shared.state);
        if !self.connected(&state) {
            return Err(MessengerError::NotConnected);
        }
        state.shown.push(shown);
        Ok(())
    }

    /// Ends this client's connection, if it is still there.
    fn stop(&self) {
        let mut state = lock(&self.shared.state);
        if state.clients.get(&self.fence.session).is_some_and(|client| client.number == self.number) {
            state.clients.remove(&self.fence.session);
        }
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

impl Drop for MemorySender {
    fn drop(&mut self) {
        self.stop();
    }
}

#[async_trait]
impl Sender for MemorySender {
    async fn check(&self, numbers: &[PhoneNumber]) -> Result<Vec<NumberStatus>, MessengerError> {
        let answer = {
            let mut state = lock(&self.shared.state);
            if !self.connected(&state) {
                return Err(MessengerError::NotConnected);
            }
            state.checked.extend_from_slice(numbers);
            let unregistered = &state.unregistered;
            let of = |number| {
                if unregistered.contains(number) { NumberStatus::Unregistered } else { NumberStatus::Registered }
            };
            (state.unanswered.as_ref() != Some(&self.fence.session)).then(|| numbers.iter().map(of).collect())
        };
        self.shared.changed.notify_waiters();
        match answer {
            Some(answer) => Ok(answer),
            None => std::future::pending().await,
        }
    }

    async fn send(&self, message: &Outgoing, patience: Duration) -> Result<SendAnswer, MessengerError> {
        let reply = {
            let mut state = lock(&self.shared.state);
            if !self.connected(&state) {
                return Err(MessengerError::NotConnected);
            }
            let Outgoing { to, id, body, reply_to, not_after } = message.clone();
            let message = SentMessage { fence: self.fence.clone(), to, id, body, reply_to, not_after };
            let reply = (state.script)(&message);
            match &reply {
                Reply::NotConnected => return Err(MessengerError::NotConnected),
                Reply::Fenced => return Err(MessengerError::Fenced),
                Reply::TooLate => return Err(MessengerError::TooLate),
                Reply::Answer(_) | Reply::Held(_) => state.sent.push(message),
            }
            reply
        };
        self.shared.changed.notify_waiters();
        match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Held(answer) => match timeout(patience, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) | Err(_) => Ok(SendAnswer::Unknown),
            },
            Reply::NotConnected => Err(MessengerError::NotConnected),
            Reply::Fenced => Err(MessengerError::Fenced),
            Reply::TooLate => Err(MessengerError::TooLate),
        }
    }

    async fn upload(&self, _kind: MediaKind, bytes: Vec<u8>, _: Duration) -> Result<Uploaded, MessengerError> {
        let mut state = lock(&self.shared.state);
        if !self.connected(&state) {
            return Err(MessengerError::NotConnected);
        }
        if state.failing_uploads > 0 {
            state.failing_uploads -= 1;
            return Err(MessengerError::NoAnswer("an upload"));
        }
        let place = format!("/{}", state.uploads.len());
        let uploaded = Uploaded {
            url: Secret::new(format!("https://media.test{place}")),
            path: Secret::new(place),
            key: Secret::new([0; 32]),
            key_at: 0,
            sealed_sha256: [0; 32],
            sha256: Sha256::digest(&bytes).into(),
            length: bytes.len() as u64,
            sidecar: None,
        };
        state.uploads.push(bytes);
        Ok(uploaded)
    }

    async fn fetch(&self, source: &Secret<String>, _: Duration) -> Result<Vec<u8>, FetchError> {
        let mut state = lock(&self.shared.state);
        if !self.connected(&state) {
            return Err(MessengerError::NotConnected.into());
        }
        state.fetched += 1;
        drop(state);
        self.shared.changed.notify_waiters();
        let state = lock(&self.shared.state);
        match state.files.get(source.expose()) {
            Some(Some(bytes)) => Ok(bytes.clone()),
            Some(None) => Err(MessengerError::NoAnswer("a download").into()),
            None => Err(FetchError::Gone),
        }
    }

    async fn pairing_code(&self, number: &PhoneNumber) -> Result<PairingCode, MessengerError> {
        let (code, events) = {
            let state = lock(&self.shared.state);
            let Some(client) = state.clients.get(&self.fence.session).filter(|client| client.number == self.number)
            else {
                return Err(MessengerError::NotConnected);
            };
            if client.connected {
                return Err(MessengerError::Linked);
            }
            let digits = number.digits();
            let code = Secret::new(format!("CODE{}", &digits[digits.len() - 4..]));
            (PairingCode { code, valid_for: Duration::from_mins(3) }, client.events.clone())
        };
        let _ = events.send(MessengerEvent::PairingCode(code.clone())).await;
        Ok(code)
    }

    async fn restriction(&self) -> Result<Option<Timestamp>, MessengerError> {
        let state = lock(&self.shared.state);
        if !self.connected(&state) {
            return Err(MessengerError::NotConnected);
        }
        Ok(state.restricted)
    }

    async fn logout(&self) -> Result<(), MessengerError> {
        {
            let mut state = lock(&self.shared.state);
            if !self.connected(&state) {
                return Err(MessengerError::NotConnected);
            }
            state.logged_out.push(self.fence.session.clone());
        }
        self.stop();
        Ok(())
    }

    async fn mark_read(&self, chat: &PhoneNumber, messages: &[MessageId]) -> Result<(), MessengerError> {
        self.show(Shown::Read(chat.clone(), messages.to_vec()))
    }

    async fn show_typing(&self, chat: &PhoneNumber, typing: Typing) -> Result<(), MessengerError> {
        self.show(Shown::Typing(chat.clone(), typing))
    }

    async fn show_presence(&self, presence: Presence) -> Result<(), MessengerError> {
        self.show(Shown::Presence(presence))
    }

    async fn close(&self, _deadline: Duration) -> bool {
        self.stop();
        true
    }
}
