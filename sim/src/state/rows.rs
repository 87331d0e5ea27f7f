//! An account as rows.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::{Account, DeviceRecord, DevicesRecord, MailboxRecord, PhoneNumber};
use crate::entropy::Entropy;
use crate::phone::{Inbox, PhoneRecord};
use crate::server;

/// Messages in one row.
const PIECE: usize = 256;

#[derive(Serialize, Deserialize)]
struct AccountRow {
    phone: PhoneRecord,
    devices: DevicesRecord,
}

/// Rows by their names within the account. `None` is a row that is to be removed if it is there.
pub(super) type Rows = BTreeMap<String, Option<Vec<u8>>>;

/// Names sort by account: digits of one length, then what it is.
pub(super) fn name(account: PhoneNumber, what: &str) -> String {
    format!("account/{:015}/{what}", account.as_u64())
}

/// The account that a row belongs to, and which of its rows it is.
pub(super) fn split(name: &str) -> Option<(PhoneNumber, &str)> {
    let (number, what) = name.strip_prefix("account/")?.split_once('/')?;
    Some((number.parse().ok().and_then(PhoneNumber::from_u64)?, what))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// The rows of an account that may have changed since the last call; `all` asks for all of them.
pub(super) fn changed(account: &Account, all: bool) -> Result<Rows, String> {
    let mut rows = Rows::new();
    let mark = account.take_changed();
    // One look, so that the list names the devices whose rows are written with it.
    let (devices, linked) = account
        .look_at_devices(|devices| (DevicesRecord::of(devices), devices.linked.values().cloned().collect::<Vec<_>>()));
    if mark || all {
        let (phone, pieces) = account.look_at_phone(|phone| {
            let record = PhoneRecord::of(phone).map_err(|error| error.to_string())?;
            Ok::<_, String>((record, phone.take_changed_pieces(PIECE, all)))
        })?;
        rows.insert("state".into(), Some(encode(&AccountRow { phone, devices })?));
        for (what, content) in pieces {
            rows.insert(what, Some(content));
        }
    }
    if account.contacts.take_changed() || all {
        rows.insert("contacts".into(), Some(encode(&account.contacts.record())?));
    }
    if account.app_state.take_changed() || all {
        rows.insert("app-state".into(), Some(encode(&account.app_state.record())?));
    }
    for device in linked {
        let id = device.address.device;
        if device.take_changed() || all {
            rows.insert(format!("device/{id}"), Some(encode(&DeviceRecord::of(&device))?));
        }
        if device.mailbox.take_changed() || all {
            let mail = MailboxRecord::of(&device.mailbox).map(|mail| encode(&mail)).transpose()?;
            rows.insert(format!("mail/{id}"), mail);
        }
    }
    Ok(rows)
}

/// Whether a row is of something that the account does not have any more: a device that was logged
/// out, or messages of a phone that was set up anew.
pub(super) fn outlived(account: &Account, what: &str) -> bool {
    let Some((kind, index)) = what.split_once('/') else {
        return false;
    };
    match kind {
        "device" | "mail" => {
            let gone = |id: u16| account.look_at_devices(|devices| !devices.linked.contains_key(&id));
            index.parse().is_ok_and(gone)
        }
        _ => account.look_at_phone(|phone| phone.has_no_piece(what, PIECE)),
    }
}

/// An account from its rows. The names are without the account.
pub(super) fn restore(
    number: PhoneNumber,
    rows: &BTreeMap<String, Vec<u8>>,
    mailbox_limit: usize,
    rng: rand::rngs::StdRng,
) -> Result<Account, (String, String)> {
    let at = |what: &str| what.to_owned();
    let read = |what: &str| rows.get(what).ok_or_else(|| "it is missing".to_owned());
    let AccountRow { phone, devices } =
        read("state").and_then(|row| decode(row)).map_err(|reason| (at("state"), reason))?;
    let mut inbox = Inbox::default();
    for (what, row) in rows.iter().filter(|(what, _)| Inbox::is_piece(what)) {
        inbox.add_piece(what, row).map_err(|reason| (what.clone(), reason))?;
    }
    let phone = phone.into_phone(inbox, rng).map_err(|reason| (at("state"), reason))?;
    let devices = devices
        .into_devices(
            number,
            mailbox_limit,
            |id| {
                read(&format!("device/{id}"))
                    .and_then(|row| decode(row))
                    .map_err(|reason| format!("device/{id}: {reason}"))
            },
            |id| match rows.get(&format!("mail/{id}")) {
                Some(row) => decode(row).map(Some).map_err(|reason| format!("mail/{id}: {reason}")),
                None => Ok(None),
            },
        )
        .map_err(|reason| (at("state"), reason))?;
    let account = Account::restored(number, phone, devices);
    if let Some(row) = rows.get("contacts") {
        let restored = decode(row).and_then(|contacts| account.contacts.restore(contacts));
        restored.map_err(|reason| (at("contacts"), reason))?;
        // As it is kept.
        account.contacts.take_changed();
    }
    if let Some(row) = rows.get("app-state") {
        account.app_state.restore(decode(row).map_err(|reason| (at("app-state"), reason))?);
        server::read_names(&account);
    }
    Ok(account)
}

/// The random stream of a phone that lives on after the `start`th start.
pub(super) fn later_stream(entropy: &Entropy, start: u64, number: PhoneNumber) -> rand::rngs::StdRng {
    entropy.stream(&format!("phone after start {start}"), number.as_u64())
}
