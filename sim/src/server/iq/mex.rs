//! `w:mex` queries: what restricts the account.
//!
//! The query ids and the shapes of the answers were seen with whatsapp-rust 0.7 and Baileys 7.

use serde_json::{Value, json};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

use super::super::{Session, stanza};
use crate::fault::{quota_json, timelock_json};

const REACHOUT_TIMELOCK: &str = "23983697327930364";
const NEW_CHAT_CAPPING: &str = "24503548349331633";

/// Answers a query. One that the simulator does not know gets an empty result.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, id: &str) -> Node {
    let query = node.get_optional_child("query").map(|query| stanza::attr(query, "query_id")).unwrap_or_default();
    let account = session.account.number;
    match query.as_str() {
        REACHOUT_TIMELOCK => {
            let lock = session.world.timelock(account);
            answer(id, &json!({ "xwa2_fetch_account_reachout_timelock": timelock_json(lock.as_ref()) }))
        }
        NEW_CHAT_CAPPING => {
            let now = session.world.now_millis();
            let quota = session.world.restrictions.of(account, now).quota;
            answer(id, &json!({ "xwa2_message_capping_info": quota_json(quota.as_ref(), now) }))
        }
        _ => stanza::result(id, []),
    }
}

fn answer(id: &str, data: &Value) -> Node {
    let text = json!({ "data": data }).to_string();
    stanza::result(id, [NodeBuilder::new("result").bytes(text.into_bytes()).build()])
}
