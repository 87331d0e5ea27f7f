//! The end of a session: its jobs come to theirs, its device is logged out, and all that there is of it is removed.

use kurir_core::domain::{Fence, SessionRecord, Wanted};
use kurir_core::port::Written;
use tokio_util::sync::CancellationToken;

use super::logout::log_out_device;
use super::owner::{EndError, Ended, Shared};
use crate::job::{Remains, conclude_remains};

/// Files removed in one commit: each may have some hundred pieces, and others write to the store as well.
const FILES_AT_ONCE: u32 = 16;

/// Deletes a session; what a stop or a failure interrupts, the next owner goes on with.
pub(super) async fn delete(
    shared: &Shared,
    record: &SessionRecord,
    fence: Fence,
    stop: &CancellationToken,
    cut: &CancellationToken,
) -> Result<Ended, EndError> {
    if let Some(ended) = conclude(shared, record, &fence, stop, cut).await? {
        return Ok(ended);
    }
    if record.status.state.is_linked() {
        let wanted = shared.ports.sessions.get(&record.id).await?.map(|record| record.wanted);
        if wanted != Some(Wanted::Deleted) {
            return Ok(Ended::Rests);
        }
        log_out_device(shared, record, &fence, cut).await?;
        // What came in meanwhile.
        if let Some(ended) = conclude(shared, record, &fence, stop, cut).await? {
            return Ok(ended);
        }
    }
    if shared.ports.state.wipe(&fence).await? != Written::Done {
        return Ok(Ended::Lost);
    }
    // What came in through it is nobody's any more, and can't be found without it. Before the record goes: whoever goes on
    // with an interrupted deletion finds the rest by that.
    loop {
        match shared.ports.media.remove_media_of(&fence, FILES_AT_ONCE).await? {
            Some(0) => break,
            Some(_) => {}
            None => return Ok(Ended::Lost),
        }
    }
    // A session that is created under this id anew is another one.
    shared.ports.wishes.pin(&record.id, None).await?;
    match shared.ports.sessions.delete(&fence).await? {
        Written::Done => {}
        // Wanted again meanwhile; the next owner begins with a scan.
        Written::Conflict => return Ok(Ended::Rests),
        Written::Fenced => return Ok(Ended::Lost),
    }
    // Last, so that nobody's queue is removed but that of a session that is gone.
    shared.ports.jobs.remove(&record.id).await?;
    tracing::info!(session = %record.id, "session deleted");
    Ok(Ended::Gone)
}

/// Brings the session's jobs to an end; gives how owning it ended if that was not to the end.
async fn conclude(
    shared: &Shared,
    record: &SessionRecord,
    fence: &Fence,
    stop: &CancellationToken,
    cut: &CancellationToken,
) -> Result<Option<Ended>, EndError> {
    let remains = tokio::select! {
        remains = conclude_remains(shared, record, fence, stop) => remains?,
        () = cut.cancelled() => Remains::Some,
    };
    Ok(match remains {
        Remains::None => None,
        Remains::Some => Some(Ended::Stopped { abandoned: 0 }),
        Remains::Fenced => Some(Ended::Lost),
    })
}
