//! What the owner of a phone does with contacts and with the phone itself.

use std::sync::Arc;

use serde::Serialize;

use crate::account::{Account, DeviceAddress, PhoneNumber};
use crate::error::SimError;
use crate::journal::JournalEvent;
use crate::operations::{find, forget_device, order};
use crate::phone::{ChatState, ContactActivity};
use crate::server::{self, Command, EndReason};
use crate::simulator::SimHandle;
use crate::world::World;

/// Characters of an account's name; what is longer is cut.
const LONGEST_NAME: usize = 64;

/// A contact of a phone, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ContactView {
    /// The contact's number.
    pub number: PhoneNumber,
    /// Whether there is a chat with it.
    pub chat: bool,
    /// Whether the account blocks it.
    pub blocked: bool,
    /// Whether the account gave it a privacy token.
    pub trusted: bool,
    /// What the phone shows about it.
    #[serde(flatten)]
    pub activity: ContactActivity,
}

fn existing(world: &World, number: PhoneNumber) -> Result<Arc<Account>, SimError> {
    world.account(number).ok_or(SimError::NotRegistered(number))
}

/// What a phone knows about one contact.
pub(crate) fn contact(world: &World, phone: PhoneNumber, contact: PhoneNumber) -> Result<ContactView, SimError> {
    let account = existing(world, phone)?;
    let activity = account.phone().activity.of(contact);
    Ok(ContactView {
        number: contact,
        chat: account.contacts.has_met(contact),
        blocked: account.contacts.blocks(contact),
        trusted: account.contacts.trusts(contact),
        activity,
    })
}

/// All contacts of a phone, by number.
pub(crate) fn contacts(world: &World, phone: PhoneNumber) -> Result<Vec<ContactView>, SimError> {
    let account = existing(world, phone)?;
    let mut numbers = account.contacts.chats();
    numbers.extend(account.phone().activity.contacts());
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(|number| contact(world, phone, number)).collect()
}

/// The phone's owner blocks a contact, or takes that back.
pub(crate) fn block(world: &World, phone: PhoneNumber, contact: PhoneNumber, block: bool) -> Result<(), SimError> {
    let account = existing(world, phone)?;
    server::block(world, &account, contact, &contact.jid(), block);
    world.journal.touch();
    Ok(())
}

/// Somebody takes the phone up, or lays it down.
pub(crate) fn set_available(world: &World, phone: PhoneNumber, available: bool) -> Result<(), SimError> {
    let account = existing(world, phone)?;
    server::change_presence(world, &account, 0, available);
    Ok(())
}

/// The phone's owner opens the chat with a contact, so that the phone shows whether it is there.
pub(crate) fn watch(world: &World, phone: PhoneNumber, contact: PhoneNumber) -> Result<(), SimError> {
    let (account, other) = (existing(world, phone)?, existing(world, contact)?);
    let watcher = DeviceAddress { account: phone, device: 0 };
    other.presence.watch(watcher, contact.jid());
    if let Some(known) = server::presence_for(&other, watcher) {
        account.phone().activity.seen(contact, known);
    }
    world.journal.touch();
    Ok(())
}

/// The phone's owner writes, records or stops in the chat with a contact.
pub(crate) fn type_to(
    world: &World,
    phone: PhoneNumber,
    contact: PhoneNumber,
    state: ChatState,
) -> Result<(), SimError> {
    let (account, other) = (existing(world, phone)?, existing(world, contact)?);
    server::typing(world, &account, &other, state);
    Ok(())
}

/// The phone gives a contact a privacy token.
pub(crate) fn trust(world: &World, phone: PhoneNumber, contact: PhoneNumber) -> Result<(), SimError> {
    let (account, other) = (existing(world, phone)?, existing(world, contact)?);
    server::issue_token(world, &account, &other, world.now_secs());
    Ok(())
}

/// The phone's owner changes the name that contacts see.
pub(crate) fn rename(world: &World, phone: PhoneNumber, name: &str) -> Result<(), SimError> {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    let account = existing(world, phone)?;
    server::rename(world, &account, &name);
    Ok(())
}

/// The phone is lost and its number comes back on a new one: all linked devices are logged out,
/// and the phone has a new identity, of which contacts are told.
pub(crate) async fn reinstall(world: &World, number: PhoneNumber) -> Result<(), SimError> {
    let account = existing(world, number)?;
    for device in account.linked() {
        if let Some(device) = forget_device(world, &account, device.address.device, false) {
            // One that is not connected learns it at its next login.
            drop(order(&device, Command::End(EndReason::Removed)).await);
        }
    }
    let rng = world.entropy.stream("reinstalled phone", world.next_serial());
    account.phone().reinstall(rng).map_err(|error| SimError::Keys(error.to_string()))?;
    account.app_state.clear();
    let own = DeviceAddress { account: number, device: 0 };
    for contact in account.contacts.chats().into_iter().filter_map(|chat| world.registry.get(chat)) {
        contact.phone().forget_session(own);
    }
    world.log(JournalEvent::Reinstalled { phone: number });
    server::identity_changed(world, &account);
    Ok(())
}

/// Throws away one-time keys of a device, as if others had fetched them.
pub(crate) fn drain_keys(world: &World, account: PhoneNumber, device: u16, keep: usize) -> Result<(), SimError> {
    let (_, device) = find(world, account, device)?;
    device.keys().drain(keep);
    server::one_time_key_taken(world, &device);
    world.journal.touch();
    Ok(())
}

/// Loses what waits for a device.
pub(crate) fn forget_waiting(world: &World, account: PhoneNumber, device: u16) -> Result<usize, SimError> {
    let (_, device) = find(world, account, device)?;
    let lost = device.mailbox.clear();
    world.journal.touch();
    Ok(lost)
}

impl SimHandle {
    /// What a phone knows about one contact.
    pub fn contact(&self, phone: &str, contact: &str) -> Result<ContactView, SimError> {
        self::contact(&self.world, phone.parse()?, contact.parse()?)
    }

    /// The phone's owner blocks a contact, or takes that back. What a blocked contact sends is
    /// taken by the server and goes nowhere.
    pub fn block(&self, phone: &str, contact: &str, block: bool) -> Result<(), SimError> {
        self::block(&self.world, phone.parse()?, contact.parse()?, block)
    }

    /// Somebody takes the phone up, or lays it down; those who watch it are told.
    pub fn set_available(&self, phone: &str, available: bool) -> Result<(), SimError> {
        set_available(&self.world, phone.parse()?, available)
    }

    /// The phone's owner opens the chat with a contact, so that the phone shows whether it is there.
    pub fn watch(&self, phone: &str, contact: &str) -> Result<(), SimError> {
        watch(&self.world, phone.parse()?, contact.parse()?)
    }

    /// The phone's owner writes, records or stops in the chat with a contact.
    pub fn type_to(&self, phone: &str, contact: &str, state: ChatState) -> Result<(), SimError> {
        type_to(&self.world, phone.parse()?, contact.parse()?, state)
    }

    /// The phone gives a contact a privacy token, which the contact's devices then show.
    pub fn trust(&self, phone: &str, contact: &str) -> Result<(), SimError> {
        trust(&self.world, phone.parse()?, contact.parse()?)
    }

    /// The phone's owner changes the name that contacts see; linked devices synchronise it.
    pub fn rename(&self, phone: &str, name: &str) -> Result<(), SimError> {
        rename(&self.world, phone.parse()?, name)
    }

    /// The number comes back on a new phone: all linked devices are logged out, sessions are gone,
    /// contacts are told of the new identity. The inbox stays, because it tells what arrived.
    pub async fn reinstall(&self, phone: &str) -> Result<(), SimError> {
        reinstall(&self.world, phone.parse()?).await
    }

    /// Loses everything that waits for a device, as a server does that keeps it for a limited time.
    /// Returns how many stanzas that were.
    pub fn forget_waiting(&self, account: &str, device: u16) -> Result<usize, SimError> {
        forget_waiting(&self.world, account.parse()?, device)
    }

    /// Throws away one-time keys of a device, as if others had fetched them, until `keep` are left.
    pub fn drain_keys(&self, account: &str, device: u16, keep: usize) -> Result<(), SimError> {
        drain_keys(&self.world, account.parse()?, device, keep)
    }
}
