//! Whom a session has written to. The store knows numbers by marks that another id or another store would make otherwise, so
//! they are found among those that the session's Signal state names: without a Signal session nothing is sent to anybody.

use kurir_core::domain::SessionId;
use kurir_core::port::{Acquaintances, PortError, StateValue};

use crate::compose::{ToolBackends, numbers_in_state};

/// Numbers asked for at once.
const AT_ONCE: usize = 1000;

/// The numbers of the state that the session has written to.
pub(super) async fn acquaintances(
    tool: &ToolBackends,
    id: &SessionId,
    state: &[StateValue],
) -> Result<Acquaintances, PortError> {
    let numbers: Vec<_> = numbers_in_state(state).into_iter().collect();
    let mut found = Acquaintances::default();
    for some in numbers.chunks(AT_ONCE) {
        let known = tool.backends.vault.acquainted(id, some).await?;
        for (number, known) in some.iter().zip(known) {
            found.met.extend(known.met.then(|| number.clone()));
            found.bulk.extend(known.bulk.then(|| number.clone()));
        }
    }
    Ok(found)
}
