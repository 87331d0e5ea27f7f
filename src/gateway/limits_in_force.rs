//! The limits as the configuration has them, for whoever wants to see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kurir_core::domain::{FailReason, SessionId, SessionRecord};
use kurir_core::policy::{Budget, DayRule, Zone};

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitInForce {
    /// What it limits.
    pub limit: String,
    /// The settings that make it; none for what others decide.
    pub settings: Vec<String>,
    /// Its value.
    pub value: String,
    /// Its value where nobody set another one.
    pub default: String,
    /// Where its state is kept.
    pub kept: String,
    /// What happens over it.
    pub over: String,
    /// The reason that events tell.
    pub reason: Option<FailReason>,
    /// What happens while that place is down; empty where that can't be.
    pub down: String,
}

/// What a sender has spent of its day, as its record has it.
pub type BudgetOf = Arc<dyn Fn(&SessionRecord) -> Budget + Send + Sync>;

/// All limits.
#[derive(Clone)]
pub struct LimitsInForce {
    /// One after the other.
    pub table: Vec<LimitInForce>,
    /// Time zones of sessions whose number does not tell the right one.
    pub zones: BTreeMap<SessionId, Zone>,
    /// Sessions whose numbers need no warm-up.
    pub warm: BTreeSet<SessionId>,
    /// A sender's day.
    pub budget: BudgetOf,
}

impl Default for LimitsInForce {
    /// None at all.
    fn default() -> Self {
        let budget = |record: &SessionRecord| Budget::new(DayRule::default(), Zone::UTC, None, record.pace.day);
        Self { table: Vec::new(), zones: BTreeMap::new(), warm: BTreeSet::new(), budget: Arc::new(budget) }
    }
}
