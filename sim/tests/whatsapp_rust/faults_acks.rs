//! Acknowledgements that are errors, late, doubled or missing, and accounts that may not begin chats.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kurir_sim::{Effect, Fault, FaultRule, JournalEvent, PhoneNumber, Probability, SimHandle};
use serde_json::json;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::wacore::iq::mex_operations::{
    fetch_new_chat_message_capping_info as capping, fetch_reachout_timelock,
};
use whatsapp_rust::{Mex, MexRequest};

use crate::client::{PATIENCE, TestClient, simulator};

fn number(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}

fn fired(sim: &SimHandle, name: &str) -> usize {
    let is = |event: &JournalEvent| matches!(event, JournalEvent::FaultFired { effect, .. } if *effect == name);
    sim.journal(0, usize::MAX).iter().filter(|entry| is(&entry.event)).count()
}

/// The errors that come back for these messages, in their order. The client handles acknowledgements side by side, so it may
/// tell of a later one first.
async fn errors(client: &mut TestClient, ids: &[String]) -> Vec<Option<String>> {
    let mut errors = HashMap::new();
    client
        .wait("all acks", |event| {
            if let Event::ServerAck(ack) = event {
                errors.insert(ack.id.clone(), ack.error.clone());
            }
            ids.iter().all(|id| errors.contains_key(id)).then_some(())
        })
        .await;
    ids.iter().map(|id| errors[id].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ack_error_reaches_the_client() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    for code in [463, 479, 400, 429] {
        let rule = FaultRule {
            account: Some(device.account),
            device: Some(device.device),
            times: Some(1),
            ..FaultRule::new(Effect::AckError { code })
        };
        sim.fault(Fault::Rule(rule)).await.expect("a good fault");
        let id = client.send("15551230002", "refused").await;
        assert_eq!(client.server_ack(&id).await.error, Some(code.to_string()));
    }
    assert!(sim.inbox("15551230002").expect("a number").is_empty());
    assert_eq!((fired(&sim, "ack_error"), sim.faults().len()), (4, 0));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_ack_comes_late_but_the_message_does_not() {
    const SLOW: Duration = Duration::from_millis(700);
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let first = client.send("15551230002", "opens the chat").await;
    client.ack_and_receipts(&first).await;
    let rule = FaultRule { times: Some(1), ..FaultRule::new(Effect::SlowAck { delay_ms: 700 }) };
    sim.fault(Fault::Rule(rule)).await.expect("a good fault");
    let begun = Instant::now();
    let slow = client.send("15551230002", "slow").await;
    let quick = client.send("15551230002", "quick").await;
    let mut order = Vec::new();
    client
        .wait("both acks", |event| match event {
            Event::ServerAck(ack) if ack.id == slow || ack.id == quick => {
                order.push(ack.id.clone());
                (order.len() == 2).then_some(())
            }
            _ => None,
        })
        .await;
    assert!(begun.elapsed() >= SLOW, "{:?}", begun.elapsed());
    assert_eq!(order, [quick, slow.clone()]);
    let arrived = &sim.inbox("15551230002").expect("a number")[1];
    assert_eq!((arrived.id.as_str(), arrived.arrivals), (slow.as_str(), 1));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicated_ack_is_told_again_and_the_message_arrives_once() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let rule = FaultRule { times: Some(1), ..FaultRule::new(Effect::DuplicateAck { copies: 2 }) };
    sim.fault(Fault::Rule(rule)).await.expect("a good fault");
    let id = client.send("15551230002", "one message, three acks").await;
    for _ in 0..3 {
        assert_eq!(client.server_ack(&id).await.error, None);
    }
    let inbox = sim.wait_for_messages("15551230002", 1, PATIENCE).await.expect("it arrives");
    assert_eq!((inbox.len(), inbox[0].arrivals), (1, 1));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chance_with_a_seed_refuses_the_same_messages_in_every_run() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let sim = simulator(|_| ()).await;
        let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
        let probability = Probability::new(0.5);
        let rule = FaultRule { probability, seed: 11, ..FaultRule::new(Effect::AckError { code: 429 }) };
        sim.fault(Fault::Rule(rule)).await.expect("a good fault");
        let mut run = Vec::new();
        for _ in 0..12 {
            let id = client.send("15551230002", "perhaps").await;
            run.extend(errors(&mut client, &[id]).await);
        }
        runs.push(run);
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&None) && runs[0].contains(&Some("429".into())), "{:?}", runs[0]);
}

/// The quota as the client's own query for it gets it.
async fn quota(mex: Mex<'_>) -> capping::Xwa2MessageCappingInfo {
    let doc = whatsapp_rust::wacore::iq::mex::MexDoc { name: capping::NAME, id: capping::DOC_ID };
    let variables = json!({ "input": { "type": "INDIVIDUAL_NEW_CHAT_MSG" } });
    let answer = mex.query(MexRequest { doc, variables }).await.expect("the simulator answers");
    let answer: capping::Response = serde_json::from_value(answer.data.expect("data")).expect("of the known shape");
    answer.xwa2_message_capping_info.expect("the quota")
}

async fn notified(client: &mut TestClient, name: &str) -> serde_json::Value {
    client
        .wait("notification", |event| match event {
            Event::MexNotification(mex) if mex.op_name == name => Some(mex.payload["data"].clone()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timelock_refuses_new_chats_and_all_that_tells_of_it_agrees() {
    const UPDATE: &str = "NotificationUserReachoutTimelockUpdate";
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    let known = client.send("15551230002", "opens the chat").await;
    client.ack_and_receipts(&known).await;
    assert_eq!(client.client.mex().fetch_reachout_timelock().await.expect("an answer").is_active, Some(false));

    let enforcement_type = Some("BIZ_QUALITY".to_owned());
    let lock = Fault::ReachoutTimelock { account: device.account, for_secs: Some(3600), enforcement_type };
    sim.fault(lock).await.expect("a good fault");
    let told = notified(&mut client, UPDATE).await;
    let told = &told["xwa2_notify_account_reachout_timelock"];
    assert_eq!((told["is_active"].as_bool(), told["enforcement_type"].as_str()), (Some(true), Some("BIZ_QUALITY")));
    let asked: fetch_reachout_timelock::Xwa2FetchAccountReachoutTimelock =
        client.client.mex().fetch_reachout_timelock().await.expect("an answer");
    assert_eq!((asked.is_active, asked.enforcement_type.as_deref()), (Some(true), Some("BIZ_QUALITY")));
    assert_eq!(asked.time_enforcement_ends.as_deref(), told["time_enforcement_ends"].as_str());

    let (new, old) = (client.send("15551230003", "new").await, client.send("15551230002", "known").await);
    assert_eq!(errors(&mut client, &[new, old]).await, [Some("463".to_owned()), None]);
    sim.fault(Fault::LiftTimelock { account: device.account }).await.expect("a good fault");
    assert_eq!(notified(&mut client, UPDATE).await["xwa2_notify_account_reachout_timelock"]["is_active"], json!(false));
    assert_eq!(client.client.mex().fetch_reachout_timelock().await.expect("an answer").is_active, Some(false));
    let id = client.send("15551230003", "new").await;
    assert_eq!(client.server_ack(&id).await.error, None);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_refuses_all_with_463_is_told_as_a_timelock() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    let all = Fault::AckError { code: 463, from: Some(device.account), to: None, times: None };
    let id = sim.fault(all).await.expect("a good fault").expect("it stays in force");
    let refused = client.send("15551230002", "no").await;
    assert_eq!(client.server_ack(&refused).await.error.as_deref(), Some("463"));
    assert_eq!(client.client.mex().fetch_reachout_timelock().await.expect("an answer").is_active, Some(true));
    sim.clear_fault(id);
    assert_eq!(client.client.mex().fetch_reachout_timelock().await.expect("an answer").is_active, Some(false));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_new_chats_is_counted_told_and_enforced() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    assert_eq!(quota(client.client.mex()).await.capping_status.as_deref(), Some("NONE"));
    let account = number("15551230001");
    assert_eq!(account, device.account);
    let fault = Fault::NewChatQuota { account, total: Some(2), cycle_secs: None, code: None };
    sim.fault(fault).await.expect("a good fault");
    let told = notified(&mut client, "MessageCappingInfoNotification").await;
    assert_eq!(told["xwa2_notify_new_chat_messages_capping_info_update"]["total_quota"], json!("2"));
    let mut ids = Vec::new();
    for to in ["15551230002", "15551230003", "15551230004", "15551230002"] {
        ids.push(client.send(to, "hello").await);
    }
    assert_eq!(errors(&mut client, &ids).await, [None, None, Some("463".to_owned()), None]);
    let now = quota(client.client.mex()).await;
    assert_eq!((now.used_quota.as_deref(), now.total_quota.as_deref()), (Some("2"), Some("2")));
    assert_eq!(now.capping_status.as_deref(), Some("CAPPED"));
    client.stop().await;
    sim.stop(PATIENCE).await;
}
