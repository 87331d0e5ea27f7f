//! From what a caller asks for to a job of the contract.

use std::time::Duration;

use kurir_core::domain::{BatchId, FailReason, Job, JobId, Lane, LedgerEntry, TenantId, Timestamp};
use kurir_core::port::{JobHeaders, PublishJob};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1, MAX_BODY};
use uuid::Uuid;

use super::enqueue::Enqueue;
use super::{UseCaseError, UseCases};

/// Longest time to live that a caller may ask for.
const MAX_TTL: u32 = 30 * 24 * 3600;

/// A job that holds up, and how it goes into its queue.
pub(super) struct Prepared {
    /// The job.
    pub job: Job,
    /// The same on its way.
    pub publish: PublishJob,
    /// The batch that it belongs to.
    pub batch: Option<BatchId>,
}

impl UseCases {
    /// Checks all of a request that can be checked without asking anybody.
    pub(super) fn prepare(
        &self,
        tenant: &TenantId,
        request: Enqueue,
        now: Timestamp,
    ) -> Result<Prepared, UseCaseError> {
        let (traceparent, batch) = (request.traceparent.clone(), request.batch);
        let wire = self.wire(tenant, request, now)?;
        let body = serde_json::to_vec(&wire).map_err(|error| UseCaseError::field("content", error.to_string()))?;
        if body.len() > MAX_BODY {
            return Err(UseCaseError::TooLarge);
        }
        let job = wire.into_job(self.default_country.as_deref()).map_err(|(reason, detail)| bad(reason, &detail))?;
        let publish = PublishJob {
            target: job.target.clone(),
            lane: job.lane,
            body,
            headers: JobHeaders {
                kind: JOB_KIND.to_owned(),
                message_id: Some(job.id.to_string()),
                traceparent,
                user: Some(job.tenant.to_string()),
                enqueued_at: Some(now),
                ..JobHeaders::default()
            },
        };
        Ok(Prepared { job, publish, batch })
    }

    /// The request as a job of the contract.
    fn wire(&self, tenant: &TenantId, request: Enqueue, now: Timestamp) -> Result<JobV1, UseCaseError> {
        let otp = matches!(request.content, ContentV1::Otp { .. });
        let lane = request.lane.unwrap_or(if otp { Lane::Otp } else { Lane::Bulk });
        let ttl = match (request.ttl, &request.expires_at) {
            (Some(_), Some(_)) => {
                return Err(UseCaseError::field("ttl", "either ttl or expires_at is given, not both"));
            }
            (Some(ttl), None) if (1..=MAX_TTL).contains(&ttl) => Some(Duration::from_secs(ttl.into())),
            (Some(_), None) => {
                return Err(UseCaseError::field("ttl", format!("must be from 1 to {MAX_TTL} seconds")));
            }
            (None, None) if lane == Lane::Otp => self.otp_ttl,
            (None, _) => None,
        };
        let expires_at = ttl.map(|ttl| now.plus(ttl).to_rfc3339()).or(request.expires_at);
        Ok(JobV1 {
            id: request.id.map_or_else(|| self.random_job_id(now), JobId::as_uuid),
            tenant: tenant.to_string(),
            session: request.session,
            pool: request.pool,
            to: request.to,
            lane,
            content: request.content,
            expires_at,
            enqueued_at: Some(now.to_rfc3339()),
            metadata: request.metadata,
        })
    }

    /// A UUID of version 7.
    pub(in crate::gateway) fn random_job_id(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.ports.entropy.fill(&mut random);
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// Whether an entry that was found under a job's id is that job's. The ledger holds neither the number nor the text, so
/// this is as much as can be compared. A pool's job belongs to a session by now, or to none yet.
pub(super) fn is_same(found: &LedgerEntry, new: &LedgerEntry) -> bool {
    let sessions_differ = new.session.is_some() && found.session != new.session;
    found.recipient == new.recipient && !sessions_differ && found.lane == new.lane
}

/// The contract tells a bad field as `field: what is wrong`.
fn bad(reason: FailReason, detail: &str) -> UseCaseError {
    // What is within another one stands before it.
    const FIELDS: [&str; 26] = [
        "session",
        "pool",
        "to",
        "content.text",
        "content.latitude",
        "content.longitude",
        "content.name",
        "content.address",
        "content.numbers",
        "content.emoji",
        "content.media",
        "content.url",
        "content.caption",
        "content.filename",
        "content.kind",
        "content.message.job",
        "content.message.message_id",
        "content.message.from",
        "content.message",
        "content.reply_to.job",
        "content.reply_to.message_id",
        "content.reply_to.from",
        "content.reply_to",
        "expires_at",
        "metadata",
        "tenant",
    ];
    let (name, message) = detail.split_once(": ").unwrap_or(("", detail));
    let field = FIELDS.into_iter().find(|field| name.starts_with(field)).unwrap_or("content");
    UseCaseError::Field { field, reason, message: message.to_owned() }
}
