//! `kurir demo` as its users run it: the built program, judged by its status, its table and its page.
#![cfg(feature = "simulator")]

#[path = "../process/running.rs"]
mod running;

use std::path::Path;
use std::time::Duration;

use running::Running;
use serde_json::Value;

/// An empty environment.
const NOTHING: [(&str, &str); 0] = [];

/// How long a whole demo may take here.
const WHOLE: Duration = Duration::from_mins(2);

/// How long a demo may take to stop.
const STOP: Duration = Duration::from_secs(20);

fn demo(data: &Path, more: &[&str]) -> Running {
    let data = data.to_str().expect("temporary folders have plain names");
    let mut arguments = vec!["demo", "--data", data];
    for setting in ["gateway.listen=127.0.0.1:0", "simulator.listen=127.0.0.1:0", "simulator.control=127.0.0.1:0"] {
        arguments.extend(["--set", setting]);
    }
    arguments.extend(more);
    Running::start("demo", &arguments, NOTHING)
}

/// The table's number behind a name.
fn cell(output: &str, name: &str) -> Option<usize> {
    output.lines().find_map(|line| {
        let (left, right) = line.strip_prefix('│')?.strip_suffix('│')?.split_once('┆')?;
        (left.trim() == name).then(|| right.trim().parse().ok()).flatten()
    })
}

async fn get(url: &str) -> (u16, String) {
    let url = url.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20)));
        let mut answer = ureq::Agent::from(config.build()).get(&url).call()?;
        Ok::<_, ureq::Error>((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    });
    asked.await.unwrap().unwrap()
}

#[tokio::test]
async fn once_shows_200_at_their_phones_and_5_with_their_reasons() {
    let data = tempfile::tempdir().unwrap();
    let (status, output) = demo(data.path(), &["--once"]).ended(WHOLE).await;
    assert!(status.success(), "{status}\n{output}");
    let expected = [
        ("accepted", 205),
        ("sent", 200),
        ("delivered", 200),
        ("read", 200),
        ("failed: bad_number", 2),
        ("failed: not_on_whatsapp", 3),
        ("phones: shown, arrived once", 200),
        ("phones: arrived more than once", 0),
        ("phones: missing", 0),
    ];
    for (name, count) in expected {
        assert_eq!(cell(&output, name), Some(count), "{name}\n{output}");
    }
    assert_eq!(output.matches("failed: ").count(), 2, "another reason\n{output}");
    for file in ["kurir.db", "encryption.keys"] {
        assert!(data.path().join(file).is_file(), "{file} is not in the folder that --data names");
    }
}

#[tokio::test]
async fn once_fails_when_a_message_does_not_arrive_as_it_should() {
    let data = tempfile::tempdir().unwrap();
    let recipients = data.path().join("recipients.csv");
    // The simulated WhatsApp refuses messages to the second number; the third asks for its message again, which arrives
    // twice then.
    let rows = "number,text\n+62 812 7777 0001,one\n0812 7777 9479,two\n+62 812 7777 9333,three\nnobody,four\n";
    std::fs::write(&recipients, rows).unwrap();
    let more = ["--once", "--recipients", recipients.to_str().unwrap()];
    let (status, output) = demo(data.path(), &more).ended(WHOLE).await;
    assert_eq!(status.code(), Some(1), "{output}");
    let complaints: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("NOT AS IT SHOULD BE: ")).collect();
    for complaint in [
        "row 2 (6281…79) failed: refused_by_whatsapp",
        "texts that their phone shows exactly once: 1 instead of 3",
        "texts that arrived more than once: 1 instead of 0",
        "message.read: 2 instead of 3",
    ] {
        assert!(complaints.contains(&complaint), "{complaint:?} is missing in {complaints:#?}\n{output}");
    }
    assert!(!complaints.iter().any(|line| line.starts_with("row 1") || line.starts_with("row 4")), "{complaints:#?}");
    assert_eq!(cell(&output, "failed: bad_number"), Some(1), "{output}");
}

#[tokio::test]
async fn it_serves_the_inboxes_until_ctrl_c_and_then_ends_well() {
    let data = tempfile::tempdir().unwrap();
    let recipients = data.path().join("recipients.csv");
    std::fs::write(&recipients, "number,text\n+62 812 7777 0001,Kode Anda 582113\n").unwrap();
    let mut demo = demo(data.path(), &["--recipients", recipients.to_str().unwrap()]);
    let page = demo
        .line("address behind the table", |line| {
            line.strip_prefix("serving until Ctrl-C; the phones' inboxes: ").map(str::to_owned)
        })
        .await;
    let (status, html) = get(&page).await;
    assert_eq!(status, 200);
    assert!(html.contains("<html") && html.contains("kurir simulator"), "{html}");
    let base = page.trim_end_matches('/');
    let (status, inbox) = get(&format!("{base}/phones/6281277770001/inbox")).await;
    let inbox: Value = serde_json::from_str(&inbox).unwrap();
    assert_eq!((status, &inbox[0]["text"], &inbox[0]["arrivals"]), (200, &"Kode Anda 582113".into(), &1.into()));
    demo.signal("INT").await;
    let (status, output) = demo.ended(STOP).await;
    assert_eq!(status.code(), Some(0), "{output}");
}

#[tokio::test]
async fn ctrl_c_before_the_table_stops_it_too() {
    let data = tempfile::tempdir().unwrap();
    let mut demo = demo(data.path(), &[]);
    demo.line("linked session", |line| line.starts_with("session demo-1 is linked").then_some(())).await;
    demo.signal("INT").await;
    let (status, output) = demo.ended(STOP).await;
    assert_eq!(status.code(), Some(130), "{output}");
    assert_eq!(cell(&output, "accepted"), None, "{output}");
}
