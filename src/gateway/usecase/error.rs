//! Why a use case could not be carried out.

use kurir_core::domain::{FailReason, MessageState, SessionRecord, SessionState, VerificationEnded};
use kurir_core::port::PortError;

/// Why a use case could not be carried out. Messages are for callers: they hold no secret and no input.
#[derive(Debug, thiserror::Error)]
pub enum UseCaseError {
    /// A field of the request is bad.
    #[error("{message}")]
    Field {
        /// Which.
        field: &'static str,
        /// The contract's word for it.
        reason: FailReason,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// A value of a template is missing, or one that it has no place for.
    #[error("{message}")]
    Value {
        /// The path of the field.
        field: String,
        /// Which placeholder, and what is wrong.
        message: String,
    },
    /// The tenant has a template of this name.
    #[error("there is a template of this name; PUT changes it")]
    TemplateExists,
    /// There is no such thing, or it belongs to another tenant.
    #[error("there is no such {what}")]
    NotFound {
        /// `session`, `pool`, `message`, `batch`, `key`, `verification`, `prefix`, `template`, `suppression`, `dead letter` or `worker`.
        what: &'static str,
        /// The field that named it, where it was not the path.
        field: Option<&'static str>,
    },
    /// A session of this id exists and belongs to the caller.
    #[error("a session of this id exists already; it is {}", .0.status.state)]
    SessionExists(Box<SessionRecord>),
    /// The session's id belongs to somebody else.
    #[error("this session id is taken; choose another one, or leave it out to get one")]
    SessionIdTaken,
    /// The pool's name belongs to somebody else.
    #[error("this pool's name is taken; choose another one")]
    PoolTaken,
    /// Sessions belong to the pool.
    #[error("sessions belong to this pool; take them out of it first")]
    PoolInUse,
    /// Jobs wait in the pool.
    #[error("messages wait in this pool; put a session into it that sends them, then try again")]
    PoolHasJobs,
    /// The queues of a pool could not be declared.
    #[error("the queue did not answer, so nothing was changed; send the same request again")]
    PoolNotDeclared,
    /// The key is not taken any more.
    #[error("the key has ended; make a new one")]
    KeyEnded,
    /// Nobody can ask WhatsApp through the session now.
    #[error("the session has no connection to WhatsApp now{}", if *.soon { "; try again soon" } else { ": it is not wanted running, start it first" })]
    NotConnected {
        /// Where the session stands.
        state: SessionState,
        /// Whether it is wanted running.
        soon: bool,
    },
    /// Too much waits for the session's owner.
    #[error("too many requests wait for this session; try again soon")]
    SessionBusy,
    /// No answer of the owner, or of WhatsApp to it.
    #[error("no answer came in time; whether it was done is not known")]
    NoAnswer,
    /// The session is linked already.
    #[error("the session is linked already; log it out first")]
    Linked {
        /// Where the session stands.
        state: SessionState,
    },
    /// WhatsApp refused.
    #[error("WhatsApp refused this; it may allow it later")]
    WhatsAppRefused,
    /// The worker is of another version.
    #[error("the session's worker does not know this request; it is of another version than the gateway")]
    NotUnderstood,
    /// The session is on its way out.
    #[error("the session is being deleted")]
    SessionDeleted,
    /// The job's id was used for a different job.
    #[error("this id was used before, for a message to another number, of another session or in another lane")]
    IdReused,
    /// The message is on the wire, or has come to its end.
    #[error("it is too late: the message is {state}{}", reason_in_words(*.state))]
    TooLate {
        /// Where it stands.
        state: MessageState,
    },
    /// Others changed the message again and again.
    #[error("the message is being changed by others; try again")]
    Contended,
    /// There is no QR code to scan.
    #[error("there is no QR code to scan: {hint}")]
    NoQr {
        /// Where the session stands.
        state: SessionState,
        /// Why, in words.
        hint: &'static str,
        /// Whether one is to be expected soon.
        soon: bool,
    },
    /// The queue did not answer. The job was cancelled in the ledger, so that it is never sent, even if the queue has
    /// taken it.
    #[error(
        "the queue did not answer; the message was cancelled and will not be sent under this id. Send it again under \
         another id"
    )]
    NotQueued,
    /// Neither the queue nor the ledger answered, or the ledger can't say what became of the job.
    #[error(
        "it is not known whether the message was queued. Send the same request with this id again: it is sent once"
    )]
    Unsettled,
    /// The session has no queue, and none could be made.
    #[error("there is no queue of this session or pool; it may have been deleted in this moment")]
    NoQueue {
        /// Where the message stands now.
        state: MessageState,
    },
    /// A session was stored, and its queues could not be declared.
    #[error("the session was created, but the queue did not answer; send the same request again")]
    NotDeclared,
    /// As many jobs wait in the queue as may.
    #[error("as many messages wait in the queue of this session or pool as may; nothing was stored")]
    QueueFull,
    /// A row of a batch does not have the form of a message.
    #[error("{message}")]
    BadRow {
        /// Which field of it.
        field: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// A row of a batch is good, and others are not.
    #[error("it is good, but others of the batch are not")]
    OthersBad,
    /// A batch was taken in part, and then something did not answer.
    #[error(
        "{taken} of {of} messages were taken, then a system that the gateway depends on did not answer. Send the same request \
         again with the same Idempotency-Key: the rest is taken then, and nothing twice. Without such a key only messages \
         that have an id of their own are recognised"
    )]
    BatchUnfinished {
        /// How many are known to be taken.
        taken: usize,
        /// How many there are.
        of: usize,
    },
    /// The job is larger than a queue takes.
    #[error("the message is too large")]
    TooLarge,
    /// A file is larger than one of its type may be.
    #[error("the file is larger than {limit} bytes, which is the most for a file of its type")]
    MediaTooLarge {
        /// The most, in bytes.
        limit: u64,
    },
    /// The tenant's files take as much as they may.
    #[error(
        "files take {used} of {allowed} bytes, and there is no room for this one; remove some, or wait until some expire"
    )]
    MediaQuota {
        /// What they take, in bytes.
        used: u64,
        /// What they may take.
        allowed: u64,
    },
    /// A file is not what was said.
    #[error(transparent)]
    MediaContradicts(kurir_core::domain::Contradiction),
    /// A file is on its way.
    #[error("the file is still on its way; ask again in a moment")]
    MediaNotReady,
    /// A file will never come.
    #[error("WhatsApp does not have the file any more")]
    MediaLost,
    /// A file that came in was not kept.
    #[error("the file was not kept when it came in: it is too large, or there was no room for it")]
    MediaUnkept,
    /// A limit says that a code is not sent.
    #[error("{}", .why.words())]
    CodeRefused {
        /// Which.
        why: super::CodeRefused,
        /// After how long it may be otherwise.
        after: Option<std::time::Duration>,
    },
    /// The verification has ended.
    #[error("{0}")]
    VerificationEnded(#[from] VerificationEnded),
    /// The key that a code was marked with is gone.
    #[error("the code can't be compared any more; make a new verification")]
    CodeKeyGone,
    /// The tenant has as many webhooks as it may.
    #[error("there are {most} webhooks already, which is the most; remove one, or change one")]
    TooManyWebhooks {
        /// How many it may have.
        most: usize,
    },
    /// The webhook is told nothing.
    #[error("the webhook is disabled; enable it first")]
    WebhookDisabled,
    /// The dead letters could not be looked through in time.
    #[error(
        "the dead letters could not be looked through in time: there are very many, or somebody else looks through them; try again \
         soon, or use `kurir dead`"
    )]
    DeadTooSlow,
    /// A drawing failed.
    #[error("the QR code can't be drawn")]
    Draw(#[from] kurir_core::domain::QrError),
    /// A port failed.
    #[error("{0}")]
    Port(#[from] PortError),
}

const fn reason_in_words(state: MessageState) -> &'static str {
    match state {
        MessageState::Sending => ", it may be on its way to the phone",
        MessageState::Sent | MessageState::Delivered | MessageState::Read => ", WhatsApp has it",
        MessageState::Uncertain => ", it may have arrived",
        _ => "",
    }
}

impl UseCaseError {
    /// A bad field.
    pub(in crate::gateway) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field { field, reason: FailReason::BadField, message: message.into() }
    }

    /// A bad or missing value of a template.
    pub(in crate::gateway) fn value(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Value { field: field.into(), message: message.into() }
    }
}
