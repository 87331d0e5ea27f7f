//! `kurir send` and `kurir otp`.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn messages_are_sent_and_waited_for() {
    let it = World::start(&[]).await;
    it.linked("s1").await;
    let line = ["send", "--session", "s1", "--to", "+62 812-7777-0001", "Halo Sari", "--wait", "delivered"];
    let sent = it.run(&[&line[..], &["--meta", "order=77", "--output", "json"]].concat()).await.good().json();
    assert_eq!(sent["metadata"], json!({"order": "77"}));
    assert!(["delivered", "read"].contains(&sent["state"].as_str().unwrap()), "{sent}");
    assert_eq!(it.inbox("6281277770001").await[0]["text"], "Halo Sari");

    // The same id again is the same message.
    let id = sent["id"].as_str().unwrap();
    let again = it.run(&[&line[..], &["--id", id, "--output", "json"]].concat()).await.good().json();
    assert_eq!(again["id"], sent["id"]);
    assert_eq!(it.inbox("6281277770001").await.len(), 1);

    // A code that others can't see on the command line, and one that is made.
    let otp = ["otp", "--session", "s1", "--text", "Kode: {code}", "--wait", "sent"];
    let given = it.run_with(&[&otp[..], &["--to", "6281277770002", "-"]].concat(), "493817\n", &[]).await.good();
    assert!(!given.out.contains("493817"), "{given:?}");
    assert_eq!(it.inbox("6281277770002").await[0]["text"], "Kode: 493817");
    let made = it.run(&[&otp[..], &["--to", "6281277770003", "--output", "json"]].concat()).await.good().json();
    let code = made["code"].as_str().unwrap();
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
    assert_eq!(it.inbox("6281277770003").await[0]["text"], format!("Kode: {code}"));
    it.run_with(&[&otp[..], &["--to", "6281277770002", "-"]].concat(), "", &[]).await.bad(2, "standard input");
}

#[tokio::test]
async fn what_goes_wrong_has_a_status_of_its_own() {
    let it = World::start(&["simulator.magic_endings=true"]).await;
    it.linked("s1").await;
    let send = async |more: &[&str]| it.run(&[&["send", "x", "--session"], more].concat()).await;
    send(&["s1", "--to", "12"]).await.bad(3, "bad_number");
    send(&["nobodys", "--to", "6281277770001"]).await.bad(3, "kurir sessions list");
    // Taken, and then it has no WhatsApp.
    let failed = send(&["s1", "--to", "6281277770000", "--wait", "sent", "--output", "json"]).await;
    assert_eq!(failed.status, Some(5), "{failed:?}");
    assert_eq!((&failed.json()["state"], &failed.json()["reason"]), (&json!("failed"), &json!("not_on_whatsapp")));
    // The same one again is still lost, also for whoever does not wait.
    let id = failed.json()["id"].as_str().unwrap().to_owned();
    let again = send(&["s1", "--to", "6281277770000", "--id", &id, "--output", "json"]).await;
    assert_eq!((again.status, &again.json()["state"]), (Some(5), &json!("failed")));
    // One that nobody sends does not keep its caller for ever.
    it.run(&["sessions", "create", "s2"]).await.good();
    let waiting = send(&["s2", "--to", "6281277770001", "--wait", "sent", "--for", "300ms", "--output", "json"]).await;
    assert_eq!((waiting.status, &waiting.json()["state"]), (Some(5), &json!("queued")));
}
