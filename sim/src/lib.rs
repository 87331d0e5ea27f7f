//! A WhatsApp server on your own computer, with phones.
//!
//! It speaks the multi-device protocol that linked clients speak with WhatsApp: WebSocket, Noise,
//! binary stanzas, linking by QR code or typed code, key directory, Signal encryption. Unmodified clients work
//! against it, given a way to dial a loopback address and to accept its certificate (its root key is
//! [`SimHandle::root_key`]; whatsapp-rust 0.7 has a feature to skip the check).
//!
//! Phones are actors with Signal state of their own: they decrypt what is sent to them, keep an
//! inbox in which each message id is shown once, count what really arrived, and answer with
//! receipts. A [journal](JournalEntry) records in order what happened, for audits.
//!
//! ```no_run
//! # async fn example() -> Result<(), kurir_sim::SimError> {
//! use kurir_sim::{CancellationToken, SimConfig, Simulator};
//!
//! let sim = Simulator::start(SimConfig::default(), CancellationToken::new()).await?;
//! println!("clients connect to {}, people open {}", sim.ws_url(), sim.control_url());
//! # let qr_text = "";
//! sim.scan(qr_text, "15551230001").await?;
//! sim.send_text("15551230002", "15551230001", "hello").await?;
//! # Ok(())
//! # }
//! ```
//!
//! [Faults](Fault) make it fail on purpose, by rule, by seeded chance or by [scenario](Scenario); an
//! [audit](SimHandle::audit) tells what a run came to. With [`SimConfig::state`] accounts, phones and
//! devices survive the end of the process.
//!
//! What is simplified: LIDs follow from the number by a rule, phones make one-time keys on demand,
//! synchronised app state is empty, and history is missing.

mod account;
mod audit;
mod clock;
mod config;
mod control;
mod entropy;
mod error;
mod fault;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod group;
mod journal;
mod media;
mod operations;
mod owner;
mod phone;
mod server;
mod simulator;
mod state;
mod transport;
mod world;

pub use account::{DeviceAddress, PhoneNumber};
pub use audit::{AccountCounts, Arrival, Audit, AuditTotals, KeyReuse, LateArrival, Missing, SocketOverlap};
pub use clock::{Clock, SystemClock};
pub use config::{Existence, Limits, MagicEnding, PairCodeRules, PhonesRule, QrTimings, ReceiptDelays, SimConfig};
pub use control::openapi_document;
pub use error::SimError;
pub use fault::{
    Direction, Effect, Fault, FaultId, FaultRule, Moment, Probability, ReceiptKind, Scenario, ScenarioStep, StanzaMatch,
};
pub use group::{Addressing, Group, GroupChange, GroupId, MemberOutcome, Role};
pub use journal::{Counters, JournalEntry, JournalEvent};
pub use media::{MediaKind, MediaRules};
pub use operations::{AccountView, DeviceView, PhonePage, PhoneView};
pub use owner::ContactView;
pub use phone::{
    ChatState, Contact, ContactActivity, Content, Degrees, Download, InboxMessage, MediaContent, OutgoingMessage,
    PhoneBehaviour, SentCopy,
};
pub use server::{LinkedDevice, WaitingClient};
pub use simulator::{SimHandle, Simulator, StopReport, serve};
pub use tokio_util::sync::CancellationToken;
