//! Protocols with one rule taken out. Each must be caught, or the check proves nothing.

/// Which protocol is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As the code has it.
    AsCoded,
    /// The ledger is written without a look at the epoch.
    LedgerUnfenced,
    /// The Signal state is written without a look at the epoch.
    SignalUnfenced,
    /// The Signal state is read before the epoch is minted.
    KeysBeforeEpoch,
    /// A job is acknowledged when WhatsApp has taken it, then the result is written.
    AckBeforePersist,
    /// A job is acknowledged before its parked copy is confirmed.
    AckBeforeCopy,
    /// A message is sent without a trace of it in the ledger before.
    NoIntent,
    /// Each attempt makes a message id of its own.
    OwnMessageId,
    /// Events are published from memory, and nothing stands in the outbox.
    OutboxApart,
    /// The ledger is written without a look at the entry's version.
    NoVersion,
    /// The clock is not looked at again between the intent and the send.
    NoLastLook,
    /// A message without an answer counts as one that did not arrive.
    NoDoubt,
    /// An event's id depends on how many attempts it took.
    EventIdByAttempt,
}
