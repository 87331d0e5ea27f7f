//! What can be done to a running simulator from outside. The Rust API and the HTTP interface both
//! come down to these functions.

use std::sync::Arc;

use serde::Serialize;

use crate::account::{Account, Device, PhoneNumber};
use crate::error::SimError;
use crate::group::{Addressing, Group, GroupChange, GroupId, MemberOutcome, Refusal};
use crate::journal::JournalEvent;
use crate::phone::{InboxMessage, OutgoingMessage, PhoneBehaviour, SentCopy};
use crate::server::{self, Command, DeviceChange, EndReason, announce_devices, tell_contacts};
use crate::world::World;

/// A linked device, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DeviceView {
    /// Its number.
    pub id: u16,
    /// What the client calls itself.
    pub name: String,
    /// When it was linked, in milliseconds since 1970.
    pub linked_at: u64,
    /// Whether it is connected.
    pub connected: bool,
    /// Stanzas it has not acknowledged.
    pub waiting: usize,
    /// One-time keys left.
    pub one_time_keys: usize,
}

/// An account with linked devices, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AccountView {
    /// The number.
    pub number: PhoneNumber,
    /// The user part of its LID.
    pub lid: String,
    /// Whether a fault bans it.
    pub banned: bool,
    /// Its linked devices.
    pub devices: Vec<DeviceView>,
}

/// A phone with all that it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PhoneView {
    /// The number.
    pub number: PhoneNumber,
    /// Messages that arrived.
    pub inbox: Vec<InboxMessage>,
    /// Copies of what own linked devices sent.
    pub copies: Vec<SentCopy>,
    /// What its owner wrote on the phone itself.
    pub outgoing: Vec<OutgoingMessage>,
}

/// Part of all phones, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PhonePage {
    /// The phones.
    pub phones: Vec<PhoneView>,
    /// Pass this as `after` for the next page; absent on the last one.
    pub next: Option<PhoneNumber>,
}

fn view(device: &Device) -> DeviceView {
    DeviceView {
        id: device.address.device,
        name: device.name.clone(),
        linked_at: device.linked_at,
        connected: device.link().is_some(),
        waiting: device.mailbox.len(),
        one_time_keys: device.keys().count(),
    }
}

/// Accounts that have linked devices or are banned.
pub(crate) fn accounts(world: &World) -> Vec<AccountView> {
    let view = |account: &Arc<Account>| {
        let (banned, devices) = {
            let mut devices = account.devices();
            (devices.ban(world.now_millis()).is_some(), devices.linked.values().cloned().collect::<Vec<_>>())
        };
        let devices: Vec<_> = devices.iter().map(|device| view(device)).collect();
        let lid = account.number.lid_user();
        (banned || !devices.is_empty()).then_some(AccountView { number: account.number, lid, banned, devices })
    };
    world.registry.all().iter().filter_map(view).collect()
}

fn phone_view(account: &Account) -> PhoneView {
    let phone = account.phone();
    PhoneView {
        number: account.number,
        inbox: phone.messages().to_vec(),
        copies: phone.copies().to_vec(),
        outgoing: phone.outgoing(),
    }
}

/// One phone; an untouched one is empty.
pub(crate) fn phone(world: &World, number: PhoneNumber) -> PhoneView {
    match world.registry.get(number) {
        Some(account) => phone_view(&account),
        None => PhoneView { number, inbox: Vec::new(), copies: Vec::new(), outgoing: Vec::new() },
    }
}

/// Up to `limit` phones that have something to show, after the number `after`.
pub(crate) fn phones(world: &World, after: Option<PhoneNumber>, limit: usize) -> PhonePage {
    let mut page = PhonePage { phones: Vec::new(), next: None };
    let rest = world.registry.all().into_iter().filter(|account| after.is_none_or(|after| account.number > after));
    for account in rest {
        if page.phones.len() == limit {
            page.next = page.phones.last().map(|phone| phone.number);
            break;
        }
        let view = phone_view(&account);
        if !(view.inbox.is_empty() && view.copies.is_empty() && view.outgoing.is_empty()) {
            page.phones.push(view);
        }
    }
    page
}

pub(crate) fn find(world: &World, account: PhoneNumber, device: u16) -> Result<(Arc<Account>, Arc<Device>), SimError> {
    let missing = SimError::NoSuchDevice { account, device };
    let Some(account) = world.registry.get(account) else {
        return Err(missing);
    };
    match account.device(device) {
        Some(device) => Ok((account, device)),
        None => Err(missing),
    }
}

pub(crate) async fn order(device: &Device, command: Command) -> Result<(), SimError> {
    let gone = SimError::NotConnected { account: device.address.account, device: device.address.device };
    let Some(link) = device.link() else {
        return Err(gone);
    };
    link.commands.send(command).await.map_err(|_| gone)
}

/// Takes a device off its account. Its connection, if any, is not ended by this.
pub(crate) fn forget_device(world: &World, account: &Account, id: u16, by_device: bool) -> Option<Arc<Device>> {
    let device = account.devices().linked.remove(&id)?;
    world.log(JournalEvent::LoggedOut { device: device.address, by_device });
    announce_devices(world, account, None);
    tell_contacts(world, account, &device, DeviceChange::Removed);
    Some(device)
}

/// The phone's owner logs a linked device out.
pub(crate) async fn log_out(world: &World, account: PhoneNumber, device: u16) -> Result<(), SimError> {
    let (account, _) = find(world, account, device)?;
    if let Some(device) = forget_device(world, &account, device, false) {
        // One that is not connected learns it at its next login.
        drop(order(&device, Command::End(EndReason::Removed)).await);
    }
    Ok(())
}

/// Cuts a device's connection.
pub(crate) async fn drop_connection(world: &World, account: PhoneNumber, device: u16) -> Result<(), SimError> {
    let (_, device) = find(world, account, device)?;
    order(&device, Command::End(EndReason::Cut)).await
}

/// Changes how one phone behaves.
pub(crate) fn set_phone(world: &World, number: PhoneNumber, behaviour: PhoneBehaviour) -> Result<(), SimError> {
    let account = world.account(number).ok_or(SimError::NotRegistered(number))?;
    account.phone().behaviour = behaviour;
    Ok(())
}

fn refused(group: Option<GroupId>, refusal: Refusal) -> SimError {
    SimError::Group { group, reason: refusal.to_string(), unknown: refusal == Refusal::Unknown }
}

/// A phone makes a group.
pub(crate) fn create_group(
    world: &World,
    creator: PhoneNumber,
    subject: &str,
    members: Vec<PhoneNumber>,
    addressing: Addressing,
) -> Result<Arc<Group>, SimError> {
    world.account(creator).ok_or(SimError::NotRegistered(creator))?;
    let made = server::create_group(world, (creator, None), subject, members, addressing);
    made.map(|(group, _)| group).map_err(|refusal| refused(None, refusal))
}

/// A phone changes a group.
pub(crate) fn change_group(
    world: &World,
    group: GroupId,
    by: PhoneNumber,
    change: GroupChange,
) -> Result<Vec<MemberOutcome>, SimError> {
    let changed = server::change_group(world, group, by, change);
    changed.map(|(_, outcomes)| outcomes).map_err(|refusal| refused(Some(group), refusal))
}
