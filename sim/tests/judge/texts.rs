//! What the simulator's phones must show after the same three texts, whichever client sent them.

use kurir_sim::{LinkedDevice, SimHandle};

use crate::client::PATIENCE;

/// The texts to send, one after another, to [`RECIPIENT`].
pub const TEXTS: [&str; 3] = ["first", "second", "third"];

pub const RECIPIENT: &str = "15551230002";

/// The text at this place of [`TEXTS`] is in the recipient's inbox, once, from this device.
pub async fn arrived(sim: &SimHandle, from: &LinkedDevice, place: usize, id: &str) {
    let inbox = sim.wait_for_messages(RECIPIENT, place + 1, PATIENCE).await.expect("it arrives");
    let message = &inbox[place];
    assert_eq!((message.id.as_str(), message.text.as_deref()), (id, Some(TEXTS[place])));
    assert_eq!((message.from, message.from_device), (from.account, from.device));
    assert_eq!((message.arrivals, message.shown), (1, 1));
}

/// The sender's own phone has a copy of each, and nothing went wrong anywhere.
pub async fn copied_and_counted(sim: &SimHandle, from: &LinkedDevice) {
    let copies = sim
        .wait_until("the own phone's copies", PATIENCE, |sim| {
            let copies = sim.phone(&from.account.to_string()).ok()?.copies;
            (copies.len() == TEXTS.len()).then_some(copies)
        })
        .await
        .expect("the own phone gets a copy of each");
    assert_eq!(copies[0].text.as_deref(), Some(TEXTS[0]));
    let counters = sim.counters();
    assert_eq!((counters.accepted, counters.shown, counters.unreadable), (3, 3, 0));
    assert_eq!((counters.counter_replays, counters.duplicates), (0, 0));
}
