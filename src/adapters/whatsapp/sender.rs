//! The sending side of a connection.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{MediaKind, MessageId, PhoneNumber, Presence, Secret, Timestamp, Typing};
use kurir_core::port::{
    Clock, FetchError, MessengerError, NumberStatus, Outgoing, PairingCode, SendAnswer, Sender, Uploaded,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use whatsapp_rust::features::ContactError;
use whatsapp_rust::send::SendOptions;
use whatsapp_rust::wacore::iq::devices::RemoveCompanionDeviceSpec;
use whatsapp_rust::wacore_binary::Node;
use whatsapp_rust::{Client, Jid, NodeFilter};

use super::copies;
use super::driver::{Driving, Ended};
use super::events::{Court, Verdict};
use super::failure;
use super::media;
use super::message;
use super::pairing::ShownCode;
use super::pending::Pending;
use super::restriction;
use super::state::StateBackend;
use super::write_fence::{self, WriteFence};

/// How long WhatsApp may take to answer a query; the library itself would wait 75 s.
const QUERY_LIMIT: Duration = Duration::from_secs(20);
/// How long a client may take to stop once WhatsApp has logged it out.
const LOGOUT_LIMIT: Duration = Duration::from_secs(20);

/// Sends on one connection.
pub(super) struct WhatsAppSender {
    pub client: Arc<Client>,
    pub backend: Arc<StateBackend>,
    pub pending: Arc<Pending>,
    pub writes: Arc<WriteFence>,
    pub court: Arc<Court>,
    pub shown: Arc<ShownCode>,
    pub driving: Driving,
    pub sends: TaskTracker,
    pub tasks: TaskTracker,
    pub hurry: CancellationToken,
    pub span: tracing::Span,
    pub clock: Arc<dyn Clock>,
}

impl WhatsAppSender {
    /// Whether there is a connection to use.
    fn ready(&self) -> Result<(), MessengerError> {
        if self.backend.fenced().is_cancelled() {
            return Err(MessengerError::Fenced);
        }
        if self.court.stop.is_cancelled() || !self.client.is_logged_in() {
            return Err(MessengerError::NotConnected);
        }
        Ok(())
    }

    /// The error, or that the session has another owner, which explains it.
    pub(super) fn explained(&self, error: MessengerError) -> MessengerError {
        if self.backend.fenced().is_cancelled() { MessengerError::Fenced } else { error }
    }

    async fn query_numbers(&self, jids: &[Jid]) -> Result<HashMap<String, bool>, MessengerError> {
        const WHAT: &str = "a number check";
        let answer = timeout(QUERY_LIMIT, self.client.contacts().is_on_whatsapp(jids)).await;
        let results = answer.map_err(|_| MessengerError::NoAnswer(WHAT))?.map_err(|error| match error {
            ContactError::Iq(error) => self.explained(failure::query(WHAT, &error)),
            other => failure::client(WHAT, &other),
        })?;
        let mut registered = HashMap::with_capacity(results.len());
        for result in &results {
            for jid in [Some(&result.jid), result.pn_jid.as_ref()].into_iter().flatten().filter(|jid| jid.is_pn()) {
                registered.insert(jid.user.to_string(), result.is_registered);
            }
        }
        Ok(registered)
    }

    /// Sends, and gives up after `patience` or when the client stops. What has not been given to the task that writes by
    /// then is never written; the rest is the fence's.
    async fn send_within(&self, outgoing: &Outgoing, patience: Duration) -> Result<SendAnswer, MessengerError> {
        // The driver lets go of the connection only when no send holds this any more.
        let _sending = self.sends.token();
        let stanza = || NodeFilter::tag("message").attr("id", outgoing.id.as_str());
        // Told just before the stanza is given away; dropped when the connection ends before that.
        let (mut told, ended) = (self.client.wait_for_sent_node(stanza()), self.client.wait_for_sent_node(stanza()));
        let mut shown = self.client.wait_for_sent_node(stanza());
        let mut given = false;
        let place = self.writes.enter(outgoing.not_after, move || {
            given = given || matches!(told.try_recv(), Ok(Some(_)));
            given
        });
        let fenced = self.backend.fenced();
        let given_up = |error| if place.is_given() { Ok(SendAnswer::Unknown) } else { Err(self.explained(error)) };
        let outcome = tokio::select! {
            biased;
            outcome = self.put_on_wire(outgoing, &place, ended) => outcome,
            () = tokio::time::sleep(patience) => given_up(MessengerError::NoAnswer("a query before a send")),
            () = self.court.stop.cancelled() => given_up(MessengerError::NotConnected),
            () = fenced.cancelled() => given_up(MessengerError::Fenced),
        };
        let own = [self.client.pn(), self.client.lid()];
        let for_nobody = |stanza: &Node| !copies::reaches_somebody(stanza, own.as_slice());
        match outcome {
            // WhatsApp has taken what goes to nobody but the account's own phone. It may be sent again under the same id.
            Ok(SendAnswer::Accepted | SendAnswer::Unknown)
                if shown.try_recv().is_ok_and(|stanza| stanza.is_some_and(|stanza| for_nobody(&stanza))) =>
            {
                Err(failure::client("sending a message", &"the client had no copy for the recipient"))
            }
            outcome => outcome,
        }
    }

    /// `ended` fails when the connection ends before the stanza is given away: the library would go on with the next one, which
    /// knows nothing of this message.
    async fn put_on_wire<N, E>(
        &self,
        outgoing: &Outgoing,
        place: &write_fence::Place,
        ended: impl Future<Output = Result<N, E>>,
    ) -> Result<SendAnswer, MessengerError> {
        let mut answer = self.pending.register(outgoing.id.as_str());
        let mut write = pin!(self.write(outgoing));
        let mut last = pin!(self.until(outgoing.not_after));
        let mut ended = pin!(async {
            if ended.await.is_ok() {
                std::future::pending::<()>().await;
            }
        });
        let mut late = false;
        loop {
            tokio::select! {
                biased;
                written = &mut write => {
                    if !written? {
                        return Ok(SendAnswer::Unknown);
                    }
                    place.written();
                    return Ok(answer.answer().await);
                }
                said = answer.answer() => {
                    if said == SendAnswer::Unknown {
                        return if place.is_given() { Ok(said) } else { Err(MessengerError::NotConnected) };
                    }
                    place.written();
                    // The client has something to note yet.
                    let _ = write.await;
                    return Ok(said);
                }
                () = &mut ended => return Err(MessengerError::NotConnected),
                // Given away before, it is written just now, and then WhatsApp answers; or it never is, and then the
                // connection ends.
                () = &mut last, if !late => {
                    if !place.is_given() {
                        return Err(MessengerError::TooLate);
                    }
                    late = true;
                }
            }
        }
    }

    /// Returns whether the message was written; `false`: nobody knows.
    async fn write(&self, outgoing: &Outgoing) -> Result<bool, MessengerError> {
        if let Some(not_after) = outgoing.not_after {
            self.backend.limit_repetition(outgoing.id.as_str(), not_after);
        }
        let options = SendOptions::default().with_message_id(outgoing.id.as_str());
        let chat = message::Chat::of(&self.client, outgoing).await?;
        let message = message::message(outgoing, &chat, self.clock.now());
        match self.client.send_message_with_options(message::address(&outgoing.to), message, options).await {
            Ok(_) => Ok(true),
            Err(error) => failure::send(&error).map_or(Ok(false), |error| Err(self.explained(error))),
        }
    }

    async fn until(&self, moment: Option<Timestamp>) {
        match moment {
            Some(moment) => tokio::time::sleep(moment.since(self.clock.now())).await,
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Sender for WhatsAppSender {
    async fn check(&self, numbers: &[PhoneNumber]) -> Result<Vec<NumberStatus>, MessengerError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        self.ready()?;
        let jids: Vec<Jid> = numbers.iter().map(|number| Jid::pn(number.digits())).collect();
        let registered = self.query_numbers(&jids).instrument(self.span.clone()).await?;
        // A number that the answer leaves out has no account under these digits, and only these could be sent to.
        let status = |number: &PhoneNumber| match registered.get(number.digits()) {
            Some(true) => NumberStatus::Registered,
            Some(false) | None => NumberStatus::Unregistered,
        };
        Ok(numbers.iter().map(status).collect())
    }

    async fn send(&self, message: &Outgoing, patience: Duration) -> Result<SendAnswer, MessengerError> {
        self.ready()?;
        self.send_within(message, patience).instrument(self.span.clone()).await
    }

    async fn upload(&self, kind: MediaKind, bytes: Vec<u8>, patience: Duration) -> Result<Uploaded, MessengerError> {
        self.ready()?;
        let uploading = media::upload(&self.client, kind, bytes);
        tokio::select! {
            biased;
            () = self.court.stop.cancelled() => Err(MessengerError::NotConnected),
            uploaded = timeout(patience, uploading).instrument(self.span.clone()) => {
                uploaded.map_err(|_| MessengerError::NoAnswer("an upload"))?
            }
        }
    }

    async fn fetch(&self, source: &Secret<String>, patience: Duration) -> Result<Vec<u8>, FetchError> {
        self.ready()?;
        let fetching = media::fetch(&self.client, source);
        tokio::select! {
            biased;
            () = self.court.stop.cancelled() => Err(MessengerError::NotConnected.into()),
            fetched = timeout(patience, fetching).instrument(self.span.clone()) => {
                fetched.map_err(|_| MessengerError::NoAnswer("a download"))?
            }
        }
    }

    async fn pairing_code(&self, number: &PhoneNumber) -> Result<PairingCode, MessengerError> {
        self.ask_pairing_code(number).instrument(self.span.clone()).await
    }

    async fn restriction(&self) -> Result<Option<Timestamp>, MessengerError> {
        self.ready()?;
        let asked = timeout(QUERY_LIMIT, restriction::ask(&self.client)).instrument(self.span.clone()).await;
        asked.map_err(|_| MessengerError::NoAnswer("a query for restrictions"))?
    }

    async fn logout(&self) -> Result<(), MessengerError> {
        const WHAT: &str = "the logout";
        self.ready()?;
        let own = self.client.pn().ok_or(MessengerError::NotConnected)?;
        let asked = timeout(QUERY_LIMIT, self.client.execute(RemoveCompanionDeviceSpec::new(&own)))
            .instrument(self.span.clone())
            .await;
        // WhatsApp also ends the stream, and that may overtake its answer: with word of the logout, or without, and then
        // the next login tells.
        if self.court.verdict() != Some(Verdict::LoggedOut) {
            let failed = match asked {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(failure::query(WHAT, &error)),
                Err(_) => Some(MessengerError::NoAnswer(WHAT)),
            };
            match failed {
                None => self.court.pass(Verdict::LoggedOut),
                Some(error) => {
                    self.driving.ended(LOGOUT_LIMIT).await;
                    if self.court.verdict() != Some(Verdict::LoggedOut) {
                        return Err(error);
                    }
                }
            }
        }
        let stopped = self.driving.ended(LOGOUT_LIMIT).await;
        stopped.map(|_| ()).ok_or(MessengerError::NoAnswer("the client's stop after the logout"))
    }

    async fn mark_read(&self, chat: &PhoneNumber, messages: &[MessageId]) -> Result<(), MessengerError> {
        self.ready()?;
        self.tell_read(chat, messages).instrument(self.span.clone()).await
    }

    async fn show_typing(&self, chat: &PhoneNumber, typing: Typing) -> Result<(), MessengerError> {
        self.ready()?;
        self.tell_typing(chat, typing).instrument(self.span.clone()).await
    }

    async fn show_presence(&self, presence: Presence) -> Result<(), MessengerError> {
        self.ready()?;
        self.tell_presence(presence).instrument(self.span.clone()).await
    }

    async fn close(&self, deadline: Duration) -> bool {
        self.court.stop.cancel();
        let flushed = self.driving.ended(deadline).await == Some(Ended::Flushed);
        self.driving.abort.cancel();
        self.hurry.cancel();
        self.tasks.close();
        // What is left does not wait for anybody: the driver was told to leave the client, the events go where they
        // fit, and the transport ends with the client.
        self.tasks.wait().await;
        flushed
    }
}

impl Drop for WhatsAppSender {
    fn drop(&mut self) {
        // A connection that nobody closed must not go on: its session may soon have another owner.
        self.court.stop.cancel();
        self.hurry.cancel();
    }
}
