//! How a message came to stand where it stands.

use serde::{Deserialize, Serialize};

use super::{FailReason, MessageState, Timestamp};

/// Most steps that are kept of one message. A message that is put off again and again would otherwise grow without end;
/// its first step and its newest ones stay.
const MOST: usize = 32;

/// One step of a message. The names are short because every write of an entry carries them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryStep {
    /// Where it came to stand.
    #[serde(rename = "s")]
    pub state: MessageState,
    /// When.
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// Why, where there is a reason.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailReason>,
    /// WhatsApp's code behind the reason.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// The steps of a message, the first one first. Empty in entries that were written before there were histories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(Vec<HistoryStep>);

impl History {
    /// A history that begins with this step.
    pub fn begun(state: MessageState, at: Timestamp) -> Self {
        Self(vec![HistoryStep { state, at, reason: None, code: None }])
    }

    /// The steps, the first one first.
    pub fn steps(&self) -> &[HistoryStep] {
        &self.0
    }

    /// Adds a step. Beyond the bound the second one goes: the first says when it all began.
    pub(super) fn push(&mut self, state: MessageState, at: Timestamp) {
        if self.0.len() >= MOST {
            self.0.remove(1);
        }
        self.0.push(HistoryStep { state, at, reason: None, code: None });
    }

    /// Says why the newest step was taken, if it is the one to this state.
    pub(super) fn explain(&mut self, state: MessageState, reason: Option<FailReason>, code: Option<u16>) {
        if let Some(newest) = self.0.last_mut().filter(|newest| newest.state == state) {
            (newest.reason, newest.code) = (reason, code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_bounded_and_keeps_its_beginning() {
        let at = Timestamp::from_millis;
        let mut history = History::begun(MessageState::Queued, at(0));
        for n in 1..100 {
            history.push(MessageState::Delayed, at(n));
            history.explain(MessageState::Delayed, Some(FailReason::SenderLimited), None);
        }
        assert_eq!(history.steps().len(), MOST);
        assert_eq!(history.steps()[0].state, MessageState::Queued);
        assert_eq!(history.steps()[MOST - 1].at, at(99));
        assert!(history.steps()[1..].iter().all(|step| step.reason == Some(FailReason::SenderLimited)));
    }

    #[test]
    fn a_step_is_written_in_few_bytes_and_read_back() {
        let mut history = History::begun(MessageState::Sending, Timestamp::from_millis(7));
        let bare = serde_json::to_string(&history).unwrap();
        assert_eq!(bare, r#"[{"s":"sending","t":7}]"#);
        history.explain(MessageState::Sending, Some(FailReason::NoAnswer), Some(463));
        let full = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&full).unwrap(), history);
    }
}
