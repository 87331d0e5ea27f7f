//! Files that any client sends, and what a phone of the simulator made of them.

use kurir_sim::{Content, Download, MediaContent, SimHandle};

use crate::client::PATIENCE;

/// Bytes that are no repetition of anything.
pub fn file(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Waits until the phone has downloaded, or tried to, the file of message `id`.
pub async fn downloaded(sim: &SimHandle, phone: &str, id: &str) -> MediaContent {
    sim.wait_until("the download", PATIENCE, |sim| {
        let inbox = sim.inbox(phone).ok()?;
        match inbox.into_iter().find(|message| message.id == id)?.content? {
            Content::Media(media) if media.download != Download::Pending => Some(media),
            _ => None,
        }
    })
    .await
    .expect("the phone downloads")
}
