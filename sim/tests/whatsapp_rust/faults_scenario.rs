//! Scenarios: faults in a file, with the moment of each.

use std::time::Duration;

use kurir_sim::{Effect, Fault, FaultRule, JournalEvent, Scenario};

use crate::client::{PATIENCE, TestClient, simulator};
use crate::http::request_text;

#[tokio::test(flavor = "multi_thread")]
async fn faults_come_at_their_time_and_after_their_messages() {
    let text = r#"
[[faults]]
after_messages = 2
kind = "rule"
times = 1
effect = { do = "ack_error", code = 479 }

[[faults]]
at_ms = 1
after_messages = 3
kind = "stream_error"
account = "15551230001"
device = 1
code = 515

[[faults]]
at_ms = 2
kind = "log_out"
account = "15551239999"
device = 1
"#;
    let scenario = Scenario::parse(text).expect("a good scenario");
    let sim = simulator(|config| config.scenario = Some(scenario)).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    for expected in [None, None, Some("479".to_owned())] {
        let in_force = usize::from(expected.is_some());
        let wait =
            sim.wait_until("the fault to be due", PATIENCE, |sim| (sim.faults().len() == in_force).then_some(()));
        wait.await.expect("ordered when due");
        let id = client.send("15551230002", "hello").await;
        assert_eq!(client.server_ack(&id).await.error, expected);
    }
    client.connected().await;
    let failed = |event: &JournalEvent| matches!(event, JournalEvent::ScenarioStepFailed { step: 3, .. });
    sim.wait_until("the failed step", PATIENCE, |sim| {
        sim.journal(0, 1000).iter().any(|entry| failed(&entry.event)).then_some(())
    })
    .await
    .expect("it is told");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_is_begun_over_http_and_a_bad_one_is_refused_by_line() {
    let sim = simulator(|_| ()).await;
    let good = "[[faults]]\nkind = \"rule\"\neffect = { do = \"no_ack\" }\n";
    let (status, body) = request_text(&sim, "POST", "/scenario", good).await;
    assert_eq!((status, body.as_str()), (200, r#"{"faults":1}"#));
    let expected = Fault::Rule(FaultRule::new(Effect::NoAck { deliver: false }));
    assert_eq!(sim.faults().into_iter().map(|(_, fault)| fault).collect::<Vec<_>>(), [expected]);
    let (status, body) = request_text(&sim, "POST", "/scenario", &good.replace("no_ack", "no_answer")).await;
    assert_eq!(status, 400);
    assert!(body.contains("line 3") && body.contains("no_answer"), "{body}");
    let (status, body) = request_text(&sim, "DELETE", "/faults", "").await;
    assert_eq!((status, body.as_str()), (200, r#"{"cleared":1}"#));
    let (status, _) = request_text(
        &sim,
        "POST",
        "/scenario",
        r#"{"faults":[{"kind":"lift_ban","account":"15551230001","at_ms":1}]}"#,
    )
    .await;
    assert_eq!(status, 200);
    let set = |event: &JournalEvent| matches!(event, JournalEvent::FaultSet { fault: 0 });
    sim.wait_until("the second scenario", Duration::from_secs(5), |sim| {
        sim.journal(0, 1000).iter().any(|entry| set(&entry.event)).then_some(())
    })
    .await
    .expect("it is carried out");
    sim.stop(PATIENCE).await;
}
