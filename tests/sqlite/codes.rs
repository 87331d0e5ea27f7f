//! Codes and numbers of verifications stand in the file sealed, and a code is gone with its verification.

use std::collections::BTreeMap;
use std::time::Duration;

use kurir_core::domain::{
    Channel, CodeDelivery, ConversionRule, Hop, Keyring, PhoneNumber, Secret, Traffic, Verification, VerificationId,
    VerificationStatus,
};
use kurir_core::port::{
    Clock as _, Entered, LimitCharge, LimitOf, PortError, Tally, VerificationWrite, Verifications as _, Written,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use uuid::Uuid;

use super::at_rest::found;
use super::{KEY, OTHER_KEY, Place, WallClock, event, session, tenant};

const CODE: &str = "rahasia60221";
const NUMBER: &str = "6281298765432";
const URL: &str = "https://sms.example/kunci-hook";

fn verification() -> Verification {
    let (at, id) = (WallClock.now(), VerificationId::new(Uuid::from_u128(7)));
    let hop = |channel| Hop { channel, patience: Duration::from_secs(30) };
    Verification {
        id,
        tenant: tenant(),
        version: 0,
        to: PhoneNumber::from_digits(NUMBER.into()).unwrap(),
        status: VerificationStatus::Pending,
        mark: Keyring::parse(KEY).unwrap().code_keys().mark(&tenant(), id, &Secret::new(CODE.into())),
        text: "{code}".into(),
        hops: vec![hop(Channel::Session(session())), hop(Channel::Webhook(Secret::new(URL.into())))],
        hop: 0,
        delivery: CodeDelivery::Begun,
        hop_at: at,
        tries: 0,
        sends: 1,
        max_sends: 5,
        sent_at: at,
        checks: 0,
        max_checks: 5,
        created_at: at,
        expires_at: at.plus(Duration::from_mins(10)),
        ended_at: None,
        due_at: Some(at),
        metadata: BTreeMap::new(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is asked of what a call gives")]
fn is_corrupt<T>(answer: Result<T, PortError>) -> bool {
    matches!(answer, Err(PortError::Corrupt { .. }))
}

#[tokio::test]
async fn codes_numbers_and_prefixes_are_sealed_and_codes_are_gone_at_the_end() {
    let place = Place::new();
    let store = place.open().await;
    let record = verification();
    let rule = ConversionRule { window: Duration::from_hours(1), most_lost: 3, block: Duration::from_hours(1) };
    let tally = Tally { what: Traffic::Begun, rule, at: record.created_at, blocked: event(9, "blocked") };
    let write = VerificationWrite { record: record.clone(), tally: Some(tally), events: Vec::new() };
    assert!(matches!(store.enter(write, &Secret::new(CODE.into())).await.unwrap(), Entered::New));
    let charge =
        LimitCharge { of: LimitOf::Recipient(record.to.clone()), start: record.created_at, span: rule.window, most: 1 };
    assert_eq!(store.charge_all(&tenant(), &[charge]).await.unwrap(), None);
    let prefix = &NUMBER[..NUMBER.len() - 4];
    let secrets = [CODE, NUMBER, prefix, "kunci-hook"];
    assert_eq!(found(&place, &secrets), [""; 0]);
    assert_eq!(found(&place, &["pending"]).len(), 1, "the search finds what is there");
    store.close().await;

    // With another key nothing is taken for something else.
    let other = place.open_with(OTHER_KEY).await;
    assert!(is_corrupt(other.verification(&tenant(), record.id).await));
    assert!(is_corrupt(other.code_of(&tenant(), record.id).await));
    assert!(is_corrupt(other.prefixes(&tenant(), None, 10).await));
    other.close().await;

    let store = place.open().await;
    let ended = Verification { version: 1, ..record.clone() }.ended(VerificationStatus::Approved, WallClock.now());
    let write = VerificationWrite { record: ended.unwrap(), tally: None, events: Vec::new() };
    assert_eq!(store.save(write).await.unwrap(), Written::Done);
    store.close().await;
    let mut outside =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(place.file())).await.unwrap();
    let left: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT code FROM verification").fetch_one(&mut outside).await.unwrap();
    assert_eq!(left, None);
    // A record that is put at another's place does not open there.
    outside.execute("UPDATE verification SET tenant = 'other'").await.unwrap();
    outside.close().await.unwrap();
    let store = place.open().await;
    let other = kurir_core::domain::TenantId::new("other").unwrap();
    assert!(is_corrupt(store.verification(&other, record.id).await));
}
