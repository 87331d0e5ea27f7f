//! What a phone of the simulator shows of a message, whichever client sent it.

use kurir_sim::{InboxMessage, SimHandle};

use crate::client::PATIENCE;

/// The message `id` as the phone shows it, once it does.
pub async fn shown(sim: &SimHandle, phone: &str, id: &str) -> InboxMessage {
    sim.wait_until("the message", PATIENCE, |sim| sim.inbox(phone).ok()?.into_iter().find(|message| message.id == id))
        .await
        .expect("it arrives")
}
