//! `kurir sessions` and `kurir keys` over the API.

use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

#[tokio::test]
async fn a_session_is_made_linked_by_its_code_listed_and_removed() {
    let it = World::start(&[]).await;
    let made = it.run(&["sessions", "create", "toko-1", "--output", "json"]).await.good().json();
    assert_eq!((&made["id"], &made["state"]), (&json!("toko-1"), &json!("created")));
    it.run(&["sessions", "create", "toko-1"]).await.bad(3, "session_exists");
    it.run(&["sessions", "get", "toko-2"]).await.bad(3, "not_found");
    it.run(&["sessions", "get", ""]).await.bad(2, "which session");

    // The code is drawn for a person, and given as JSON for a program; both follow until somebody scans.
    let mut drawn = it.begin(&["sessions", "qr", "toko-1"]);
    drawn.line("drawing", |line| (line.matches(['█', '▀', '▄']).count() > 20).then_some(())).await;
    let mut qr = it.begin(&["sessions", "qr", "toko-1", "--output", "json"]);
    let text = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["text"].as_str()?.to_owned());
    let code = qr.line("code", text).await;
    it.scan(&code).await;
    let (status, said) = drawn.ended(PATIENCE).await;
    assert!(status.success() && said.contains("session toko-1 is linked to 6281"), "{status} {said}");
    let (status, said) = qr.ended(PATIENCE).await;
    assert!(status.success() && said.contains("\"state\": \"connected\""), "{status} {said}");
    // One that is linked has no code to draw; that is no failure.
    let again = it.run(&["sessions", "qr", "toko-1"]).await.good();
    assert!(again.out.contains("is linked"), "{again:?}");

    it.run(&["sessions", "create", "toko-0"]).await.good();
    let listed = it.run(&["sessions", "list", "--output", "json"]).await.good().lines();
    let ids: Vec<_> = listed.iter().map(|session| session["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["toko-0", "toko-1"]);
    assert_eq!(it.run(&["sessions", "list", "--json"]).await.good().lines().len(), 2, "the option of before");
    let table = it.run(&["sessions", "list"]).await.good().out;
    assert!(table.contains("toko-1") && table.contains("connected") && !table.contains("\"id\""), "{table}");

    let gone = it.run(&["sessions", "delete", "toko-0", "--output", "json"]).await.good().json();
    assert_eq!(gone["wanted"], "deleted");
}

#[tokio::test]
async fn a_cleanup_keeps_the_oldest_session_and_says_what_it_did() {
    let it = World::start(&[]).await;
    let none = it.run(&["sessions", "cleanup", "--output", "json"]).await.good().json();
    assert_eq!(none, json!({"kept": null, "removed": []}));
    // The oldest is neither the first by its id, nor the default, nor does it run.
    it.run(&["sessions", "create", "zulu", "--stopped", "--name", "Toko Lama"]).await.good();
    it.run(&["sessions", "create", "alfa", "--default"]).await.good();
    it.run(&["sessions", "create", "bravo"]).await.good();
    it.run(&["sessions", "cleanup"]).await.bad(2, "--yes");
    assert_eq!(it.run(&["sessions", "list", "--json"]).await.good().lines().len(), 3, "nothing was done");

    let done = it.run(&["sessions", "cleanup", "--yes", "--output", "json"]).await.good().json();
    assert_eq!((&done["kept"]["id"], &done["kept"]["wanted"]), (&json!("zulu"), &json!("running")), "{done}");
    let removed: Vec<_> = done["removed"].as_array().unwrap().iter().map(|gone| gone["id"].as_str().unwrap()).collect();
    assert_eq!(removed, ["alfa", "bravo"]);
    let default = it.run(&["sessions", "default", "--output", "json"]).await.good().json();
    assert_eq!(default["id"], "zulu", "{default}");
    let again = it.run(&["sessions", "cleanup"]).await.good().out;
    assert!(again.contains("Toko Lama") && again.contains("the default") && !again.contains("removed"), "{again}");
}

#[tokio::test]
async fn keys_are_made_listed_replaced_and_ended_over_the_api() {
    let it = World::start(&[]).await;
    let line = ["keys", "create", "--label", "shop", "--scope", "read", "--scope", "send", "--days", "3", "--json"];
    let made = it.run(&line).await.good().json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let as_shop = [("KURIR_API_KEY", key)];
    it.run_with(&["sessions", "list"], "", &as_shop).await.good();
    it.run_with(&["keys", "list"], "", &as_shop).await.bad(3, "forbidden");
    // The key may lie in a file, with the end of its line.
    let file = it.file("key", &format!("{key}\n"));
    let nobody = [("KURIR_API_KEY", "nobodys")];
    it.run_with(&["sessions", "list", "--key-file", &file], "", &nobody).await.good();
    it.run_with(&["sessions", "list"], "", &nobody).await.bad(3, "KURIR_API_KEY");

    let listed = it.run(&["keys", "list", "--output", "json"]).await.good();
    assert_eq!(listed.json()[0]["label"], "shop");
    assert!(!listed.out.contains(key), "a key is listed");
    let new = it.run(&["keys", "rotate", id, "--overlap-hours", "0"]).await.good();
    assert!(new.out.trim().starts_with("kurir_") && new.out.lines().count() == 1, "{new:?}");
    it.run_with(&["sessions", "list"], "", &as_shop).await.bad(3, "unauthorized");
    let (new_id, active) = {
        let keys = it.run(&["keys", "list", "--output", "json"]).await.good().json();
        let found = keys.as_array().unwrap().iter().find(|key| key["id"] != id).cloned().unwrap();
        (found["id"].as_str().unwrap().to_owned(), found["active"].clone())
    };
    assert_eq!(active, true);
    it.run(&["keys", "revoke", &new_id]).await.good();
    let table = it.run(&["keys", "list"]).await.good().out;
    assert_eq!(table.matches("ended ").count(), 2, "{table}");
    it.run(&["keys", "list", "--tenant", "acme"]).await.bad(2, "--store");
}
