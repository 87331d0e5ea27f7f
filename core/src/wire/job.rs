//! A job as the producer writes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ContentV1;
use crate::domain::{
    FailReason, Job, JobId, JobKey, Lane, PoolId, Recipient, RecipientError, SessionId, Target, TenantId, Timestamp,
};

/// The AMQP `type` of a job. A later version gets another one.
pub const JOB_KIND: &str = "kurir.job.v1";

/// Largest body of a job, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Largest number of metadata entries, and largest length of each part in bytes.
const MAX_METADATA: usize = 16;
const MAX_METADATA_TEXT: usize = 256;

/// One message to one number or group. Exactly one of `session` and `pool` is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "kurir job, version 1")]
pub struct JobV1 {
    /// The producer's id of the job (UUID, version 7 advised). The same id again is the same job: it is sent once.
    pub id: Uuid,
    /// Whose job it is; the tenant that the session belongs to.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"))]
    pub tenant: String,
    /// The session that is to send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"))]
    pub session: Option<String>,
    /// The pool of which any session may send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"))]
    pub pool: Option<String>,
    /// The recipient's phone number, best in international form (`+62…`); a leading 0 takes the fleet's default
    /// country. Or a group's address (`…@g.us`); its messages go in the bulk lane.
    pub to: String,
    /// The lane, the same as in the routing key.
    #[schemars(with = "LaneSchema")]
    pub lane: Lane,
    /// What the message says.
    pub content: ContentV1,
    /// Past this moment (RFC 3339) the job is never sent. Required in the otp lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// When the producer enqueued it (RFC 3339); latencies count from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub enqueued_at: Option<String>,
    /// The producer's own words, repeated in every event of the job: at most 16 entries of 256 bytes each part.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub metadata: BTreeMap<String, String>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Lane")]
#[allow(dead_code, reason = "only its schema is used")]
enum LaneSchema {
    /// Must arrive now or never.
    Otp,
    /// Everything else.
    Bulk,
}

/// A body that is no job: what is wrong with it, and what could be read of it nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The machine-readable reason.
    pub reason: FailReason,
    /// Which field or what detail; never a value.
    pub detail: String,
    /// The job's id, if it could be read.
    pub id: Option<JobId>,
    /// The tenant, if it could be read.
    pub tenant: Option<TenantId>,
}

impl JobV1 {
    /// Reads a job from a queue's body. `kind` is the message's type, `country` the default country code of national
    /// numbers.
    pub fn decode(kind: &str, body: &[u8], country: Option<&str>) -> Result<Job, Malformed> {
        let (id, tenant) = salvage(body);
        let malformed = |reason, detail: String| Malformed { reason, detail, id, tenant: tenant.clone() };
        if kind != JOB_KIND {
            let detail = format!("the message's type is not `{JOB_KIND}`");
            return Err(malformed(FailReason::UnknownVersion, detail));
        }
        if body.len() > MAX_BODY {
            let detail = format!("{} bytes, at most {MAX_BODY} are taken", body.len());
            return Err(malformed(FailReason::BodyTooLarge, detail));
        }
        let mut reader = serde_json::Deserializer::from_slice(body);
        let wire: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            // The reader's own category can't be used: a number where a word is wanted counts as bad syntax with it.
            if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
                malformed(FailReason::BadField, misfit(&error))
            } else {
                let at = error.inner();
                malformed(FailReason::BadJson, format!("not JSON at line {}, column {}", at.line(), at.column()))
            }
        })?;
        reader.end().map_err(|_| malformed(FailReason::BadJson, "something follows the JSON object".into()))?;
        wire.into_job(country).map_err(|(reason, detail)| malformed(reason, detail))
    }

    /// Checks the fields and makes the job.
    pub fn into_job(self, country: Option<&str>) -> Result<Job, (FailReason, String)> {
        let field = |name: &str, error: &dyn std::fmt::Display| (FailReason::BadField, format!("{name}: {error}"));
        let tenant = TenantId::new(&self.tenant).map_err(|e| field("tenant", &e))?;
        let target = match (self.session, self.pool) {
            (Some(session), None) => Target::Session(SessionId::new(session).map_err(|e| field("session", &e))?),
            (None, Some(pool)) => Target::Pool(PoolId::new(pool).map_err(|e| field("pool", &e))?),
            _ => return Err(field("session", &"exactly one of session and pool is given")),
        };
        let moment = |name: &str, text: Option<String>| match text {
            None => Ok(None),
            Some(text) => Timestamp::parse_rfc3339(&text)
                .map(Some)
                .ok_or_else(|| field(name, &"not a moment of RFC 3339, like 2026-01-31T12:00:00Z")),
        };
        let expires_at = moment("expires_at", self.expires_at)?;
        let enqueued_at = moment("enqueued_at", self.enqueued_at)?;
        if self.lane == Lane::Otp && expires_at.is_none() {
            let detail = "expires_at: a job of the otp lane needs a deadline".to_owned();
            return Err((FailReason::MissingDeadline, detail));
        }
        let fits = |text: &String| text.len() <= MAX_METADATA_TEXT;
        if self.metadata.len() > MAX_METADATA || !self.metadata.iter().all(|(k, v)| fits(k) && fits(v)) {
            return Err(field("metadata", &"at most 16 entries, each part at most 256 bytes"));
        }
        let to = Recipient::parse(&self.to, country).map_err(|error| match error {
            RecipientError::Number(error) => (FailReason::BadNumber, format!("to: {error}")),
            RecipientError::Group(error) => field("to", &error),
        })?;
        let id = JobId::new(self.id);
        let (content, reply_to) = self.content.into_content(&JobKey::new(tenant.clone(), id), &to, country)?;
        if self.lane == Lane::Otp && to.group().is_some() {
            return Err(field("to", &"a group's messages go in the bulk lane"));
        }
        if matches!(target, Target::Pool(_)) && (content.about().is_some() || reply_to.is_some()) {
            return Err(field("pool", &"what refers to another message goes through the session that has it"));
        }
        Ok(Job {
            id,
            tenant,
            target,
            to,
            lane: self.lane,
            content,
            reply_to,
            expires_at,
            enqueued_at,
            metadata: self.metadata,
        })
    }
}

/// What the id and the tenant are, even if nothing else of the body can be used. Reads at most [`MAX_BODY`] bytes.
fn salvage(body: &[u8]) -> (Option<JobId>, Option<TenantId>) {
    #[derive(Deserialize)]
    struct Loose {
        #[serde(default)]
        id: serde_json::Value,
        #[serde(default)]
        tenant: serde_json::Value,
    }
    if body.len() > MAX_BODY {
        return (None, None);
    }
    let Ok(loose) = serde_json::from_slice::<Loose>(body) else { return (None, None) };
    (loose.id.as_str().and_then(|id| id.parse().ok()), loose.tenant.as_str().and_then(|tenant| tenant.parse().ok()))
}

/// Says which field does not fit, without repeating a value: serde's own words quote what they found.
fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let text = error.inner().to_string();
    // "missing field `to` at line 1 column 9" names only fields of ours.
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return format!("{name}: missing");
    }
    if text.starts_with("unknown field") {
        return format!("{path}: no such field");
    }
    format!("{path}: {}", wrong_value(&text))
}

/// Says that a value does not fit and what would, from serde's own words; what was found is left out, since it may be a code.
pub fn wrong_value(words: &str) -> String {
    const WRONG: &str = "wrong type or value";
    let known = ["unknown variant", "invalid type", "invalid value", "invalid length"];
    // What was found may hold the same words; what was expected comes after it and is of our own making.
    let expected = words.rsplit_once(", expected ").filter(|_| known.iter().any(|start| words.starts_with(start)));
    let Some((_, expected)) = expected else { return WRONG.to_owned() };
    // Where it stands in the text, of a body in one piece.
    let expected = expected.rsplit_once(" at line ").map_or(expected, |(expected, _)| expected);
    format!("{WRONG}, expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"018f2a52-7c4e-7a3b-9d10-0123456789ab","tenant":"acme","session":"s1",
        "to":"+62 812-3456-7890","lane":"otp","content":{"type":"otp","code":"493817","text":"Kode: {code}"},
        "expires_at":"2026-11-21T20:15:30+07:00","metadata":{"order":"77"}}"#;

    fn refuse(kind: &str, body: &str) -> Malformed {
        JobV1::decode(kind, body.as_bytes(), None).expect_err(body)
    }

    #[test]
    fn a_good_job_is_read() {
        let job = JobV1::decode(JOB_KIND, GOOD.as_bytes(), None).unwrap();
        assert_eq!(job.to.number().unwrap().digits(), "6281234567890");
        assert_eq!(job.content.render().unwrap().expose(), "Kode: 493817");
        assert_eq!(job.target.routing_key(job.lane), "s.s1.otp");
        assert!(job.expired(Timestamp::parse_rfc3339("2026-11-21T13:15:30Z").unwrap()));
    }

    #[test]
    fn what_was_expected_is_told_and_what_was_found_is_not() {
        for (words, said) in [
            ("unknown variant `493817`, expected `a` or `b`", "wrong type or value, expected `a` or `b`"),
            (
                "invalid type: string \"x, expected 493817\", expected u32 at line 1 column 9",
                "wrong type or value, expected u32",
            ),
            ("493817, expected 1", "wrong type or value"),
        ] {
            assert_eq!(wrong_value(words), said);
        }
    }

    #[test]
    fn bad_bodies_name_the_field_and_no_value() {
        let cases = [
            (
                GOOD.replace("\"to\":\"+62 812-3456-7890\"", "\"to\":12345678901"),
                FailReason::BadField,
                "to: wrong type or value",
            ),
            (GOOD.replace("\"to\":\"+62 812-3456-7890\",", ""), FailReason::BadField, "to: missing"),
            (GOOD.replace("+62 812-3456-7890", "12ab"), FailReason::BadNumber, "to: "),
            (GOOD.replace("\"session\"", "\"sesion\""), FailReason::BadField, "sesion: no such field"),
            (
                GOOD.replace("\"metadata\":{\"order\":\"77\"}", "\"metadata\":{\"order\":77}"),
                FailReason::BadField,
                "metadata.order: wrong",
            ),
            (GOOD.replace("\"code\":\"493817\"", "\"code\":493817"), FailReason::BadField, "content"),
            (GOOD.replace("{code}", "{kode}"), FailReason::BadField, "content: the text has the placeholder {kode}"),
            (GOOD.replace("+07:00", ""), FailReason::BadField, "expires_at: not a moment"),
            (GOOD.replace("expires_at", "enqueued_at"), FailReason::MissingDeadline, "expires_at"),
            (GOOD.replace("\"s1\"", "\"s.1\""), FailReason::BadField, "session: "),
            (format!("{GOOD} x"), FailReason::BadJson, "something follows"),
            (GOOD[..40].to_owned(), FailReason::BadJson, "not JSON at line 1"),
            (String::new(), FailReason::BadJson, "not JSON"),
        ];
        for (body, reason, detail) in cases {
            let malformed = refuse(JOB_KIND, &body);
            assert_eq!(malformed.reason, reason, "{body}: {malformed:?}");
            assert!(malformed.detail.starts_with(detail), "{body}: {}", malformed.detail);
            assert!(!malformed.detail.contains("493817") && !malformed.detail.contains("3456"), "{}", malformed.detail);
        }
    }

    #[test]
    fn what_can_be_read_of_a_bad_body_is_kept() {
        let malformed = refuse("kurir.job.v9", GOOD);
        assert_eq!(malformed.reason, FailReason::UnknownVersion);
        assert!(malformed.id.is_some());
        assert_eq!(malformed.tenant.unwrap().as_str(), "acme");
        assert_eq!(refuse(JOB_KIND, "[]").id, None);
        let large = GOOD.replace("Kode", &"x".repeat(MAX_BODY));
        assert_eq!(refuse(JOB_KIND, &large).reason, FailReason::BodyTooLarge);
    }
}
