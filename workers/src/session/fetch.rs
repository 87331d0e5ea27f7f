//! Fetches the files that came in, from WhatsApp into the store, while the session is ours and connected. What is to be
//! fetched stands in the store, so the next owner goes on with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use kurir_core::domain::{MediaId, MediaRecord, MediaState, Timestamp};
use kurir_core::policy::Backoff;
use kurir_core::port::{FetchError, IntakeError, MediaIntake, PortError};

use super::Owned;

/// Most files that are looked at in one round.
const ROUND: u32 = 200;

/// How many files of one session are fetched at once; over all sessions the room in memory is the limit.
const AT_ONCE: usize = 2;

/// Pauses before a file is tried again.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(2), max: Duration::from_mins(10) };

/// How often a file is tried by one owner before it counts as lost.
const TRIES: u32 = 20;

/// What is known of files that did not come: how often they were tried, and when they are due again.
type Tried = HashMap<MediaId, (u32, Timestamp)>;

/// Fetches until the session stops or is lost.
pub(crate) async fn fetch_files(owned: Arc<Owned>) {
    let mut tried = Tried::new();
    let mut link = owned.link.clone();
    loop {
        let wait = async {
            // The sender of it ends with us.
            let _ = link.wait_for(|up| *up).await;
            round(&owned, &mut tried).await
        };
        let due = tokio::select! {
            () = owned.lost.cancelled() => return,
            () = owned.stopping.cancelled() => return,
            due = wait => due,
        };
        let due = due.unwrap_or_else(|error| {
            tracing::warn!(session = %owned.id(), error = %error.chain(), "files that came in can't be looked for");
            Some(BACKOFF.base)
        });
        let pause = async {
            match due {
                Some(span) => tokio::time::sleep(span).await,
                // Nothing is awaited, until a message says so.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = owned.lost.cancelled() => return,
            () = owned.stopping.cancelled() => return,
            () = owned.files.notified() => {}
            () = pause => {}
        }
    }
}

/// Tries what is due; tells after which span something is due again.
async fn round(owned: &Owned, tried: &mut Tried) -> Result<Option<Duration>, PortError> {
    let awaited = owned.shared.ports.media.awaited_media(owned.id(), ROUND).await?;
    tried.retain(|id, _| awaited.iter().any(|media| media.id == *id));
    let now = owned.shared.ports.clock.now();
    let due = |media: &MediaRecord| tried.get(&media.id).is_none_or(|(_, at)| *at <= now);
    let (due, later): (Vec<_>, Vec<_>) = awaited.into_iter().partition(due);
    let mut failed = Vec::new();
    let mut fetching = futures_util::stream::iter(due)
        .map(|media| async move {
            let id = media.id;
            (id, fetch(owned, media).await)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((id, done)) = fetching.next().await {
        if !done? {
            failed.push(id);
        }
    }
    drop(fetching);
    let now = owned.shared.ports.clock.now();
    for id in failed {
        let (count, at) = tried.entry(id).or_insert((0, now));
        *count += 1;
        *at = now.plus(BACKOFF.delay(*count, owned.shared.ports.entropy.fraction()));
        if *count >= TRIES {
            tracing::warn!(session = %owned.id(), file = %id, "a file that came in could not be fetched; it is given up");
            if let Some(media) = owned.shared.ports.media.media(&owned.tenant, id).await? {
                settle(owned, media, MediaState::Lost).await?;
            }
        }
    }
    let next = tried.values().map(|(_, at)| at.since(now)).min();
    // More than one round holds is looked at at once.
    let full = u32::try_from(later.len() + tried.len()).is_ok_and(|count| count >= ROUND);
    Ok(if full { next.map(|span| span.min(BACKOFF.base)) } else { next })
}

/// Fetches one file; `false`: it may come later.
async fn fetch(owned: &Owned, media: MediaRecord) -> Result<bool, PortError> {
    let (ports, options) = (&owned.shared.ports, &owned.shared.options.media);
    let Some(source) = media.detail.source.clone() else { return settle(owned, media, MediaState::Lost).await };
    if media.size > options.limits.of(&media.detail.mime_type) {
        tracing::info!(session = %owned.id(), file = %media.id, size = media.size, "a file that came in is too large");
        return settle(owned, media, MediaState::Unkept).await;
    }
    // As it comes, and decrypted.
    let _room = owned.shared.room.enter(media.size * 2).await;
    let bytes = match owned.sender.fetch(&source, options.transfer_timeout).await {
        Ok(bytes) => bytes,
        Err(FetchError::Gone) => return settle(owned, media, MediaState::Lost).await,
        Err(FetchError::Messenger(error)) => {
            tracing::debug!(session = %owned.id(), file = %media.id, %error, "a file that came in could not be fetched");
            return Ok(false);
        }
    };
    let mut record = media.clone();
    record.detail.source = None;
    let mut intake = MediaIntake::new(&*ports.media, record, None, options.limits);
    let taken = async {
        intake.push(&bytes).await?;
        intake.finish().await
    };
    match taken.await {
        Ok(_) => Ok(true),
        Err(IntakeError::Port(error)) => Err(error),
        Err(error) => {
            tracing::info!(session = %owned.id(), file = %media.id, %error, "a file that came in is not kept");
            settle(owned, media, MediaState::Unkept).await
        }
    }
}

/// The file will not come.
async fn settle(owned: &Owned, media: MediaRecord, state: MediaState) -> Result<bool, PortError> {
    let mut settled = MediaRecord { state, ..media };
    settled.detail.source = None;
    owned.shared.ports.media.settle_media(&settled).await?;
    Ok(true)
}
