//! A code that a caller's own server is to send: a request signed by Standard Webhooks.

use std::time::Duration;

use bytes::Bytes;
use kurir_core::domain::{CodeDelivery, Content, EventKind, Secret, Timestamp, Verification};
use kurir_core::port::{PortError, WebMethod, WebRequest};
use kurir_core::wire::VerificationDataV1;
use serde_json::json;
use standardwebhooks::Webhook;

use super::Carer;
use crate::options::VerifyOptions;

/// How often a server is asked.
const TRIES: u32 = 3;

/// The pause before the second time; it doubles.
const PAUSE: Duration = Duration::from_secs(2);

/// How much longer than an answer may take a claim lasts.
const MARGIN: Duration = Duration::from_secs(5);

/// Most bytes of an answer; nothing of it is read.
const ANSWER: u64 = 64 * 1024;

impl Carer {
    /// Asks the caller's server. Whoever asks has claimed it before, so a server is asked twice only if it did not take it
    /// the first time, or if a relay died in between; the id of the request is the same then.
    pub(super) async fn ask(
        &self,
        of: Verification,
        url: &Secret<String>,
        patience: Duration,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let Some(code) = self.ports.verifications.code_of(&of.tenant, of.id).await? else { return Ok(()) };
        let until = now.plus(self.options.webhook_timeout + MARGIN);
        let claim = Verification { tries: of.tries + 1, due_at: Some(until), ..of };
        if !self.save(claim.clone(), None, Vec::new()).await? {
            return Ok(());
        }
        let of = Verification { version: claim.version + 1, ..claim };
        let Some(request) = request(&of, code, url, now, &self.options) else {
            return self.give_up(&of, "bad_field", now).await;
        };
        let answer = self.ports.web.ask(request).await;
        let now = self.ports.clock.now();
        let (reason, again) = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                let event = VerificationDataV1::event(EventKind::VerificationSent, &of, None, now);
                return self.settle(&of, CodeDelivery::Reached, now, vec![event]).await;
            }
            Ok(answer) => {
                tracing::info!(verification = %of.id, status = answer.status, "a fall-back webhook refused");
                ("webhook_refused", answer.status >= 500 || matches!(answer.status, 408 | 425 | 429))
            }
            Err(error) => {
                tracing::info!(verification = %of.id, %error, "a fall-back webhook was not reached");
                ("webhook_unreachable", true)
            }
        };
        let next = now.plus(PAUSE.saturating_mul(1 << of.tries.saturating_sub(1).min(8)));
        if again && of.tries < TRIES && next < of.hop_at.plus(patience) {
            return self.save(Verification { due_at: Some(next), ..of }, None, Vec::new()).await.map(drop);
        }
        self.give_up(&of, reason, now).await
    }
}

/// The request, `None` only if it can't be written.
fn request(
    of: &Verification,
    code: Secret<String>,
    url: &Secret<String>,
    now: Timestamp,
    options: &VerifyOptions,
) -> Option<WebRequest> {
    let text = Content::Otp { code, text: of.text.clone() }.render().ok()?;
    let body = json!({
        "type": "verification.send",
        "timestamp": now.to_rfc3339(),
        "data": {
            "verification": of.id.as_uuid(),
            "tenant": of.tenant.as_str(),
            "to": format!("+{}", of.to.digits()),
            "text": text.expose(),
            "expires_at": of.expires_at.to_rfc3339(),
            "metadata": of.metadata,
        },
    });
    let body = body.to_string();
    let (id, seconds) = (of.job().to_string(), now.as_millis().div_euclid(1000));
    // One signature by each secret; whoever knows one of them takes it.
    let sign = |key: Secret<[u8; 32]>| {
        Webhook::from_bytes(key.expose().to_vec()).ok()?.sign(&id, seconds, body.as_bytes()).ok()
    };
    let keys = options.code_keys.webhook_keys(&of.tenant, options.secrets);
    let signature = keys.map(sign).collect::<Option<Vec<_>>>()?.join(" ");
    Some(WebRequest {
        method: WebMethod::Post,
        url: url.clone(),
        headers: vec![
            ("content-type", Secret::new("application/json".to_owned())),
            (standardwebhooks::HEADER_WEBHOOK_ID, Secret::new(id)),
            (standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, Secret::new(seconds.to_string())),
            (standardwebhooks::HEADER_WEBHOOK_SIGNATURE, Secret::new(signature)),
        ],
        body: Bytes::from(body),
        patience: options.webhook_timeout,
        body_limit: ANSWER,
    })
}
