//! A code's message on its way into a queue.

use std::time::Duration;

use kurir_core::domain::{
    Channel, CodeDelivery, EventKind, Job, Lane, LedgerEntry, MessageState, Secret, Timestamp, Verification,
};
use kurir_core::port::{Enqueued, JobHeaders, LedgerWrite, PortError, PublishJob};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1, MessageDataV1, VerificationDataV1};

use super::Carer;

/// When a message that was just queued is looked at.
const FIRST_LOOK: Duration = Duration::from_secs(1);

impl Carer {
    /// Queues the message of the present sending: first its entry, then the job, as the gateway does it. Doing it again is
    /// harmless, since it has the same id.
    pub(super) async fn queue(&self, of: Verification, patience: Duration, now: Timestamp) -> Result<(), PortError> {
        let Some(code) = self.ports.verifications.code_of(&of.tenant, of.id).await? else { return Ok(()) };
        let Some((job, body)) = message(&of, code, now) else {
            return self.give_up(&of, "bad_field", now).await;
        };
        let entry = LedgerEntry::new(&job, now);
        let events = MessageDataV1::events(&entry, MessageState::Queued, entry.session.as_ref(), now);
        // One that is there already stays.
        let write = LedgerWrite { fence: None, entry, spent: None, events };
        self.ports.ledger.write(vec![write]).await?;
        let publish = PublishJob {
            target: job.target.clone(),
            lane: job.lane,
            body,
            headers: JobHeaders {
                kind: JOB_KIND.to_owned(),
                message_id: Some(job.id.to_string()),
                user: Some(job.tenant.to_string()),
                enqueued_at: Some(now),
                ..JobHeaders::default()
            },
        };
        let reason = match self.ports.jobs.publish(vec![publish]).await {
            Ok(answers) if answers == [Enqueued::Accepted] => {
                let event = VerificationDataV1::event(EventKind::VerificationSent, &of, None, now);
                let due_at = Some(now.plus(FIRST_LOOK).min(of.expires_at));
                let record = Verification { delivery: CodeDelivery::Handed, hop_at: now, due_at, ..of };
                return self.save(record, None, vec![event]).await.map(drop);
            }
            Ok(_) => "wrong_target",
            // It stays due, and is tried again as long as its channel has patience.
            Err(error) if now < of.hop_at.plus(patience) => return Err(error),
            Err(_) => "not_queued",
        };
        self.give_up(&of, reason, now).await
    }
}

fn message(of: &Verification, code: Secret<String>, now: Timestamp) -> Option<(Job, Vec<u8>)> {
    let (session, pool) = match &of.channel()?.channel {
        Channel::Session(session) => (Some(session.to_string()), None),
        Channel::Pool(pool) => (None, Some(pool.to_string())),
        Channel::Webhook(_) => return None,
    };
    let wire = JobV1 {
        id: of.job().as_uuid(),
        tenant: of.tenant.to_string(),
        session,
        pool,
        to: format!("+{}", of.to.digits()),
        lane: Lane::Otp,
        content: ContentV1::Otp { code: code.into_inner(), text: Some(of.text.clone()) },
        expires_at: Some(of.expires_at.to_rfc3339()),
        enqueued_at: Some(now.to_rfc3339()),
        metadata: of.metadata.clone(),
    };
    let body = serde_json::to_vec(&wire).ok()?;
    Some((wire.into_job(None).ok()?, body))
}
