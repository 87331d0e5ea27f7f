//! `kurir blast`, cut off and gone on with.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::world::{PATIENCE, World};

/// Recipients; enough that a blast can be cut off in its midst.
const ROWS: u32 = 150;

fn number(at: u32) -> String {
    format!("62812{at:08}")
}

fn rows() -> String {
    let mut text = String::from("nama,to\n");
    for at in 0..ROWS {
        writeln!(text, "Nama {at},{}", number(at)).unwrap();
    }
    text
}

/// The rows of a report: state and reason by number.
fn report(text: &str) -> BTreeMap<String, (String, String)> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(head[..5], ["line", "to", "id", "state", "reason"]);
    let row = |row: csv::StringRecord| (row[1].to_owned(), (row[3].to_owned(), row[4].to_owned()));
    reader.records().map(|record| row(record.unwrap())).collect()
}

async fn shown_once(it: &World) {
    for at in 0..ROWS {
        let inbox = it.inbox(&number(at)).await;
        let texts: Vec<_> = inbox.iter().map(|message| (&message["text"], &message["arrivals"])).collect();
        assert_eq!(texts, [(&format!("Halo Nama {at}").into(), &1.into())], "row {at}");
    }
}

#[tokio::test]
async fn a_blast_that_was_cut_off_goes_on_and_nothing_is_lost_or_comes_twice() {
    let it = World::start(&[]).await;
    it.linked("s1").await;
    let file = it.file("rows.csv", &rows());
    let line = ["blast", &file, "--session", "s1", "--text", "Halo {nama}"];

    // Two rows at a time, so that there is a midst to cut it off in.
    let mut first = it.begin(&[&line[..], &["--batch", "2", "--concurrency", "1"]].concat());
    let started = tokio::time::Instant::now();
    while it.read("rows.csv.blast").lines().count() < 12 {
        assert!(started.elapsed() < PATIENCE && !first.has_ended(), "nothing is noted");
        tokio::task::yield_now().await;
    }
    first.signal("INT").await;
    let (status, said) = first.ended(PATIENCE).await;
    assert_eq!(status.code(), Some(130), "{said}");
    let cut = report(&it.read("rows.csv.report.csv"));
    let left = cut.values().filter(|(state, _)| state == "not_handed_in").count();
    assert!(cut.len() == ROWS as usize && left > 0, "it was not cut off in its midst: {left} left\n{said}");
    assert!(!it.read("rows.csv.blast").contains("628120"), "no numbers in the notes");

    // The same command goes on.
    let second = it.run(&[&line[..], &["--wait", "delivered"]].concat()).await.good();
    assert!(second.err.contains("going on: "), "{second:?}");
    let whole = report(&it.read("rows.csv.report.csv"));
    assert_eq!(whole.len(), ROWS as usize);
    assert!(whole.values().all(|(state, _)| ["delivered", "read"].contains(&state.as_str())), "{whole:?}");
    shown_once(&it).await;

    // Whoever loses the notes loses nothing: the fleet knows the messages by their ids.
    std::fs::remove_file(it.folder.path().join("rows.csv.blast")).unwrap();
    let third = it.run(&[&line[..], &["--output", "json"]].concat()).await.good().json();
    assert_eq!(third["arrived"], ROWS);
    shown_once(&it).await;

    // Notes of another blast are not mixed up with these.
    let other = ["blast", &file, "--session", "s1", "--text", "Hai {nama}"];
    it.run(&other).await.bad(1, "--state");
}

#[tokio::test]
async fn rows_that_cannot_be_sent_keep_nobody_from_his_message() {
    let it = World::start(&["simulator.magic_endings=true"]).await;
    it.linked("s1").await;
    let text = "phone,text\n6281277770001,satu\n12,dua\n+62 812 7777 0001,satu\n6281277770000,tiga\n,empat\n";
    let file = it.file("rows.csv", text);
    let ended = it.run(&["blast", &file, "--session", "s1", "--output", "json"]).await;
    assert_eq!(ended.status, Some(5), "{ended:?}");
    let told = ended.json();
    assert_eq!((&told["messages"], &told["arrived"]), (&3.into(), &1.into()), "{told}");
    let rows = report(&it.read("rows.csv.report.csv"));
    for (number, state, reason) in [
        ("12", "refused", "bad_number"),
        ("+62 812 7777 0001", "not_sent", "duplicate"),
        ("6281277770000", "failed", "not_on_whatsapp"),
        ("", "not_sent", "no_number"),
    ] {
        assert_eq!(rows[number], (state.to_owned(), reason.to_owned()), "{number}");
    }
    assert_eq!(it.inbox("6281277770001").await.len(), 1);
    // What is wrong for all rows ends it, and says so.
    it.run(&["blast", &file, "--session", "nobodys", "--state", "other"]).await.bad(3, "not_found");
    let gone = [("KURIR_URL", "http://127.0.0.1:1")];
    let line = ["blast", &file, "--session", "s1", "--name", "x", "--state", "third", "--patience", "300ms"];
    it.run_with(&line, "", &gone).await.bad(4, "the same command goes on");
}

/// A queue that takes no more says so, by whole requests and by rows; the blast waits, and each message comes once.
#[tokio::test]
async fn a_blast_waits_for_a_queue_that_is_full() {
    let it = World::start(&["gateway.queue_cap_bulk=20"]).await;
    it.linked("s1").await;
    let file = it.file("rows.csv", &rows());
    let line = ["blast", &file, "--session", "s1", "--text", "Halo {nama}", "--batch", "40"];
    let told = it.run(&[&line[..], &["--output", "json"]].concat()).await.good().json();
    assert_eq!((&told["messages"], &told["arrived"]), (&ROWS.into(), &ROWS.into()), "{told}");
    shown_once(&it).await;
    // Whoever has no patience is told why, and what to do.
    it.run(&["sessions", "create", "s2", "--stopped"]).await.good();
    let line = ["blast", &file, "--session", "s2", "--text", "Halo {nama}", "--state", "other", "--patience", "1s"];
    it.run(&line).await.bad(4, "the same command goes on");
    let cut = report(&it.read("rows.csv.report.csv"));
    let taken = cut.values().filter(|(state, _)| state == "queued").count();
    assert_eq!((taken, cut.len()), (20, ROWS as usize), "as many as there is room for");
}
