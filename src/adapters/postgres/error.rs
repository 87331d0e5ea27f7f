//! PostgreSQL's errors in the words of the ports, and the repetition of what lost a race.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use kurir_core::port::PortError;

use super::PostgresStore;

/// How operators call it.
pub(super) const SYSTEM: &str = "PostgreSQL";

/// How often a call is tried that PostgreSQL ended in favour of another one.
const TRIES: u32 = 6;

/// Upper limit of the pause after the first try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(4);

/// Sorts an error of the client or the server.
pub(super) fn port_error(action: &'static str, error: sqlx::Error) -> PortError {
    use sqlx::Error as E;
    let unavailable = match &error {
        E::PoolClosed => return PortError::Closed(SYSTEM),
        E::ColumnDecode { .. }
        | E::Decode(_)
        | E::ColumnNotFound(_)
        | E::ColumnIndexOutOfBounds { .. }
        | E::RowNotFound => return corrupt(format!("the answer to {action}"), error),
        E::Database(database) => database.code().is_some_and(|code| may_pass(&code)),
        // A broken protocol is a broken connection; the next one is a new one.
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::WorkerCrashed | E::BeginFailed => true,
        _ => false,
    };
    let source = Box::new(error);
    if unavailable {
        PortError::Unavailable { system: SYSTEM, action, source }
    } else {
        PortError::Refused { system: SYSTEM, action, source }
    }
}

/// Something that asking again will not change.
pub(super) fn refused(action: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> PortError {
    PortError::Refused { system: SYSTEM, action, source: source.into() }
}

/// A stored value that can't be read.
pub(super) fn corrupt(what: String, source: impl Into<Box<dyn Error + Send + Sync>>) -> PortError {
    PortError::Corrupt { system: SYSTEM, what, source: source.into() }
}

/// Whether an SQLSTATE speaks of the server's condition, not of the request.
fn may_pass(code: &str) -> bool {
    // Connection, transaction rollback, resources, system error; then: statement or lock timed out, idle in a
    // transaction for too long, the server is stopping or starting, and a standby that does not write (during a
    // failover the name may still lead there).
    matches!(code.get(..2), Some("08" | "40" | "53" | "58"))
        || matches!(code, "57014" | "55P03" | "25P03" | "57P01" | "57P02" | "57P03" | "57P05" | "25006")
}

/// Whether the transaction was rolled back in favour of another one, so that the same once more may succeed.
fn lost_a_race(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if matches!(e.code().as_deref(), Some("40001" | "40P01")))
}

impl PostgresStore {
    /// Carries out `attempt`, again when it fell to a deadlock or a serialization failure; its argument tells whether
    /// it is a repetition. Locks are taken in a fixed order wherever the order can be chosen, so this is rare.
    pub(super) async fn retrying<T, F, R>(&self, action: &'static str, mut attempt: F) -> Result<T, PortError>
    where
        F: FnMut(bool) -> R + Send,
        R: Future<Output = Result<T, sqlx::Error>> + Send,
        T: Send,
    {
        let mut pause = FIRST_PAUSE;
        for turn in 1..TRIES {
            match attempt(turn > 1).await {
                Err(error) if lost_a_race(&error) => {
                    tracing::debug!(action, "repeated: another transaction was preferred");
                    tokio::time::sleep(pause.mul_f64(self.vault.fraction())).await;
                    pause *= 2;
                }
                answer => return answer.map_err(|e| port_error(action, e)),
            }
        }
        attempt(true).await.map_err(|e| port_error(action, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_trouble_is_told_from_a_wrong_request() {
        for passing in ["08006", "40P01", "40001", "53300", "57P01", "57014", "25006"] {
            assert!(may_pass(passing), "{passing}");
        }
        for lasting in ["42P01", "28P01", "23505", "22021", "3D000", ""] {
            assert!(!may_pass(lasting), "{lasting}");
        }
    }

    #[test]
    fn errors_of_the_client_are_sorted() {
        assert!(matches!(port_error("x", sqlx::Error::PoolTimedOut), PortError::Unavailable { .. }));
        assert!(matches!(port_error("x", sqlx::Error::PoolClosed), PortError::Closed(SYSTEM)));
        assert!(matches!(port_error("x", sqlx::Error::RowNotFound), PortError::Corrupt { .. }));
        let wrong = sqlx::Error::Configuration("bad url".into());
        assert!(matches!(port_error("x", wrong), PortError::Refused { .. }));
    }
}
