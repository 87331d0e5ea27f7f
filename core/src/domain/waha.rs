//! A session's state in the words of WAHA, which many callers know.

use super::{SessionState, Wanted};

/// The states of WAHA's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WahaStatus {
    /// Nobody wants it to run.
    Stopped,
    /// It is on its way to a connection.
    Starting,
    /// A code waits to be scanned.
    ScanQrCode,
    /// It can send.
    Working,
    /// It does not come up again by itself: it needs a new scan, the end of a ban, or another client.
    Failed,
}

impl WahaStatus {
    /// What a session in this state is in WAHA's words. Every pair has exactly one:
    ///
    /// | state | wanted `running` | wanted otherwise |
    /// |---|---|---|
    /// | `created`, `paired`, `disconnected` | `STARTING` | `STOPPED` |
    /// | `awaiting_scan` | `SCAN_QR_CODE` | `STOPPED` |
    /// | `connected` | `WORKING` | `STOPPED` |
    /// | `scan_timed_out`, `logged_out` | `STARTING` | `FAILED` |
    /// | `banned`, `outdated` | `FAILED` | `FAILED` |
    pub const fn of(state: SessionState, wanted: Wanted) -> Self {
        match (state, wanted) {
            (SessionState::AwaitingScan, Wanted::Running) => Self::ScanQrCode,
            (SessionState::Connected, Wanted::Running) => Self::Working,
            (
                SessionState::Created
                | SessionState::Paired
                | SessionState::Disconnected
                | SessionState::ScanTimedOut
                | SessionState::LoggedOut,
                Wanted::Running,
            ) => Self::Starting,
            (
                SessionState::Banned | SessionState::Outdated | SessionState::ScanTimedOut | SessionState::LoggedOut,
                _,
            ) => Self::Failed,
            (_, Wanted::Stopped | Wanted::LoggedOut | Wanted::Deleted) => Self::Stopped,
        }
    }

    /// As WAHA writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::ScanQrCode => "SCAN_QR_CODE",
            Self::Working => "WORKING",
            Self::Failed => "FAILED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_has_its_word() {
        use SessionState::{
            AwaitingScan, Banned, Connected, Created, Disconnected, LoggedOut, Outdated, Paired, ScanTimedOut,
        };
        for (states, running, otherwise) in [
            (&[Created, Paired, Disconnected][..], "STARTING", "STOPPED"),
            (&[AwaitingScan], "SCAN_QR_CODE", "STOPPED"),
            (&[Connected], "WORKING", "STOPPED"),
            (&[ScanTimedOut, LoggedOut], "STARTING", "FAILED"),
            (&[Banned, Outdated], "FAILED", "FAILED"),
        ] {
            for state in states {
                for wanted in Wanted::ALL {
                    let word = if wanted == Wanted::Running { running } else { otherwise };
                    assert_eq!(WahaStatus::of(*state, wanted).as_str(), word, "{state}, wanted {}", wanted.as_str());
                }
            }
        }
    }
}
