//! What WhatsApp says of an account that may begin no new chats: a timelock, or a quota that is used up.

use kurir_core::domain::Timestamp;
use kurir_core::port::{MessengerError, MessengerEvent};
use serde_json::Value;
use whatsapp_rust::wacore::iq::mex_operations::fetch_new_chat_message_capping_info as capping;
use whatsapp_rust::wacore::iq::mex_operations::fetch_reachout_timelock as timelock;
use whatsapp_rust::{Client, MexError, MexRequest};

use super::failure;

/// The notification of a timelock, and where its JSON has it.
const TIMELOCK: (&str, &str) = ("NotificationUserReachoutTimelockUpdate", "xwa2_notify_account_reachout_timelock");
/// The notification of a quota, and where its JSON has it.
const QUOTA: (&str, &str) = ("MessageCappingInfoNotification", "xwa2_notify_new_chat_messages_capping_info_update");

/// What an account may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Nothing keeps it from beginning chats.
    Free,
    /// It may begin none, until this moment if WhatsApp named one.
    Restricted(Option<Timestamp>),
}

/// Asks for the timelock, and for the quota if there is none.
pub(super) async fn ask(client: &Client) -> Result<Option<Timestamp>, MessengerError> {
    let lock = client.mex().fetch_reachout_timelock().await.map_err(|error| failed("a timelock query", &error))?;
    if let Told::Restricted(until) = of_timelock(&lock) {
        return Ok(until);
    }
    let request = MexRequest::new(capping::NAME, capping::DOC_ID, capping::Variables::default());
    let answer = client.mex().query(request).await.map_err(|error| failed("a quota query", &error))?;
    let response = answer.data.and_then(|data| serde_json::from_value::<capping::Response>(data).ok());
    let info = response.and_then(|response| response.xwa2_message_capping_info);
    Ok(match info.as_ref().map(of_quota) {
        Some(Told::Restricted(until)) => until,
        Some(Told::Free) | None => None,
    })
}

/// What a notification of type `mex` says; `None` when it is about something else, or names no end.
pub(super) fn notified(name: &str, payload: &Value) -> Option<MessengerEvent> {
    let of = |field: &str| payload.get("data").unwrap_or(payload).get(field).cloned();
    let told = if name == TIMELOCK.0 {
        of_timelock(&serde_json::from_value(of(TIMELOCK.1)?).ok()?)
    } else if name == QUOTA.0 {
        // A quota with room says nothing of a timelock that may go on, so it frees nobody.
        Some(of_quota(&serde_json::from_value(of(QUOTA.1)?).ok()?)).filter(|told| *told != Told::Free)?
    } else {
        return None;
    };
    match told {
        Told::Free => Some(MessengerEvent::Unrestricted),
        Told::Restricted(until) => until.map(|until| MessengerEvent::Restricted { until }),
    }
}

fn of_timelock(lock: &timelock::Xwa2FetchAccountReachoutTimelock) -> Told {
    if lock.is_active != Some(true) {
        return Told::Free;
    }
    Told::Restricted(lock.time_enforcement_ends.as_deref().and_then(|text| text.parse().ok()).and_then(seconds))
}

fn of_quota(info: &capping::Xwa2MessageCappingInfo) -> Told {
    match info.capping_status.as_deref() {
        Some("CAPPED") => Told::Restricted(info.cycle_end_timestamp.and_then(seconds)),
        _ => Told::Free,
    }
}

/// A moment in seconds since 1970; 0 and below are no moments.
fn seconds(seconds: i64) -> Option<Timestamp> {
    seconds.checked_mul(1000).filter(|millis| *millis > 0).map(Timestamp::from_millis)
}

fn failed(what: &'static str, error: &MexError) -> MessengerError {
    if let MexError::Request(error) = error { failure::query(what, error) } else { failure::client(what, error) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn until(event: Option<&MessengerEvent>) -> Option<i64> {
        match event {
            Some(MessengerEvent::Restricted { until }) => Some(until.as_millis()),
            Some(MessengerEvent::Unrestricted) => Some(0),
            _ => None,
        }
    }

    #[test]
    fn a_timelock_is_told_with_its_end() {
        let told = |lock: Value| until(notified(TIMELOCK.0, &json!({ "data": { TIMELOCK.1: lock } })).as_ref());
        assert_eq!(told(json!({ "is_active": true, "time_enforcement_ends": "1790000000" })), Some(1_790_000_000_000));
        assert_eq!(told(json!({ "is_active": false, "enforcement_type": "DEFAULT" })), Some(0));
        assert_eq!(told(json!({ "is_active": true, "enforcement_type": "DEFAULT" })), None, "it names no end");
        assert_eq!(told(json!({ "is_active": true, "time_enforcement_ends": "soon" })), None);
        assert_eq!(told(json!("nonsense")), None);
    }

    #[test]
    fn a_quota_is_told_when_it_is_used_up() {
        let told = |info: Value| until(notified(QUOTA.0, &json!({ "data": { QUOTA.1: info } })).as_ref());
        let end = 1_790_000_000;
        assert_eq!(told(json!({ "capping_status": "CAPPED", "cycle_end_timestamp": end })), Some(end * 1000));
        assert_eq!(told(json!({ "capping_status": "SECOND_WARNING", "cycle_end_timestamp": end })), None);
        assert_eq!(until(notified("SomethingElse", &json!({ "data": {} })).as_ref()), None);
    }
}
