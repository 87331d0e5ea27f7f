//! Making a verification, and sending its code again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use kurir_core::domain::{
    Channel, CodeAlphabet, CodeDelivery, EventKind, Hop, Lane, PhoneNumber, PoolId, Secret, SessionId, TenantId,
    Timestamp, Traffic, Verification, VerificationEnded, VerificationId, VerificationStatus,
};
use kurir_core::policy::{NotAgain, draw_code, send_again};
use kurir_core::port::{Entered, VerificationWrite, Written};
use kurir_core::wire::{ContentV1, VerificationDataV1};

use super::TRIES;
use super::limits::{CodeRefused, refused};
use super::text::TextWish;
use crate::gateway::usecase::{Enqueue, UseCaseError, UseCases};

/// What a code's length may be.
const LENGTHS: std::ops::RangeInclusive<u32> = 4..=10;

/// How long a code may be good, in seconds.
const TTLS: std::ops::RangeInclusive<u32> = 30..=86_400;

/// How long a channel may have, in seconds.
const PATIENCES: std::ops::RangeInclusive<u32> = 1..=3600;

/// Most channels after the first one.
const MAX_FALLBACKS: usize = 5;

/// A channel to fall back to.
#[derive(Clone, Debug)]
pub struct FallbackWish {
    /// This session, …
    pub session: Option<String>,
    /// … or any of this pool, …
    pub pool: Option<String>,
    /// … or a server of the caller's; exactly one of the three.
    pub webhook: Option<Secret<String>>,
    /// How long the channel before it has, in seconds.
    pub after: Option<u32>,
}

/// What a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The number as the caller writes it.
    pub to: String,
    /// The session that is to send it; either this or `pool`.
    pub session: Option<String>,
    /// The pool of which any session may send it.
    pub pool: Option<String>,
    /// Characters of the code.
    pub code_length: Option<u32>,
    /// What it is made of.
    pub alphabet: Option<CodeAlphabet>,
    /// How long it is good, in seconds.
    pub ttl: Option<u32>,
    /// What its message says.
    pub text: TextWish,
    /// Who asked the caller for it.
    pub ip: Option<IpAddr>,
    /// The channels after the first one.
    pub fallback: Vec<FallbackWish>,
    /// The caller's own words.
    pub metadata: BTreeMap<String, String>,
}

/// A wish that was looked through.
#[derive(Clone, Debug)]
pub struct NewVerification {
    to: PhoneNumber,
    text: String,
    hops: Vec<Hop>,
    length: u32,
    alphabet: CodeAlphabet,
    ttl: Duration,
    ip: Option<IpAddr>,
    metadata: BTreeMap<String, String>,
}

impl NewVerification {
    /// The channels.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.hops.iter().map(|hop| &hop.channel)
    }
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Sent {
    /// It is new.
    New(Verification),
    /// One was open; its code was sent again.
    Again(Verification),
}

fn seconds(
    field: &'static str,
    value: Option<u32>,
    range: std::ops::RangeInclusive<u32>,
) -> Result<Option<Duration>, UseCaseError> {
    match value {
        Some(value) if !range.contains(&value) => {
            let message = format!("must be from {} to {} seconds", range.start(), range.end());
            Err(UseCaseError::field(field, message))
        }
        value => Ok(value.map(|value| Duration::from_secs(value.into()))),
    }
}

fn channel(
    session: Option<&str>,
    pool: Option<&str>,
    webhook: Option<Secret<String>>,
    field: &'static str,
) -> Result<Channel, UseCaseError> {
    let wrong = |error: kurir_core::domain::IdentError| UseCaseError::field(field, error.to_string());
    match (session, pool, webhook) {
        (Some(session), None, None) => SessionId::new(session).map(Channel::Session).map_err(wrong),
        (None, Some(pool), None) => PoolId::new(pool).map(Channel::Pool).map_err(wrong),
        (None, None, Some(url)) => Ok(Channel::Webhook(url)),
        _ => Err(UseCaseError::field(
            field,
            "exactly one channel is given: a session, a pool or, to fall back, a webhook",
        )),
    }
}

impl UseCases {
    /// Looks a wish through; nothing is written.
    pub async fn verification_wish(&self, tenant: &TenantId, wish: Wish) -> Result<NewVerification, UseCaseError> {
        let to = self.verified_number(&wish.to)?;
        let length = wish.code_length.unwrap_or(self.verify.code_length);
        if !LENGTHS.contains(&length) {
            return Err(UseCaseError::field("code_length", "must be from 4 to 10"));
        }
        let ttl = seconds("ttl", wish.ttl, TTLS)?.unwrap_or(self.verify.ttl);
        let text = self.code_text(tenant, wish.text).await?;
        if wish.fallback.len() > MAX_FALLBACKS {
            return Err(UseCaseError::field("fallback", format!("has at most {MAX_FALLBACKS} channels")));
        }
        let first = channel(wish.session.as_deref(), wish.pool.as_deref(), None, "session")?;
        let mut hops = vec![Hop { channel: first, patience: self.verify.patience }];
        for next in wish.fallback {
            if let Some(url) = &next.webhook {
                let wrong = |error: kurir_core::port::WebError| UseCaseError::field("fallback", error.to_string());
                self.ports.web.check(url.expose()).map_err(wrong)?;
            }
            if let (Some(after), Some(before)) = (seconds("fallback", next.after, PATIENCES)?, hops.last_mut()) {
                before.patience = after;
            }
            let channel = channel(next.session.as_deref(), next.pool.as_deref(), next.webhook, "fallback")?;
            hops.push(Hop { channel, patience: self.verify.patience });
        }
        let alphabet = wish.alphabet.unwrap_or(self.verify.alphabet);
        Ok(NewVerification { to, text, hops, length, alphabet, ttl, ip: wish.ip, metadata: wish.metadata })
    }

    /// A number as a caller writes it.
    pub(super) fn verified_number(&self, text: &str) -> Result<PhoneNumber, UseCaseError> {
        PhoneNumber::parse(text, self.default_country.as_deref()).map_err(|error| UseCaseError::Field {
            field: "to",
            reason: kurir_core::domain::FailReason::BadNumber,
            message: error.to_string(),
        })
    }

    /// Makes a verification and sends its code, or sends the code of the one that is open to this number once more. Must
    /// not be dropped halfway: run it in a task of its own.
    pub async fn verify(&self, tenant: &TenantId, new: NewVerification) -> Result<Sent, UseCaseError> {
        for channel in new.channels() {
            if let Some(target) = channel.target() {
                self.check_target(tenant, &target).await?;
            }
        }
        for _ in 0..TRIES {
            let now = self.ports.clock.now();
            if let Some(open) = self.open_to(tenant, &new.to).await? {
                return self.send_once_more(open, new.ip).await.map(Sent::Again);
            }
            self.charge(tenant, &new.to, new.ip, now).await?;
            if let Some(made) = self.enter_verification(tenant, &new, now).await? {
                return self.hand_over(made).await.map(Sent::New);
            }
        }
        Err(UseCaseError::Contended)
    }

    /// The verification that is open to a number; one whose time has passed is ended.
    async fn open_to(&self, tenant: &TenantId, to: &PhoneNumber) -> Result<Option<Verification>, UseCaseError> {
        let latest = self.ports.verifications.latest_to(tenant, to).await?;
        let Some(latest) = latest.filter(|latest| latest.status.is_open()) else { return Ok(None) };
        Ok(Some(self.not_late(latest).await?).filter(|open| open.status.is_open()))
    }

    /// Writes a new one; `None`: somebody was faster.
    async fn enter_verification(
        &self,
        tenant: &TenantId,
        new: &NewVerification,
        now: Timestamp,
    ) -> Result<Option<Verification>, UseCaseError> {
        let id = VerificationId::new(self.random_job_id(now));
        let length = usize::try_from(new.length).unwrap_or(10);
        let code = draw_code(new.alphabet, length, |bytes| self.ports.entropy.fill(bytes));
        let mut record = Verification {
            id,
            tenant: tenant.clone(),
            version: 0,
            to: new.to.clone(),
            status: VerificationStatus::Pending,
            mark: self.verify.code_keys.mark(tenant, id, &code),
            text: new.text.clone(),
            hops: new.hops.clone(),
            hop: 0,
            delivery: CodeDelivery::Begun,
            hop_at: now,
            tries: 0,
            sends: 1,
            max_sends: self.verify.max_sends,
            sent_at: now,
            checks: 0,
            max_checks: self.verify.max_checks,
            created_at: now,
            expires_at: now.plus(new.ttl),
            ended_at: None,
            // Whoever dies before the message is queued is followed by the relay.
            due_at: Some(now.plus(new.hops.first().map_or(Duration::ZERO, |hop| hop.patience))),
            metadata: new.metadata.clone(),
        };
        let events = vec![VerificationDataV1::event(EventKind::VerificationCreated, &record, None, now)];
        let tally = Some(self.tally(&record, Traffic::Begun));
        let write = VerificationWrite { record: record.clone(), tally, events };
        match self.ports.verifications.enter(write, &code).await? {
            Entered::New => {
                tracing::info!(verification = %id, %tenant, "verification made");
                record.version = 1;
                Ok(Some(record))
            }
            Entered::Open(_) => Ok(None),
        }
    }

    /// Sends the code of a verification once more.
    pub async fn resend(
        &self,
        tenant: &TenantId,
        id: VerificationId,
        ip: Option<IpAddr>,
    ) -> Result<Verification, UseCaseError> {
        let known = self.one_verification(tenant, id).await?;
        self.send_once_more(known, ip).await
    }

    async fn send_once_more(&self, known: Verification, ip: Option<IpAddr>) -> Result<Verification, UseCaseError> {
        let mut known = known;
        for _ in 0..TRIES {
            let now = self.ports.clock.now();
            if !known.status.is_open() {
                return Err(VerificationEnded(known.status).into());
            }
            send_again(&known, self.verify.resend_every, now).map_err(|why| match why {
                NotAgain::TooSoon(until) => refused(CodeRefused::CoolDown, now, until),
                NotAgain::Spent(until) => refused(CodeRefused::Sends, now, until),
            })?;
            self.charge(&known.tenant, &known.to, ip, now).await?;
            let mut next = known.sent_again(now)?;
            if let Some(hop) = next.channel().filter(|hop| hop.channel.target().is_some()) {
                next.due_at = Some(now.plus(hop.patience));
            }
            let write = VerificationWrite { record: next.clone(), tally: None, events: Vec::new() };
            if self.ports.verifications.save(write).await? == Written::Done {
                next.version += 1;
                return self.hand_over(next).await;
            }
            known = self.one_verification(&known.tenant, known.id).await?;
        }
        Err(UseCaseError::Contended)
    }

    /// Gives the present sending to its channel: a message is queued; a webhook is asked by the relay.
    async fn hand_over(&self, of: Verification) -> Result<Verification, UseCaseError> {
        let Some(channel) = of.channel().map(|hop| hop.channel.clone()) else { return Ok(of) };
        let (session, pool) = match channel {
            Channel::Session(session) => (Some(session.to_string()), None),
            Channel::Pool(pool) => (None, Some(pool.to_string())),
            Channel::Webhook(_) => return Ok(of),
        };
        let Some(code) = self.ports.verifications.code_of(&of.tenant, of.id).await? else {
            // It has ended meanwhile, so there is nothing to send.
            return self.one_verification(&of.tenant, of.id).await;
        };
        let message = Enqueue {
            id: Some(of.job()),
            session,
            pool,
            to: format!("+{}", of.to.digits()),
            lane: Some(Lane::Otp),
            content: ContentV1::Otp { code: code.into_inner(), text: Some(of.text.clone()) },
            expires_at: Some(of.expires_at.to_rfc3339()),
            ttl: None,
            metadata: of.metadata.clone(),
            traceparent: None,
            batch: None,
        };
        let queued = self.enqueue(&of.tenant, message).await;
        let now = self.ports.clock.now();
        if let Err(error) = queued {
            tracing::warn!(verification = %of.id, %error, "a code could not be queued");
            if of.hops.len() == 1 {
                self.not_handed_over(of).await;
                return Err(error);
            }
            // The relay finds that at once and uses the next channel.
            return Ok(self.settled(of, now, None).await);
        }
        let event = VerificationDataV1::event(EventKind::VerificationSent, &of, None, now);
        Ok(self.settled(of, now.plus(Duration::from_secs(1)), Some(event)).await)
    }

    /// The only channel did not take it, and the caller hears so. A new verification ends, nobody has its code; of an older
    /// one the next sending need not wait.
    async fn not_handed_over(&self, of: Verification) {
        let (now, id) = (self.ports.clock.now(), of.id);
        let ended = of.ended(VerificationStatus::Canceled, now);
        let write = match ended {
            Ok(record) if of.sends == 1 => {
                let events = vec![VerificationDataV1::event(EventKind::VerificationCanceled, &record, None, now)];
                VerificationWrite { record, tally: None, events }
            }
            _ => {
                let record = Verification { sent_at: of.sent_at.minus(self.verify.resend_every), ..of };
                VerificationWrite { record, tally: None, events: Vec::new() }
            }
        };
        if let Err(error) = self.ports.verifications.save(write).await {
            tracing::warn!(verification = %id, error = error.chain(), "a sending that failed could not be noted");
        }
    }

    /// Notes that the sending was handed over, or that the relay must look now. If that fails the relay finds out by
    /// itself, a little later.
    async fn settled(
        &self,
        of: Verification,
        due: Timestamp,
        event: Option<kurir_core::domain::OutboxEvent>,
    ) -> Verification {
        let delivery = if event.is_some() { CodeDelivery::Handed } else { of.delivery };
        let mut next = Verification { due_at: Some(due), delivery, ..of.clone() };
        let write = VerificationWrite { record: next.clone(), tally: None, events: event.into_iter().collect() };
        match self.ports.verifications.save(write).await {
            Ok(Written::Done) => {
                next.version += 1;
                next
            }
            Ok(_) => self.one_verification(&of.tenant, of.id).await.unwrap_or(of),
            Err(error) => {
                tracing::warn!(verification = %of.id, error = error.chain(), "a sending could not be noted");
                of
            }
        }
    }
}
