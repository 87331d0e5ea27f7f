//! Accounts: a number, its phone and the devices linked to it.

mod adv;
mod app_state;
mod contacts;
mod device;
mod mailbox;
mod number;
mod prekeys;
mod presence;
mod record;
mod registry;

pub(crate) use adv::{DeviceIdentity, accept_answer, key_index_list, link_identity};
pub(crate) use app_state::{AppState, Refusal as AppStateRefusal};
pub(crate) use contacts::{Contacts, Shown};
pub(crate) use device::{Device, Link, NewDevice};
pub(crate) use mailbox::{Mailbox, Stanza, StanzaClass};
pub use number::{DeviceAddress, PhoneNumber};
pub(crate) use prekeys::{PreKeyPool, SignedPreKey};
pub(crate) use presence::{Availability, Presence};
pub(crate) use record::{DeviceRecord, DevicesRecord, MailboxRecord};
pub(crate) use registry::{Account, Ban, BanOrder, Registry};
