//! Groups: made and changed from both sides, written in from both sides.

use kurir_sim::{
    Addressing, Download, Fault, GroupChange, GroupId, JournalEvent, PhoneBehaviour, PhoneNumber, Role, SimHandle,
};
use whatsapp_rust::download::MediaType;
use whatsapp_rust::media::{ImageOptions, image_message};
use whatsapp_rust::types::events::{Event, GroupUpdate};
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::upload::UploadOptions;
use whatsapp_rust::wacore::stanza::groups::GroupNotificationAction;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{GroupCreateOptions, GroupParticipantOptions, GroupSubject, Jid};

use crate::client::{PATIENCE, TestClient, simulator};
use crate::files::downloaded;
use crate::inbox::shown;
use crate::media::media_client;

const OWN: &str = "15551230001";
const PHONES: [&str; 3] = ["15551230002", "15551230003", "15551230004"];
const LATE: &str = "15551230005";

fn number(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}

async fn create(client: &TestClient, subject: &str, members: &[&str]) -> GroupId {
    let mut options = GroupCreateOptions::new(subject);
    for member in members {
        options = options.with_participant(GroupParticipantOptions::from_phone(Jid::pn(*member)));
    }
    let made = client.client.groups().create_group(options).await.expect("the group is made");
    made.metadata.id.to_string().parse().expect("a group's address")
}

async fn send(client: &TestClient, group: GroupId, text: &str) -> String {
    let message = wa::Message { conversation: Some(text.into()), ..Default::default() };
    client.client.send_message(jid(group), message).await.expect("the client sends").message_id
}

fn jid(group: GroupId) -> Jid {
    group.to_string().parse().expect("an address")
}

/// Whose receipts of `kind` come for message `id`, until `count` did.
async fn receipts(client: &mut TestClient, id: &str, kind: ReceiptType, count: usize) -> Vec<String> {
    let mut from = Vec::new();
    client
        .wait("receipts of all", |event| {
            if let Event::Receipt(receipt) = event
                && receipt.r#type == kind
                && receipt.message_ids.iter().any(|known| known == id)
            {
                from.push(receipt.source.sender.user.to_string());
            }
            (from.len() == count).then_some(())
        })
        .await;
    from.sort();
    from
}

async fn update(client: &mut TestClient) -> GroupUpdate {
    client
        .wait("a change of the group", |event| match event {
            Event::GroupUpdate(update) => Some(update.clone()),
            _ => None,
        })
        .await
}

async fn devices_changed(client: &mut TestClient) {
    client.wait("a change of devices", |event| matches!(event, Event::DeviceListUpdate(_)).then_some(())).await;
}

fn lids(numbers: &[&str]) -> Vec<String> {
    numbers.iter().map(|text| number(text).lid_user()).collect()
}

async fn a_text_is_read_by_all(addressing: Addressing) {
    let sim = simulator(|config| config.group_addressing = addressing).await;
    let (mut client, device) = TestClient::linked(&sim, OWN).await;
    let group = create(&client, "friends", &PHONES).await;
    for text in ["to all of you", "and again"] {
        let id = send(&client, group, text).await;
        for phone in PHONES {
            let message = shown(&sim, phone, &id).await;
            assert_eq!((message.text.as_deref(), message.group), (Some(text), Some(group)));
            assert_eq!((message.from, message.from_device, message.arrivals), (device.account, device.device, 1));
        }
        let from = receipts(&mut client, &id, ReceiptType::Read, 3).await;
        match addressing {
            Addressing::Lid => assert_eq!(from, lids(&PHONES)),
            Addressing::Pn => assert_eq!(from, PHONES),
        }
    }
    let copies = sim
        .wait_until("the own phone's copies", PATIENCE, |sim| {
            Some(sim.phone(OWN).ok()?.copies).filter(|copies| copies.len() == 2)
        })
        .await
        .expect("the own phone reads along");
    assert_eq!((copies[0].to.as_str(), copies[0].text.as_deref()), (group.to_string().as_str(), Some("to all of you")));
    let counters = sim.counters();
    assert_eq!((counters.accepted, counters.shown, counters.unreadable), (2, 6, 0));
    client.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_read_by_three_phones_and_each_confirms_it() {
    a_text_is_read_by_all(Addressing::Lid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_may_address_its_members_by_number() {
    a_text_is_read_by_all(Addressing::Pn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_in_the_group_and_the_client_reads() {
    for addressing in [Addressing::Lid, Addressing::Pn] {
        let sim = simulator(|_| ()).await;
        let (mut client, _) = TestClient::linked(&sim, OWN).await;
        let group = sim.create_group(PHONES[0], "theirs", &[OWN, PHONES[1]], addressing).expect("made").id;
        let made = update(&mut client).await;
        assert!(matches!(made.action, GroupNotificationAction::Create { .. }), "{:?}", made.action);
        for text in ["hello", "hello again"] {
            let id = sim.send_group_text(PHONES[0], group, text).await.expect("the phone writes");
            let (got, sender, inbound) = client.text().await;
            assert_eq!((got.as_str(), inbound.as_str()), (id.as_str(), text));
            let user = if addressing == Addressing::Lid { number(PHONES[0]).lid_user() } else { PHONES[0].to_owned() };
            assert_eq!(sender.user, user);
            assert_eq!(shown(&sim, PHONES[1], &id).await.text.as_deref(), Some(text));
            assert_eq!(shown(&sim, OWN, &id).await.group, Some(group));
            sim.wait_until("the confirmation", PATIENCE, |sim| {
                sim.phone(PHONES[0]).ok()?.outgoing.iter().any(|sent| sent.id == id && sent.delivered).then_some(())
            })
            .await
            .expect("somebody confirms");
        }
        // The client answers in a group that it learned of by notification.
        let id = send(&client, group, "you too").await;
        assert_eq!(shown(&sim, PHONES[0], &id).await.text.as_deref(), Some("you too"));
        assert_eq!(sim.counters().unreadable, 0);
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_gets_no_more_and_a_new_one_reads_what_comes_later() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, OWN).await;
    let group = create(&client, "friends", &PHONES).await;
    let first = send(&client, group, "first").await;
    shown(&sim, PHONES[2], &first).await;

    let removed = client.client.groups().remove_participants(&jid(group), &[Jid::pn(PHONES[2])]).await;
    assert!(removed.expect("answers")[0].is_ok());
    let change = update(&mut client).await;
    assert!(matches!(change.action, GroupNotificationAction::Remove { .. }), "{:?}", change.action);
    let second = send(&client, group, "second").await;
    receipts(&mut client, &second, ReceiptType::Delivered, 2).await;
    assert_eq!(sim.inbox(PHONES[2]).expect("a number").len(), 1);

    let added = client.client.groups().add_participants(&jid(group), &[Jid::pn(LATE)]).await;
    assert!(added.expect("answers")[0].is_ok());
    let change = update(&mut client).await;
    assert!(matches!(change.action, GroupNotificationAction::Add { .. }), "{:?}", change.action);
    let third = send(&client, group, "third").await;
    assert_eq!(shown(&sim, LATE, &third).await.text.as_deref(), Some("third"));
    assert_eq!(sim.inbox(LATE).expect("a number").len(), 1);
    shown(&sim, PHONES[0], &third).await;
    assert_eq!(sim.inbox(PHONES[2]).expect("a number").len(), 1);

    // What phones write follows the same rules.
    let theirs = sim.send_group_text(LATE, group, "thanks").await.expect("a member writes");
    assert_eq!(client.text().await.2, "thanks");
    shown(&sim, PHONES[0], &theirs).await;
    let refused = sim.send_group_text(PHONES[2], group, "me too").await.expect_err("no member any more");
    assert!(refused.to_string().contains("only members"), "{refused}");
    assert_eq!(sim.counters().unreadable, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_put_out_by_a_phone_is_told_and_refused() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, OWN).await;
    let group = sim.create_group(PHONES[0], "theirs", &[OWN, PHONES[1]], Addressing::Lid).expect("made").id;
    update(&mut client).await;
    let remove = GroupChange::Remove { members: vec![device.account] };
    assert!(sim.change_group(group, PHONES[1], remove.clone()).is_err(), "no admin");
    assert_eq!(sim.change_group(group, PHONES[0], remove).expect("an admin")[0].code, 200);
    update(&mut client).await;
    assert!(client.client.groups().get_metadata(&jid(group)).await.is_err());
    let sent =
        client.client.send_message(jid(group), wa::Message { conversation: Some("no".into()), ..Default::default() });
    // The client asks for the group's description before it sends, and gets none.
    assert!(sent.await.is_err());
    assert!(sim.inbox(PHONES[0]).expect("a number").is_empty());
    let changes = sim.journal(0, 1000);
    let changes = changes.iter().filter(|entry| matches!(entry.event, JournalEvent::GroupChanged { .. }));
    assert_eq!(changes.count(), 2);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_described_renamed_administered_and_left() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let (mut client, device) = TestClient::linked(&sim, OWN).await;
    let group = create(&client, "friends", &[PHONES[0], PHONES[1], "15551230000"]).await;
    let groups = client.client.groups();
    let described = groups.get_metadata(&jid(group)).await.expect("a member asks");
    assert_eq!((described.subject.as_str(), described.participants.len()), ("friends", 3));
    let creator = described.participants.iter().find(|member| member.is_super_admin()).expect("the creator");
    assert_eq!(creator.jid.user, device.account.lid_user());
    assert_eq!(creator.phone_number.as_ref().map(|number| number.user.as_str()), Some(OWN));

    groups.set_subject(jid(group), GroupSubject::new("foes").expect("short")).await.expect("renames");
    groups.promote_participants(jid(group), &[Jid::pn(PHONES[0])]).await.expect("promotes");
    let state = sim.group(group).expect("it is there");
    assert_eq!((state.subject.as_str(), state.members[&number(PHONES[0])]), ("foes", Role::Admin));
    groups.demote_participants(jid(group), &[Jid::pn(PHONES[0])]).await.expect("demotes");
    assert_eq!(sim.group(group).expect("there").members[&number(PHONES[0])], Role::Member);

    sim.create_group(PHONES[0], "others", &[PHONES[1]], Addressing::Lid).expect("made");
    let mine = groups.get_participating().await.expect("answers");
    assert_eq!(mine.keys().map(ToString::to_string).collect::<Vec<_>>(), [group.to_string()]);
    groups.leave(jid(group)).await.expect("leaves");
    assert!(!sim.group(group).expect("there").members.contains_key(&device.account));
    assert!(groups.get_participating().await.expect("answers").is_empty());
    update(&mut client).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_can_not_read_asks_and_gets_it_again() {
    let sim = simulator(|_| ()).await;
    let (client, _) = TestClient::linked(&sim, OWN).await;
    let asking = PhoneBehaviour { asks_for_retry: true, ..PhoneBehaviour::default() };
    sim.set_phone(PHONES[1], asking).expect("the number exists");
    let group = create(&client, "friends", &PHONES).await;
    for (count, text) in [(1, "again, please"), (2, "once more")] {
        let id = send(&client, group, text).await;
        let message = shown(&sim, PHONES[1], &id).await;
        assert_eq!((message.text.as_deref(), message.arrivals, message.shown), (Some(text), 2, 1));
        assert_eq!(message.group, Some(group));
        assert_eq!(shown(&sim, PHONES[0], &id).await.arrivals, 1);
        assert_eq!(sim.counters().unreadable, count);
    }
    // A phone that asks another phone.
    let id = sim.send_group_text(PHONES[0], group, "from a phone").await.expect("writes");
    assert_eq!(shown(&sim, PHONES[1], &id).await.arrivals, 2);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lacks_a_phones_key_asks_and_gets_the_message_again() {
    // The queue of a device that is away holds one stanza, so the message with the key is lost.
    let sim = simulator(|config| config.limits.queued_stanzas = 1).await;
    let (mut client, _) = TestClient::linked(&sim, OWN).await;
    let group = sim.create_group(PHONES[0], "theirs", &[OWN], Addressing::Lid).expect("made").id;
    update(&mut client).await;
    let store = client.stop().await;
    sim.send_group_text(PHONES[0], group, "lost").await.expect("writes");
    let found = sim.send_group_text(PHONES[0], group, "found").await.expect("writes");
    let mut client = TestClient::start(&sim, store).await;
    assert_eq!(client.text().await.0, found);
    let outgoing = |sim: &SimHandle| sim.phone(PHONES[0]).expect("a number").outgoing;
    assert_eq!(outgoing(&sim).iter().map(|sent| sent.retries).collect::<Vec<_>>(), [0, 1]);
    let next = sim.send_group_text(PHONES[0], group, "with the key").await.expect("writes");
    assert_eq!(client.text().await.0, next);
    assert_eq!(outgoing(&sim)[2].retries, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_sent_to_a_group_is_downloaded_by_each_phone() {
    let sim = simulator(|_| ()).await;
    let client = media_client(&sim, OWN).await;
    let group = create(&client, "friends", &PHONES).await;
    let upload = client.client.upload(vec![7; 5000], MediaType::Image, UploadOptions::new()).await.expect("uploads");
    let message = image_message(upload, ImageOptions::default());
    let id = client.client.send_message(jid(group), message).await.expect("sends").message_id;
    for phone in PHONES {
        assert_eq!(downloaded(&sim, phone, &id).await.download, Download::Good);
    }
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linked_devices_of_two_members_read_each_other() {
    let sim = simulator(|_| ()).await;
    let (mut anna, _) = TestClient::linked(&sim, OWN).await;
    let (mut ben, _) = TestClient::linked(&sim, PHONES[0]).await;
    let group = create(&anna, "two", &[PHONES[0]]).await;
    update(&mut ben).await;
    let id = send(&anna, group, "from device to device").await;
    let (got, _, text) = ben.text().await;
    assert_eq!((got, text.as_str()), (id.clone(), "from device to device"));
    assert_eq!(receipts(&mut anna, &id, ReceiptType::Read, 1).await, lids(&[PHONES[0]]));
    send(&ben, group, "and back").await;
    assert_eq!(anna.text().await.2, "and back");

    // The other members' devices are told of one that is linked later, and that it is gone again.
    let (mut second, device) = TestClient::linked(&sim, PHONES[0]).await;
    devices_changed(&mut anna).await;
    send(&anna, group, "for three").await;
    assert_eq!(second.text().await.2, "for three");
    send(&second, group, "from the third").await;
    assert_eq!(anna.text().await.2, "from the third");
    sim.logout(PHONES[0], device.device).await.expect("it was linked");
    devices_changed(&mut anna).await;
    let id = send(&anna, group, "for two").await;
    assert_eq!(receipts(&mut anna, &id, ReceiptType::Read, 1).await, lids(&[PHONES[0]]));
    assert_eq!(sim.counters().unreadable, 0);
    for client in [anna, ben, second] {
        client.stop().await;
    }
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ack_error_keeps_a_group_message_from_everybody() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, OWN).await;
    let group = create(&client, "friends", &PHONES).await;
    // The first message brings the client's key; refused, it would leave the phones without it.
    let first = send(&client, group, "first").await;
    shown(&sim, PHONES[0], &first).await;
    let fault = Fault::AckError { code: 400, from: Some(device.account), to: None, times: Some(1) };
    sim.fault(fault).await.expect("a good fault");
    let refused = send(&client, group, "no").await;
    assert_eq!(client.server_ack(&refused).await.error.as_deref(), Some("400"));
    let taken = send(&client, group, "yes").await;
    shown(&sim, PHONES[0], &taken).await;
    let inbox = sim.inbox(PHONES[0]).expect("a number");
    assert_eq!(inbox.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), [first.as_str(), taken.as_str()]);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_their_keys_survive_the_end_of_the_process() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("groups-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    let start = async || simulator(|config| config.state = Some(folder.clone())).await;
    let sim = start().await;
    let (mut client, _) = TestClient::linked(&sim, OWN).await;
    let group = sim.create_group(PHONES[0], "kept", &[OWN, PHONES[1]], Addressing::Lid).expect("made").id;
    update(&mut client).await;
    sim.send_group_text(PHONES[0], group, "before").await.expect("writes");
    assert_eq!(client.text().await.2, "before");
    let mine = send(&client, group, "mine").await;
    shown(&sim, PHONES[1], &mine).await;
    let store = client.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);

    let sim = start().await;
    assert_eq!(sim.group(group).expect("it is there").subject, "kept");
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    let id = sim.send_group_text(PHONES[0], group, "after").await.expect("writes");
    assert_eq!(client.text().await.0, id);
    assert_eq!(shown(&sim, PHONES[1], &id).await.arrivals, 1);
    let again = send(&client, group, "mine again").await;
    assert_eq!(shown(&sim, PHONES[1], &again).await.arrivals, 1);
    assert!(sim.phone(PHONES[0]).expect("a number").outgoing.iter().all(|sent| sent.retries == 0));
    assert_eq!(sim.counters().unreadable, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
    drop(std::fs::remove_dir_all(&folder));
}
