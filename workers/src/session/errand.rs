//! What an owner does once, without serving: deleting a session, or logging it out.

use kurir_core::domain::{Fence, SessionRecord, Wanted};
use tokio_util::sync::CancellationToken;

use super::deletion::delete;
use super::logout::log_out;
use super::owner::{EndError, Ended, Shared, TO_CONCLUDE};

/// Does what is wanted, to its end, until the session is lost, or until a stop has lasted for its deadline. What was cut off is
/// gone on with by the next owner.
pub(super) async fn run(
    shared: &Shared,
    record: &SessionRecord,
    fence: Fence,
    stop: &CancellationToken,
    lost: &CancellationToken,
) -> Result<Ended, EndError> {
    let cut = CancellationToken::new();
    let deadline = shared.options.stop_deadline;
    let late = async {
        tokio::select! {
            () = lost.cancelled() => Ended::Lost,
            () = async { stop.cancelled().await; tokio::time::sleep(deadline).await } => Ended::Stopped { abandoned: 0 },
        }
    };
    let errand = async {
        if record.wanted == Wanted::Deleted {
            delete(shared, record, fence, stop, &cut).await
        } else {
            log_out(shared, record, fence, &cut).await
        }
    };
    let mut errand = std::pin::pin!(errand);
    let ended = tokio::select! {
        ended = &mut errand => return ended,
        ended = late => ended,
    };
    cut.cancel();
    // What is left of it now is a connection that is being closed.
    let _ = tokio::time::timeout(TO_CONCLUDE, errand).await;
    Ok(ended)
}
