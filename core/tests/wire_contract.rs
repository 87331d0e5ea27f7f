//! The published contract against the types: the files in `docs/CONTRACT` say what the code does, and payloads of
//! every released version stay readable.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use kurir_core::domain::{
    Account, Channel, CodeDelivery, DisabledReason, Ended, Epoch, EventId, EventKind, FailReason, Hop, Job, JobKey,
    Keyring, LedgerEntry, MediaId, MessageId, MessageState, NumberPrefix, OutboxEvent, PhoneNumber, QrCode, Secret,
    SessionId, SessionState, SessionStatus, TenantId, Timestamp, Verification, VerificationId, VerificationStatus,
    WebhookId, WorkerName,
};
use kurir_core::wire::{
    AlertDataV1, EventV1, FleetDataV1, JOB_KIND, JobV1, MessageDataV1, PrefixDataV1, ReceivedContactV1, ReceivedDataV1,
    ReceivedMediaV1, ReceivedPlaceV1, RecipientDataV1, SessionDataV1, VerificationDataV1, WebhookDataV1, asyncapi,
    schemas,
};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a file with what the types say; with `KURIR_BLESS=1` in the environment it is written instead.
fn same_as_file(path: &Path, made: &Value) {
    let made = serde_json::to_string_pretty(made).unwrap() + "\n";
    if std::env::var_os("KURIR_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, made).unwrap();
        return;
    }
    let stored = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        stored == made,
        "{} differs from the types. If the contract is meant to change, run the test with KURIR_BLESS=1 and commit.",
        path.display()
    );
}

fn schema(name: &str) -> Validator {
    let (_, schema) = schemas().into_iter().find(|(n, _)| *n == name).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn the_published_documents_are_those_of_the_types() {
    let folder = root().join("docs/CONTRACT");
    for (name, schema) in schemas() {
        same_as_file(&folder.join(format!("{name}.json")), &schema);
    }
    same_as_file(&folder.join("asyncapi.json"), &asyncapi());
}

#[test]
fn the_asyncapi_document_refers_only_to_what_is_there() {
    fn refs<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match value.as_str() {
                Some(text) if key == "$ref" => found.push(text),
                _ => refs(value, found),
            }),
            Value::Array(list) => list.iter().for_each(|value| refs(value, found)),
            _ => {}
        }
    }
    let document = asyncapi();
    let mut found = Vec::new();
    refs(&document, &mut found);
    assert!(found.len() > EventKind::ALL.len());
    for target in found {
        if let Some(pointer) = target.strip_prefix('#') {
            assert!(document.pointer(pointer).is_some(), "{target}");
        } else {
            assert!(root().join("docs/CONTRACT").join(target).is_file(), "{target}");
        }
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

fn golden_jobs() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(root().join("core/tests/golden/jobs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "the golden jobs are gone");
    files
}

fn golden_job(name: &str) -> (String, Vec<u8>) {
    golden_jobs().into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no golden job {name}"))
}

fn decode(name: &str, body: &[u8]) -> Job {
    JobV1::decode(JOB_KIND, body, None).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

#[test]
fn jobs_of_every_release_stay_readable_and_follow_the_schema() {
    let schema = schema("job.v1");
    for (name, body) in golden_jobs() {
        let value: Value = serde_json::from_slice(&body).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let job = decode(&name, &body);
        // Nothing of it is lost on the way through: what is written again says the same.
        let again = serde_json::to_value(serde_json::from_slice::<JobV1>(&body).unwrap()).unwrap();
        assert_eq!(again, value, "{name}");
        assert_eq!(job.id.to_string(), value["id"], "{name}");
    }
}

#[test]
fn the_schema_refuses_what_the_decoder_refuses() {
    let schema = schema("job.v1");
    let (_, body) = golden_job("otp");
    let good: Value = serde_json::from_slice(&body).unwrap();
    for (pointer, bad) in [
        ("id", Value::from(7)),
        ("tenant", Value::from("a.b")),
        ("lane", Value::from("fast")),
        ("surprise", Value::from(1)),
    ] {
        let mut value = good.clone();
        value[pointer] = bad;
        assert!(!schema.is_valid(&value), "the schema takes a bad {pointer}");
        assert!(
            JobV1::decode(JOB_KIND, value.to_string().as_bytes(), None).is_err(),
            "the decoder takes a bad {pointer}"
        );
    }
}

/// One event of every kind and shape, made of fixed facts.
#[expect(clippy::too_many_lines, reason = "a list of facts")]
fn events() -> Vec<(String, OutboxEvent)> {
    use MessageState::{Cancelled, Delayed, Delivered, Expired, Failed, Read, Sending, Sent, Uncertain};

    let (name, body) = golden_job("otp");
    let job = decode(&name, &body);
    let session = SessionId::new("s1").unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let fresh = LedgerEntry::new(&job, at(0));
    let mut events = Vec::new();
    let mut message = |label: &str, states: &[MessageState], fill: &dyn Fn(&mut LedgerEntry)| {
        let mut entry = fresh.clone();
        let mut before = entry.state;
        for state in states {
            before = entry.state;
            entry = entry.advance(*state, at(1500)).unwrap();
        }
        fill(&mut entry);
        let made = MessageDataV1::events(&entry, before, Some(&session), at(1500)).pop().unwrap();
        events.push((label.to_owned(), made));
    };
    message("message.delayed", &[Delayed], &|entry| {
        entry.reason = Some(FailReason::RecipientLimited);
        entry.not_before = Some(at(60_000));
    });
    message("message.delayed.rescheduled", &[Delayed, Delayed], &|entry| {
        entry.version = 4;
        entry.reason = Some(FailReason::Rescheduled);
        entry.not_before = Some(at(3_600_000));
    });
    message("message.cancelled", &[Delayed, Cancelled], &|_| {});
    message("message.cancelled.not_queued", &[Cancelled], &|entry| entry.reason = Some(FailReason::NotQueued));
    message("message.sent", &[Sending, Sent], &|_| {});
    message("message.delivered", &[Sending, Sent, Delivered], &|_| {});
    message("message.read", &[Sending, Sent, Delivered, Read], &|_| {});
    message("message.failed", &[Sending, Failed], &|entry| {
        entry.reason = Some(FailReason::SenderRestricted);
        entry.code = Some(463);
    });
    message("message.expired", &[Expired], &|_| {});
    message("message.uncertain", &[Sending, Uncertain], &|entry| entry.reason = Some(FailReason::NoAnswer));
    let queued = MessageDataV1::events(&fresh, MessageState::Queued, Some(&session), at(0)).pop().unwrap();
    events.push(("message.queued".into(), queued));
    let malformed = MessageDataV1::malformed(&tenant, &session, job.id, FailReason::BadNumber, "to: no number", at(0));
    events.push(("message.failed.malformed".into(), malformed));

    let number = PhoneNumber::parse("6281234567890", None).unwrap();
    let mut status = SessionStatus::created(at(0));
    let mut session_event = |label: &str, kind: EventKind, status: &SessionStatus| {
        let made = SessionDataV1::event(kind, &tenant, &session, status, (Epoch(3), 1), at(10)).unwrap();
        events.push((label.to_owned(), made));
    };
    session_event("session.created", EventKind::SessionCreated, &status);
    status.state = SessionState::AwaitingScan;
    status.qr = Some(QrCode { text: Secret::new("2@golden,AAAA,BBBB,CCCC".into()), expires_at: at(60_000) });
    session_event("session.qr", EventKind::SessionQr, &status);
    let code = Secret::new("ABCD1234".to_owned());
    let paired = SessionDataV1::pairing_code(&tenant, &session, &status, (&code, at(180_000)), (Epoch(3), 2), at(15));
    events.push(("session.pairing_code".into(), paired));
    let mut session_event = |label: &str, kind: EventKind, status: &SessionStatus| {
        let made = SessionDataV1::event(kind, &tenant, &session, status, (Epoch(3), 1), at(10)).unwrap();
        events.push((label.to_owned(), made));
    };
    status.qr = None;
    status.state = SessionState::Connected;
    status.account = Some(Account { number: number.clone(), device: 3 });
    session_event("session.connected", EventKind::SessionConnected, &status);
    status.state = SessionState::Banned;
    status.reason = Some(FailReason::SenderBanned);
    status.until = Some(at(3_600_000));
    session_event("session.banned", EventKind::SessionBanned, &status);

    // The golden file `message.received` is of before there were kinds.
    let data = |kind: &str| ReceivedDataV1 {
        message_id: "3EB0FF".into(),
        from: Some(number.digits().to_owned()),
        kind: Some(kind.into()),
        push_name: Some("Sari".into()),
        ..ReceivedDataV1::default()
    };
    let mut received = |label: &str, data: ReceivedDataV1| {
        events.push((format!("message.received.{label}"), data.event(&tenant, &session, at(20))));
    };
    received(
        "text",
        ReceivedDataV1 { text: Some("Terima kasih".into()), reply_to: Some("3EB0AA".into()), ..data("text") },
    );
    let media = ReceivedMediaV1 {
        id: MediaId::of_message(&tenant, &session, &MessageId::from_wire("3EB0FF"), number.digits()).as_uuid(),
        kind: "document".into(),
        mime_type: "application/pdf".into(),
        size: 21_034,
        sha256: "ab".repeat(32),
        filename: Some("bukti.pdf".into()),
    };
    received("media", ReceivedDataV1 { media: Some(media), text: Some("Ini buktinya".into()), ..data("media") });
    let place = ReceivedPlaceV1 { latitude: -6.1754, longitude: 106.8272, name: Some("Monas".into()), address: None };
    received("location", ReceivedDataV1 { location: Some(place), ..data("location") });
    let contact = ReceivedContactV1 { name: Some("Budi".into()), vcard: Some("BEGIN:VCARD\nEND:VCARD".into()) };
    received("contact", ReceivedDataV1 { contacts: vec![contact], ..data("contact") });
    let group = Some("120363000000000001@g.us".to_owned());
    let reaction =
        ReceivedDataV1 { about: Some("3EB0AA".into()), emoji: Some("👍".into()), group, ..data("reaction") };
    received("reaction", reaction);
    let edit =
        ReceivedDataV1 { about: Some("3EB0FE".into()), text: Some("Terima kasih banyak".into()), ..data("edit") };
    received("edit", edit);
    received("delete", ReceivedDataV1 { about: Some("3EB0FE".into()), ..data("delete") });
    for (label, kind, word) in [
        ("recipient.suppressed", EventKind::RecipientSuppressed, "berhenti"),
        ("recipient.resumed", EventKind::RecipientResumed, "mulai"),
    ] {
        let message = MessageId::from_wire("3EB0FE");
        let made = RecipientDataV1::event(kind, &tenant, &session, (&message, &number), word, at(30));
        events.push((label.into(), made));
    }
    let worker = WorkerName::new("worker-1").unwrap();
    let joined = FleetDataV1::event(EventKind::WorkerJoined, &tenant, (&worker, 7, 100, 0), at(0));
    events.push(("fleet.worker_joined".into(), joined));
    events.extend(verification_events(&tenant, &number));
    let webhook = WebhookId::new("5f0c2a91d3e84b76").unwrap();
    let disabled = WebhookDataV1::disabled(&tenant, &webhook, DisabledReason::Failing, at(0));
    events.push(("webhook.disabled".into(), disabled));
    for (label, stands, failed) in [("alert.failure_rate", true, 7), ("alert.failure_rate.resolved", false, 5)] {
        let ended = Ended { failed, all: 60 };
        let window = (10, std::time::Duration::from_hours(1));
        events.push((label.into(), AlertDataV1::failure_rate(&tenant, stands, ended, window, at(0))));
    }
    events.push(("webhook.test".into(), WebhookDataV1::test(&tenant, &webhook, "1", at(0))));
    events
}

fn verification_events(tenant: &TenantId, number: &PhoneNumber) -> Vec<(String, OutboxEvent)> {
    let keys = Keyring::parse("1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap().code_keys();
    let id = VerificationId::new(uuid::Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8a6b_7c8d_9e0f_1a2c));
    let hop = |channel| Hop { channel, patience: std::time::Duration::from_secs(30) };
    let pending = Verification {
        id,
        tenant: tenant.clone(),
        version: 1,
        to: number.clone(),
        status: VerificationStatus::Pending,
        mark: keys.mark(tenant, id, &Secret::new("493817".into())),
        text: "{code}".into(),
        hops: vec![
            hop(Channel::Session(SessionId::new("s1").unwrap())),
            hop(Channel::Webhook(Secret::new("https://sms.example/x?key=1".into()))),
        ],
        hop: 0,
        delivery: CodeDelivery::Begun,
        hop_at: at(0),
        tries: 0,
        sends: 1,
        max_sends: 5,
        sent_at: at(0),
        checks: 0,
        max_checks: 5,
        created_at: at(0),
        expires_at: at(600_000),
        ended_at: None,
        due_at: None,
        metadata: [("order".to_owned(), "77".to_owned())].into(),
    };
    let fallen = pending.fallen_back(at(30_000)).unwrap();
    let ended = |how| Verification { checks: 2, ..pending.clone() }.ended(how, at(40_000)).unwrap();
    let event = VerificationDataV1::event;
    let prefix = NumberPrefix::of(number);
    vec![
        ("verification.created", event(EventKind::VerificationCreated, &pending, None, at(0))),
        ("verification.sent", event(EventKind::VerificationSent, &pending, None, at(10))),
        ("verification.fallback", event(EventKind::VerificationFallback, &fallen, Some("not_delivered"), at(30_000))),
        ("verification.failed", event(EventKind::VerificationFailed, &fallen, Some("webhook_refused"), at(31_000))),
        (
            "verification.approved",
            event(EventKind::VerificationApproved, &ended(VerificationStatus::Approved), None, at(40_000)),
        ),
        (
            "verification.expired",
            event(EventKind::VerificationExpired, &ended(VerificationStatus::Expired), None, at(40_000)),
        ),
        (
            "verification.canceled",
            event(EventKind::VerificationCanceled, &ended(VerificationStatus::Canceled), None, at(40_000)),
        ),
        (
            "verification.max_attempts_reached",
            event(
                EventKind::VerificationMaxAttemptsReached,
                &ended(VerificationStatus::MaxAttemptsReached),
                None,
                at(40_000),
            ),
        ),
        ("verification.prefix_blocked", PrefixDataV1::event(tenant, &prefix, at(0), at(21_600_000))),
    ]
    .into_iter()
    .map(|(label, event)| (label.to_owned(), event))
    .collect()
}

/// Whatever a verification holds: its events tell neither the code nor the number nor the caller's address.
#[test]
fn events_of_verifications_keep_their_secrets() {
    let number = PhoneNumber::parse("6281234567890", None).unwrap();
    for (label, event) in verification_events(&TenantId::new("acme").unwrap(), &number) {
        let text = String::from_utf8(event.body).unwrap();
        for secret in ["493817", "6281234567890", "key=1", "mac"] {
            assert!(!text.contains(secret), "{label} holds {secret}: {text}");
        }
    }
}

#[test]
fn events_are_what_the_golden_files_say_and_follow_their_schema() {
    for (label, event) in events() {
        let value: Value = serde_json::from_slice(&event.body).unwrap();
        same_as_file(&root().join(format!("core/tests/golden/events/{label}.json")), &value);
        let name = match event.kind {
            EventKind::MessageReceived => "event.received.v1",
            kind if kind.as_str().starts_with("message.") => "event.message.v1",
            kind if kind.as_str().starts_with("session.") => "event.session.v1",
            EventKind::VerificationPrefixBlocked => "event.prefix.v1",
            kind if kind.as_str().starts_with("verification.") => "event.verification.v1",
            kind if kind.as_str().starts_with("webhook.") => "event.webhook.v1",
            EventKind::FailureRateAlert => "event.alert.v1",
            kind if kind.as_str().starts_with("recipient.") => "event.recipient.v1",
            _ => "event.fleet.v1",
        };
        let errors: Vec<String> = schema(name).iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{label}: {errors:?}");
        assert_eq!(value["type"], event.kind.as_str());
        assert_eq!(value["id"], event.id.to_string());
        assert!(event.routing_key().ends_with(event.kind.as_str()));
    }
}

#[test]
fn golden_events_stay_readable() {
    let folder = root().join("core/tests/golden/events");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let read = match name {
            n if n.starts_with("message.received") => {
                serde_json::from_str::<EventV1<ReceivedDataV1>>(&text).map(|_| ())
            }
            n if n.starts_with("message.") => serde_json::from_str::<EventV1<MessageDataV1>>(&text).map(|_| ()),
            n if n.starts_with("recipient.") => serde_json::from_str::<EventV1<RecipientDataV1>>(&text).map(|_| ()),
            n if n.starts_with("session.") => serde_json::from_str::<EventV1<SessionDataV1>>(&text).map(|_| ()),
            n if n.starts_with("verification.prefix") => {
                serde_json::from_str::<EventV1<PrefixDataV1>>(&text).map(|_| ())
            }
            n if n.starts_with("verification.") => {
                serde_json::from_str::<EventV1<VerificationDataV1>>(&text).map(|_| ())
            }
            n if n.starts_with("alert.") => serde_json::from_str::<EventV1<AlertDataV1>>(&text).map(|_| ()),
            n if n.starts_with("webhook.") => serde_json::from_str::<EventV1<WebhookDataV1>>(&text).map(|_| ()),
            _ => serde_json::from_str::<EventV1<FleetDataV1>>(&text).map(|_| ()),
        };
        read.unwrap_or_else(|error| panic!("{name}: {error}"));
        seen += 1;
    }
    assert!(seen >= 14, "only {seen} golden events are there");
}

#[test]
fn a_repeated_fact_has_the_same_id_and_another_fact_another() {
    let (name, body) = &golden_jobs()[0];
    let job = decode(name, body);
    let other = JobKey::new(TenantId::new("other").unwrap(), job.id);
    let of = |key: &JobKey, kind, turn| EventId::of_job(key, kind, turn);
    assert_eq!(of(&job.key(), EventKind::MessageSent, 0), of(&job.key(), EventKind::MessageSent, 0));
    assert_ne!(of(&job.key(), EventKind::MessageSent, 0), of(&other, EventKind::MessageSent, 0));
    assert_ne!(of(&job.key(), EventKind::MessageSent, 0), of(&job.key(), EventKind::MessageRead, 0));
    assert_ne!(of(&job.key(), EventKind::MessageDelayed, 1), of(&job.key(), EventKind::MessageDelayed, 2));
}
