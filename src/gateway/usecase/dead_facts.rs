//! What may be told of a dead letter, and whose it is.

use kurir_core::domain::{JobId, Lane, PhoneNumber, Target, TenantId, Timestamp};
use kurir_core::port::{DeadId, DeadJob};
use serde_json::Value;

/// What may be told of a dead letter: neither its body nor anything out of it that is a secret.
#[derive(Clone, Debug)]
pub struct DeadFacts {
    /// Its name among the letters.
    pub id: DeadId,
    /// The routing key under which it was a job; as it came.
    pub key: String,
    /// Where it stood, if its key is one of the contract.
    pub place: Option<(Target, Lane)>,
    /// Why it is dead.
    pub reason: String,
    /// Which field or what detail; never a value.
    pub detail: String,
    /// When it died, where that is known.
    pub died_at: Option<Timestamp>,
    /// When it was enqueued, where that is known.
    pub enqueued_at: Option<Timestamp>,
    /// How often an attempt was spent.
    pub attempts: u32,
    /// How often it was parked.
    pub parked: u32,
    /// The version of its body; as it came.
    pub kind: String,
    /// The user that the broker vouches for.
    pub user: Option<String>,
    /// The job, if body or headers name one.
    pub job: Option<JobId>,
    /// The recipient's number, masked, if the body has one.
    pub recipient: Option<String>,
    /// The tenant that the body names.
    named: Option<TenantId>,
    /// How large the body is, bytes.
    pub bytes: usize,
}

impl DeadFacts {
    /// Of a letter, whose body is forgotten with it. Only what has the form of an id or a number is taken from the body:
    /// whatever else stands there is the producer's secret.
    pub(super) fn of(letter: DeadJob) -> Self {
        let body: Value = serde_json::from_slice(&letter.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let beside = letter.headers.message_id.as_deref();
        Self {
            place: letter.place(),
            job: text("id").into_iter().chain(beside).find_map(|id| id.parse().ok()),
            recipient: text("to").and_then(|to| PhoneNumber::parse(to, None).ok()).map(|to| to.masked()),
            named: text("tenant").and_then(|tenant| tenant.parse().ok()),
            bytes: letter.body.len(),
            id: letter.id,
            key: letter.key,
            reason: letter.reason,
            detail: letter.detail,
            died_at: letter.at,
            enqueued_at: letter.headers.enqueued_at,
            attempts: letter.headers.attempt,
            parked: letter.headers.hop,
            kind: letter.headers.kind,
            user: letter.headers.user,
        }
    }

    /// When it died or, where nobody wrote that down, when it was enqueued.
    pub fn moment(&self) -> Option<Timestamp> {
        self.died_at.or(self.enqueued_at)
    }

    /// The session or pool that it was for.
    pub fn target(&self) -> Option<&str> {
        match &self.place.as_ref()?.0 {
            Target::Session(session) => Some(session.as_str()),
            Target::Pool(pool) => Some(pool.as_str()),
        }
    }

    /// The tenant whose letter it is beyond doubt: the one that the broker vouches for, where neither its body nor the
    /// register (`owner`: whose the session or pool is) says otherwise.
    pub(super) fn proven(&self, owner: Option<&TenantId>) -> Option<TenantId> {
        let vouched = self.user.as_deref()?.parse::<TenantId>().ok()?;
        let agrees = |other: Option<&TenantId>| other.is_none_or(|other| *other == vouched);
        let known = owner.is_some() || self.named.is_some();
        (known && agrees(owner) && agrees(self.named.as_ref())).then_some(vouched)
    }
}

#[cfg(test)]
mod tests {
    use kurir_core::port::JobHeaders;

    use super::*;

    fn letter(user: Option<&str>, body: &str) -> DeadFacts {
        DeadFacts::of(DeadJob {
            id: DeadId("1".to_owned()),
            key: "s.toko-1.otp".to_owned(),
            reason: "bad_field".to_owned(),
            detail: "to: missing".to_owned(),
            at: None,
            headers: JobHeaders { user: user.map(str::to_owned), ..JobHeaders::default() },
            body: body.as_bytes().to_vec(),
        })
    }

    #[test]
    fn a_letter_is_the_tenants_whom_all_that_is_known_names() {
        let (acme, other) = (TenantId::new("acme").unwrap(), TenantId::new("other").unwrap());
        let body = r#"{"tenant": "acme"}"#;
        for (user, body, owner, proven) in [
            (Some("acme"), body, Some(&acme), true),
            // Its session is gone.
            (Some("acme"), body, None, true),
            // Its body can't be read.
            (Some("acme"), "{", Some(&acme), true),
            (Some("acme"), "{", None, false),
            // Nobody vouches for it, or for somebody else.
            (None, body, Some(&acme), false),
            (Some("a producer"), body, Some(&acme), false),
            (Some("other"), body, Some(&acme), false),
            (Some("acme"), body, Some(&other), false),
            (Some("acme"), r#"{"tenant": "other"}"#, Some(&acme), false),
        ] {
            let found = letter(user, body).proven(owner);
            assert_eq!(found, proven.then(|| acme.clone()), "{user:?} {body} {owner:?}");
        }
    }

    #[test]
    fn the_body_leaves_an_id_and_a_masked_number() {
        let job = "018f2a52-7c4e-7a3b-9d10-0123456789ab";
        let body = format!(r#"{{"id": "{job}", "to": "+62 812-3456-7890", "content": {{"code": "493817"}}}}"#);
        let facts = letter(None, &body);
        assert_eq!(facts.job.map(|job| job.to_string()).as_deref(), Some(job));
        assert_eq!((facts.target(), facts.bytes), (Some("toko-1"), body.len()));
        let told = format!("{facts:?}");
        assert!(told.contains("6281…90") && !told.contains("493817") && !told.contains("812-3456"), "{told}");
    }
}
