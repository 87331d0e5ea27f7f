//! Blocking, privacy tokens, privacy settings, the account's name, connections that fall silent.

use std::time::Duration;

use whatsapp_rust::Jid;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::wacore::iq::privacy::{PrivacyCategory, PrivacyValue};

use crate::blocks::withheld;
use crate::client::{PATIENCE, TestClient, simulator};

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_blocks_a_contact_and_hears_nothing_of_it() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    let ben = Jid::pn(BEN);
    // Blocking needs the contact's LID, which the number check tells.
    client.client.contacts().is_on_whatsapp(std::slice::from_ref(&ben)).await.expect("answers");
    client.client.blocking().block(&ben).await.expect("the server agrees");
    assert!(client.client.blocking().is_blocked(&ben).await.expect("answers"));
    assert!(sim.contact(ANNA, BEN).expect("both exist").blocked);
    sim.send_text(BEN, ANNA, "do you hear me?").await.expect("the phone writes");
    assert_eq!(withheld(&sim), 1);
    client.client.blocking().unblock(&ben).await.expect("the server agrees");
    assert!(!client.client.blocking().is_blocked(&ben).await.expect("answers"));
    sim.send_text(BEN, ANNA, "and now?").await.expect("the phone writes");
    assert_eq!(client.text().await.2, "and now?");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_blocked_client_sends_is_taken_and_goes_nowhere() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    sim.block(BEN, ANNA, true).expect("both exist");
    let lost = client.send(BEN, "do you hear me?").await;
    assert_eq!(client.server_ack(&lost).await.error, None);
    sim.wait_until("the message", PATIENCE, |sim| (withheld(sim) == 1).then_some(())).await.expect("withheld");
    sim.block(BEN, ANNA, false).expect("both exist");
    let id = client.send(BEN, "and now?").await;
    let receipts = client.ack_and_receipts(&id).await;
    assert!(receipts.iter().all(|receipt| !receipt.message_ids.contains(&lost)));
    let inbox = sim.wait_for_messages(BEN, 1, PATIENCE).await.expect("it arrives");
    assert_eq!((inbox.len(), inbox[0].text.as_deref()), (1, Some("and now?")));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_given_to_contacts_and_kept_by_them() {
    let sim = simulator(|_| ()).await;
    let (mut anna, _) = TestClient::linked(&sim, ANNA).await;
    let (mut ben, _) = TestClient::linked(&sim, BEN).await;
    // A first text to a contact makes the client trust it.
    let id = anna.send(BEN, "hello").await;
    anna.ack_and_receipts(&id).await;
    sim.wait_until("trust", PATIENCE, |sim| sim.contact(ANNA, BEN).ok()?.trusted.then_some(()))
        .await
        .expect("the client gives a token");
    // The contact keeps it. It would show it only if the server's settings told it to, which
    // whatsapp-rust asks for and whatsmeow does not.
    let anna_lid = "100015551230001";
    let wait = async {
        loop {
            let kept = ben.client.tc_token().get(anna_lid).await.expect("the store answers");
            if kept.is_some_and(|kept| !kept.token.is_empty()) {
                break;
            }
            let id = ben.send(ANNA, "I trust you, too").await;
            ben.ack_and_receipts(&id).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the contact keeps it");
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn privacy_settings_are_kept_and_profiles_answered() {
    let sim = simulator(|_| ()).await;
    let (client, _) = TestClient::linked(&sim, ANNA).await;
    let last = async || {
        let settings = client.client.fetch_privacy_settings().await.expect("answers").settings;
        settings.into_iter().find(|setting| setting.category == PrivacyCategory::Last).map(|setting| setting.value)
    };
    assert_eq!(last().await, Some(PrivacyValue::All));
    client.client.set_privacy_setting(PrivacyCategory::Last, PrivacyValue::None).await.expect("the server agrees");
    assert_eq!(last().await, Some(PrivacyValue::None));
    let refused = client.client.set_privacy_setting(PrivacyCategory::Other("weight".into()), PrivacyValue::All).await;
    assert!(refused.is_err());
    let ben = Jid::pn(BEN);
    let infos = client.client.contacts().get_user_info(std::slice::from_ref(&ben)).await.expect("answers");
    assert!(infos[&ben].status.as_deref().is_some_and(|status| !status.is_empty()), "{infos:?}");
    assert!(client.client.contacts().get_profile_picture(&ben, false).await.expect("answers").is_none());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

/// Waits until a client is told of this name. It passes by those of before that come late, or once more.
async fn renamed(client: &mut TestClient, name: &str) {
    let told = |event: &Event| match event {
        Event::SelfPushNameUpdated(update) => (update.new_name == name).then_some(()),
        _ => None,
    };
    client.wait("a name", told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_name_arrives_and_changes_from_both_sides() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    let (mut second, _) = TestClient::linked(&sim, ANNA).await;
    // The name may come a moment after the connection. What was told before that is known already.
    if client.client.push_name() != "Simulated phone" {
        renamed(&mut client, "Simulated phone").await;
    }
    sim.rename(ANNA, "Anna").expect("a number");
    renamed(&mut client, "Anna").await;
    renamed(&mut second, "Anna").await;
    // The client tells of a new name before it has stored the version that the next one builds on, so
    // that the server may have to refuse a first attempt.
    let told = async {
        loop {
            client.client.profile().set_push_name("Anna B").await.expect("the server agrees");
            if tokio::time::timeout(Duration::from_secs(2), renamed(&mut second, "Anna B")).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("the other device is told");
    sim.rename(ANNA, "Anna C").expect("a number");
    renamed(&mut second, "Anna C").await;
    client.stop().await;
    second.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_answers_pings_is_not_given_up() {
    // It is asked after half of that, and then has as long to answer.
    const SILENCE: Duration = Duration::from_secs(2);
    let sim = simulator(|config| config.limits.silence = SILENCE).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    let lost = client.wait("disconnect", |event| matches!(event, Event::Disconnected(_)).then_some(()));
    assert!(tokio::time::timeout(SILENCE * 3, lost).await.is_err(), "it answers when it is asked");
    let id = client.send(BEN, "still here").await;
    client.ack_and_receipts(&id).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}
