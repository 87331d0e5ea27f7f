//! What the simulator noted of single messages, for those that are not where they should be.

use serde_json::Value;

use crate::http::Client;

/// Entries of the journal in one answer.
const PAGE: usize = 1000;

/// Everything that was noted of these messages.
pub async fn of(sim: &Client, messages: &[String]) -> Vec<String> {
    let mut told = Vec::new();
    let mut after = 0;
    while !messages.is_empty() {
        let (status, entries) = sim.get(&format!("/journal?after={after}&limit={PAGE}")).await;
        assert_eq!(status, 200, "{entries}");
        let entries = entries.as_array().unwrap();
        let of_one = |entry: &&Value| messages.iter().any(|id| entry["id"] == id.as_str());
        told.extend(entries.iter().filter(of_one).map(Value::to_string));
        match entries.last() {
            Some(last) => after = last["seq"].as_u64().unwrap(),
            None => break,
        }
    }
    told
}
