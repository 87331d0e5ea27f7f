//! Carrying faults out.

use serde_json::{Value, json};
use wacore_binary::builder::NodeBuilder;

use super::restriction::{quota_json, timelock_json};
use super::{Effect, Fault, FaultId, FaultRule, NewChatQuota, Timelock};
use crate::account::{BanOrder, DeviceAddress, PhoneNumber, Stanza, StanzaClass};
use crate::error::SimError;
use crate::journal::JournalEvent;
use crate::operations::{self, find, order as tell};
use crate::server::{Command, EndReason, server_address};
use crate::world::World;

/// Carries out a fault, or puts it in force. Returns its name if it stays in force.
pub(crate) async fn order(world: &World, fault: Fault) -> Result<Option<FaultId>, SimError> {
    let id = world.faults.add(&fault)?;
    if id.is_none() {
        happen(world, fault).await?;
    }
    world.log(JournalEvent::FaultSet { fault: id.map_or(0, |id| id.0) });
    Ok(id)
}

fn struck(world: &World, effect: &'static str, account: PhoneNumber, device: Option<u16>) {
    let device = device.map(|device| DeviceAddress { account, device });
    let phone = device.is_none().then_some(account);
    world.log(JournalEvent::FaultFired { fault: 0, effect, device, phone, id: None });
}

async fn happen(world: &World, fault: Fault) -> Result<(), SimError> {
    let now = world.now_millis();
    match fault {
        Fault::DropConnection { account, device } => {
            operations::drop_connection(world, account, device).await?;
            struck(world, "drop_connection", account, Some(device));
        }
        Fault::LogOut { account, device } => {
            operations::log_out(world, account, device).await?;
            struck(world, "log_out", account, Some(device));
        }
        Fault::StreamError { account, device, code } => {
            let (_, found) = find(world, account, device)?;
            tell(&found, Command::End(EndReason::StreamError(code))).await?;
            struck(world, "stream_error", account, Some(device));
        }
        Fault::Ban { account, expire_secs } => {
            ban(world, account, expire_secs).await?;
            struck(world, "ban", account, None);
        }
        Fault::LiftBan { account } => {
            if let Some(account) = world.registry.get(account) {
                account.devices().ban_order = None;
            }
        }
        Fault::ReachoutTimelock { account, for_secs, enforcement_type } => {
            let until = for_secs.map(|secs| now.saturating_add(secs.saturating_mul(1000)));
            let lock = Timelock::new(until, enforcement_type);
            set_timelock(world, account, Some(lock))?;
            struck(world, "reachout_timelock", account, None);
        }
        Fault::LiftTimelock { account } => set_timelock(world, account, None)?,
        Fault::NewChatQuota { account, total, cycle_secs, code } => {
            if code.is_some_and(|code| !(400..=599).contains(&code)) {
                return Err(SimError::BadFault { reason: "the code of an ack error is between 400 and 599" });
            }
            let quota = total.map(|total| NewChatQuota::new(total, cycle_secs, code, now));
            set_quota(world, account, quota)?;
            struck(world, "new_chat_quota", account, None);
        }
        Fault::Rule(rule) => strike_now(world, &rule).await,
        // These wait.
        Fault::AckError { .. } | Fault::NoAck { .. } => {}
    }
    Ok(())
}

async fn ban(world: &World, number: PhoneNumber, expire_secs: Option<u64>) -> Result<(), SimError> {
    let account = world.account(number).ok_or(SimError::NotRegistered(number))?;
    let until = expire_secs.map(|secs| world.now_millis().saturating_add(secs.saturating_mul(1000)));
    account.devices().ban_order = Some(BanOrder { until });
    for device in account.linked() {
        // Cut off; the ban itself is told at the next login.
        drop(tell(&device, Command::End(EndReason::Cut)).await);
    }
    Ok(())
}

/// Does an effect without a stanza to every connected device that the rule names.
async fn strike_now(world: &World, rule: &FaultRule) {
    for address in world.hit_at_once(rule) {
        let DeviceAddress { account, device } = address;
        let done = if rule.effect == Effect::DeviceRemoved {
            operations::log_out(world, account, device).await
        } else {
            match find(world, account, device) {
                Ok((_, found)) => tell(&found, Command::Tamper(rule.effect.clone())).await,
                Err(error) => Err(error),
            }
        };
        match done {
            Ok(()) => struck(world, rule.effect.name(), account, Some(device)),
            // It went away in between.
            Err(error) => tracing::debug!(%error, "a fault missed its device"),
        }
    }
}

fn set_timelock(world: &World, number: PhoneNumber, lock: Option<Timelock>) -> Result<(), SimError> {
    let told = timelock_json(lock.as_ref());
    world.restrictions.change(number, |own| own.timelock = lock);
    notify(world, number, "NotificationUserReachoutTimelockUpdate", "xwa2_notify_account_reachout_timelock", &told)
}

fn set_quota(world: &World, number: PhoneNumber, quota: Option<NewChatQuota>) -> Result<(), SimError> {
    let told = quota_json(quota.as_ref(), world.now_millis());
    world.restrictions.change(number, |own| own.quota = quota);
    notify(world, number, "MessageCappingInfoNotification", "xwa2_notify_new_chat_messages_capping_info_update", &told)
}

/// Leaves a notification of type `mex` for all devices of an account.
fn notify(world: &World, number: PhoneNumber, name: &'static str, field: &str, told: &Value) -> Result<(), SimError> {
    let account = world.account(number).ok_or(SimError::NotRegistered(number))?;
    for device in account.linked() {
        let id = format!("sim-mex-{}", world.next_serial());
        let update = NodeBuilder::new("update")
            .attr("op_name", name)
            .bytes(json!({ "data": { field: told } }).to_string().into_bytes())
            .build();
        let node = NodeBuilder::new("notification")
            .attr("from", server_address())
            .attr("type", "mex")
            .attr("id", id.as_str())
            .attr("t", world.now_secs())
            .children([update])
            .build();
        world.post(&device, Stanza { class: StanzaClass::Notification, id, kind: None, node });
    }
    Ok(())
}
