//! The settings of the roles, already checked by whoever read them.

use std::num::NonZeroU32;
use std::time::Duration;

use kurir_core::domain::{CodeKeys, ConversionRule, Lane, MediaLimits, SecretNumbers, TenantId, WorkerName};
use kurir_core::policy::{AttemptRule, OptOutRule, PaceRule, SenderRules};
use kurir_core::port::RecipientRule;

use crate::alerts::AlertOptions;

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Its name in heartbeats, leases and logs.
    pub name: WorkerName,
    /// How many sessions it is ready to hold.
    pub capacity: NonZeroU32,
    /// The tenant that the fleet's own events are addressed to.
    pub operator: TenantId,
    /// How long a lease lasts without renewal.
    pub lease_ttl: Duration,
    /// How often leases are renewed; well below `lease_ttl`.
    pub renew_every: Duration,
    /// How often the sessions are looked through and the heartbeat is sent.
    pub scan_every: Duration,
    /// How many sessions are handed to other workers per scan.
    pub moves_per_scan: usize,
    /// One session is taken per this span, so that a mass failover does not connect all at once.
    pub take_every: Duration,
    /// How many of a session's OTPs are in work at once.
    pub window_otp: u16,
    /// How many of a session's bulk jobs are in work at once.
    pub window_bulk: u16,
    /// How long to wait for the answer of WhatsApp's server.
    pub ack_patience: Duration,
    /// How long before its deadline a message must be on the wire: its way to the phone takes a while.
    pub deadline_margin: Duration,
    /// How long a job may wait in this process for its turn or for the connection before it is parked.
    pub max_wait: Duration,
    /// How long a stop may take before what is left is abandoned.
    pub stop_deadline: Duration,
    /// The pace of a sender.
    pub pace: PaceRule,
    /// The senders' days.
    pub senders: SenderRules,
    /// The limit of one-time passwords per recipient.
    pub recipient: RecipientRule,
    /// What happens to a one-time password when that limit can't be asked.
    pub recipients_down: WhenDown,
    /// The pace of number checks per session.
    pub check_pace: PaceRule,
    /// How long it is believed that a number has WhatsApp.
    pub registered_ttl: Duration,
    /// How long it is believed that a number has none; shorter, because people do install it.
    pub unregistered_ttl: Duration,
    /// How often an OTP is tried.
    pub retry_otp: AttemptRule,
    /// How often a bulk job is tried.
    pub retry_bulk: AttemptRule,
    /// The country of national numbers, digits.
    pub default_country: Option<String>,
    /// Whether a job's tenant must be the user that the broker vouches for.
    pub prove_tenant: bool,
    /// Where the process dies, if a test wants it to.
    pub crash: crate::Crash,
    /// Files that messages carry.
    pub media: MediaOptions,
    /// The words by which recipients stop bulk messages.
    pub opt_out: OptOutRule,
}

impl WorkerOptions {
    /// How many jobs of a lane are in work at once.
    pub const fn window(&self, lane: Lane) -> u16 {
        match lane {
            Lane::Otp => self.window_otp,
            Lane::Bulk => self.window_bulk,
        }
    }

    /// How often a job of a lane is tried.
    pub const fn retry(&self, lane: Lane) -> AttemptRule {
        match lane {
            Lane::Otp => self.retry_otp,
            Lane::Bulk => self.retry_bulk,
        }
    }
}

/// How files that messages carry are handled.
#[derive(Clone, Copy, Debug)]
pub struct MediaOptions {
    /// How large they may be.
    pub limits: MediaLimits,
    /// How long those are kept that the worker fetches.
    pub keep: Duration,
    /// How long one's way to or from WhatsApp or the web may take.
    pub transfer_timeout: Duration,
    /// What all of them on their way may take of the memory together, in MiB.
    pub memory_mib: u32,
}

/// What happens while the place of a limit is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenDown {
    /// Messages wait until it answers again.
    Wait,
    /// Messages go without it.
    Allow,
}

/// The settings of a relay.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// How often the outbox is swept.
    pub sweep_every: Duration,
    /// Younger events are left to the worker that wrote them.
    pub age: Duration,
    /// How many events are published at once.
    pub batch: u32,
    /// How long ended jobs are remembered; within this span a repeated job id is recognised.
    pub remember: Duration,
    /// What it does for verifications.
    pub verify: VerifyOptions,
    /// How long events stay in the log.
    pub keep_events: Duration,
    /// When it tells tenants that their messages fail.
    pub alerts: AlertOptions,
}

/// What a relay does for verifications.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// How often it looks for what is due.
    pub scan_every: Duration,
    /// How long a server of a caller's may take to answer.
    pub webhook_timeout: Duration,
    /// When a prefix of numbers is blocked.
    pub conversion: ConversionRule,
    /// What requests to callers' servers are signed with.
    pub code_keys: CodeKeys,
    /// Which of the secrets that follow from that.
    pub secrets: SecretNumbers,
    /// How long verifications that have ended are remembered.
    pub remember: Duration,
}
