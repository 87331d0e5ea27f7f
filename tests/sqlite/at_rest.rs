//! What stands in the file is sealed, and bound to its place.

use std::time::Duration;

use bytes::Bytes;
use kurir_core::domain::{
    Account, FailReason, Initiator, KeyId, Keyring, Lane, Locale, PhoneNumber, QrCode, RecordedAnswer, RequestKey,
    RequestSeed, Secret, SessionState, SessionStatus, Suppression, Template, TemplateName, TemplateTexts,
};
use kurir_core::port::{
    Begun, Clock as _, DeadFilter, DeadLetter, DeadLetters as _, EventSink as _, JobQueue as _, NewRun, Outbox as _,
    PortError, RequestLog as _, RunEnd, SessionStore, Settled, StateBatch, StateKey, StatePut, StateStore,
    SuppressionList as _, TemplateStore as _, Written,
};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{KEY, OTHER_KEY, OTHER_VERSION, Place, WallClock, event, job, next, owned, session, tenant};
use kurir::adapters::sqlite::SqliteStore;

const QR: &str = "2@qrsecretqrsecret";
const NUMBER: &str = "6281298765432";
const VALUE: &str = "signalsecretsignalsecret";
const BODIES: [&str; 4] = ["waiting code 481516", "dead code 234201", "outbox body 108108", "event body 424242"];

const SUPPRESSED: &str = "6281355554444";
const NOTE: &str = "a note that says 777001";
const TEXT: &str = "a template that says 888002";

fn suppressed() -> PhoneNumber {
    PhoneNumber::from_digits(SUPPRESSED.into()).unwrap()
}

fn template() -> Template {
    let locale = Locale::new("id").unwrap();
    let texts = TemplateTexts::new(locale.clone(), [(locale, TEXT.to_owned())].into()).unwrap();
    let now = WallClock.now();
    Template { name: TemplateName::new("greeting").unwrap(), texts, created_at: now, updated_at: now }
}

fn put(key: &str, value: &str) -> StatePut {
    StatePut { at: StateKey::new("session", key), value: Bytes::from(value.to_owned()), expires_at: None }
}

/// Fills every place that holds a secret.
async fn fill(store: &SqliteStore) {
    let fence = owned(store).await;
    let now = WallClock.now();
    let status = SessionStatus {
        state: SessionState::AwaitingScan,
        qr: Some(QrCode { text: Secret::new(QR.into()), expires_at: now }),
        account: Some(Account { number: PhoneNumber::from_digits(NUMBER.into()).unwrap(), device: 3 }),
        ..SessionStatus::created(now)
    };
    assert_eq!(store.update(&fence, &status, &[]).await.unwrap(), Written::Done);
    let batch = StateBatch { puts: vec![put("a", VALUE), put("b", "another value")], deletes: vec![] };
    assert_eq!(store.apply(vec![(fence, batch)]).await.unwrap(), [Written::Done]);

    let queue = store.queue();
    queue.declare(&session()).await.unwrap();
    queue.publish(vec![job(BODIES[1]), job(BODIES[0])]).await.unwrap();
    let mut stream = queue.subscribe(&session(), Lane::Otp, 1).await.unwrap();
    let letter = DeadLetter { reason: FailReason::BadField, detail: "to".into() };
    assert_eq!(next(&mut stream).await.settle.dead(letter).await.unwrap(), Settled::Yes);
    store.add(&[event(1, BODIES[2])]).await.unwrap();
    store.events().publish(&[event(2, BODIES[3])]).await.unwrap();
    let by = Initiator::Api(KeyId::new("k1").unwrap());
    let wish = Suppression { number: suppressed(), by, note: Some(NOTE.into()), since: now };
    store.suppress(&tenant(), &[wish]).await.unwrap();
    assert!(store.add_template(&tenant(), &template()).await.unwrap());
}

/// Which of these texts stand in the database's files.
pub(super) fn found<'a>(place: &Place, texts: &[&'a str]) -> Vec<&'a str> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(place.file().parent().unwrap()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let within = |text: &&&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    texts.iter().filter(within).copied().collect()
}

#[tokio::test]
async fn no_secret_stands_in_the_files() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    let secrets = [&[QR, NUMBER, VALUE, SUPPRESSED, NOTE, TEXT][..], &BODIES].concat();
    // While it is open much of it is in the write-ahead log, afterwards in the database.
    for when in ["open", "closed"] {
        if when == "closed" {
            store.close().await;
        }
        assert_eq!(found(&place, &secrets), [""; 0], "{when}");
        assert_eq!(found(&place, &["sender-one", "awaiting_scan"]).len(), 2, "{when}: the search finds what is there");
    }
}

/// A short body can be found by trying all of them, if its plain hash is known.
#[tokio::test]
async fn what_a_request_asked_for_is_no_plain_hash() {
    const REQUEST: &str = "a-hash-of-a-code-481516-and-more";
    const ANSWER: &str = "an API key that is shown once";
    let place = Place::new();
    let store = place.open().await;
    let at = WallClock.now();
    let run = NewRun {
        key: RequestKey::new(tenant(), b"order 77").unwrap(),
        request: REQUEST.as_bytes().try_into().unwrap(),
        runner: 1,
        seed: RequestSeed([7; 16]),
        at,
        lease: at.plus(Duration::from_mins(1)),
        keep: at.plus(Duration::from_hours(1)),
    };
    assert_eq!(store.begin(&run).await.unwrap(), Begun::Run(run.seed));
    let answer = RecordedAnswer { status: 201, headers: Vec::new(), body: ANSWER.into() };
    assert!(store.end(&run.key, run.runner, &RunEnd::Answered(answer.clone())).await.unwrap());
    assert_eq!(store.begin(&run).await.unwrap(), Begun::Answered(answer));
    store.close().await;
    assert_eq!(found(&place, &[REQUEST, ANSWER, "order 77"]), [""; 0]);
}

fn is_corrupt<T>(answer: Result<T, PortError>) -> bool {
    matches!(answer, Err(error @ PortError::Corrupt { .. }) if !error.is_transient())
}

#[tokio::test]
async fn a_wrong_key_is_told_everywhere() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    store.close().await;
    for key in [OTHER_KEY, OTHER_VERSION] {
        let store = place.open_with(key).await;
        let keys = ["a", "b"].map(|key| StateKey::new("session", key));
        assert!(is_corrupt(StateStore::get(&store, &session(), &keys).await));
        assert!(is_corrupt(StateStore::get(&store, &session(), &keys[..1]).await));
        assert!(is_corrupt(store.scan(&session(), "session", "").await));
        assert!(is_corrupt(SessionStore::get(&store, &session()).await));
        assert!(is_corrupt(store.list(None, None, 10).await));
        let later = WallClock.now().plus(std::time::Duration::from_mins(1));
        assert!(is_corrupt(store.pending(later, 10).await));
        assert!(is_corrupt(store.queue().list(&DeadFilter::default(), None, 10).await));
        let mut stream = store.queue().subscribe(&session(), Lane::Otp, 1).await.unwrap();
        assert!(is_corrupt(stream.next().await.map(|_| ())));
        drop(stream);
        assert!(is_corrupt(store.suppression(&tenant(), &suppressed()).await));
        assert!(is_corrupt(store.suppressions(&tenant(), None, 10).await));
        assert!(is_corrupt(store.template(&tenant(), &template().name).await));
        // Under another key nobody would be found; that must not look like an empty list.
        let asked = [(tenant(), suppressed())];
        if key == OTHER_KEY {
            assert!(is_corrupt(store.suppressed(&asked).await));
            let by = Initiator::Api(KeyId::new("k1").unwrap());
            let wish = Suppression { number: suppressed(), by, note: None, since: WallClock.now() };
            assert!(is_corrupt(store.suppress(&tenant(), &[wish]).await));
        } else {
            assert_eq!(store.suppressed(&asked).await.unwrap(), [true], "it is the same key, by another number");
        }
        store.close().await;
    }
    // A wrong key harms nothing, and an old key among newer ones is enough.
    let store = place.open_with(&format!("{KEY},3:{}", &OTHER_KEY[2..])).await;
    let found = store.scan(&session(), "session", "a").await.unwrap();
    assert_eq!(found, [("a".to_owned(), Bytes::from(VALUE))]);
    assert_eq!(store.suppressed(&[(tenant(), suppressed())]).await.unwrap(), [true]);
    let mut stream = store.queue().subscribe(&session(), Lane::Otp, 1).await.unwrap();
    assert_eq!(next(&mut stream).await.body, BODIES[0].as_bytes());
}

#[tokio::test]
async fn a_value_moved_to_another_place_is_refused() {
    let place = Place::new();
    let store = place.open().await;
    fill(&store).await;
    let outside = SqliteConnectOptions::new().filename(place.file());
    let mut outside = SqliteConnection::connect_with(&outside).await.unwrap();
    sqlx::query("UPDATE state SET value = (SELECT value FROM state WHERE key = CAST('b' AS BLOB))")
        .execute(&mut outside)
        .await
        .unwrap();
    let error = StateStore::get(&store, &session(), &[StateKey::new("session", "a")]).await.unwrap_err();
    assert!(
        matches!(&error, PortError::Corrupt { system: "SQLite", what, .. } if what.contains("sender-one")),
        "{error:?}"
    );
    let kept = StateStore::get(&store, &session(), &[StateKey::new("session", "b")]).await.unwrap();
    assert_eq!(kept, [Some(Bytes::from("another value"))]);
}

#[test]
fn the_keys_of_these_tests_differ() {
    let open = |key: &str, sealed: &[u8]| Keyring::parse(key).unwrap().open(b"p", sealed).is_ok();
    let sealed = Keyring::parse(KEY).unwrap().seal(b"p", b"x", [0; 12]);
    assert_eq!([KEY, OTHER_KEY, OTHER_VERSION].map(|key| open(key, &sealed)), [true, false, false]);
}
