//! What stands in Redis, and what must not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kurir::adapters::redis::{RedisOptions, RedisStore};
use kurir_core::domain::{JobId, JobKey, LeaseHolder, LeaseToken, PhoneNumber, TenantId, Timestamp, WorkerName};
use kurir_core::port::{Beat, Charge, LeaseStore, Membership, RecipientLimits, RecipientRule, Renewal};
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

use crate::servers::{redis, redis_options, redis_url, session};

async fn raw() -> MultiplexedConnection {
    redis::Client::open(redis_url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn keys(raw: &mut MultiplexedConnection, prefix: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut cursor = 0_u64;
    loop {
        let (next, some): (u64, Vec<String>) =
            redis::cmd("SCAN").arg(cursor).arg("MATCH").arg(format!("{prefix}*")).query_async(raw).await.unwrap();
        keys.extend(some);
        if next == 0 {
            return keys;
        }
        cursor = next;
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn job(tenant: &str) -> JobKey {
    JobKey::new(TenantId::new(tenant).unwrap(), JobId::new(Uuid::new_v4()))
}

const RULE: RecipientRule = RecipientRule { every: Duration::from_mins(1), per_day: 5 };
const TTL: Duration = Duration::from_mins(1);

#[tokio::test]
async fn every_key_has_an_end_and_none_holds_a_number() {
    let options = redis_options();
    let prefix = options.prefix.clone();
    let store = RedisStore::connect(options).await.unwrap();
    let worker = WorkerName::new("w").unwrap();
    let to = PhoneNumber::from_digits("6281234567890".into()).unwrap();
    assert!(store.acquire(&session(), &LeaseToken::new(&LeaseHolder::new(&worker, 1), 1), TTL).await.unwrap());
    let beat = Beat { worker, instance: 1, capacity: 1, held: 0, leaving: false };
    store.beat(&beat, TTL).await.unwrap();
    assert_eq!(store.charge(&job("acme"), &to, RULE, now()).await.unwrap(), Charge::Allowed);

    let mut raw = raw().await;
    let keys = keys(&mut raw, &prefix).await;
    assert_eq!(keys.len(), 4, "a lease, two of the members, a recipient: {keys:?}");
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut raw).await.unwrap();
        assert!(left > 0, "{key} stays for ever");
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut raw).await.unwrap();
        let holds = |text: &str| key.contains(text) || dump.windows(text.len()).any(|part| part == text.as_bytes());
        for part in ["6281234567890", "81234567890", "1234567890"] {
            assert!(!holds(part), "{key} holds the number");
        }
    }
}

#[tokio::test]
async fn another_pepper_gives_other_books() {
    let options = redis_options();
    let peppered = RedisOptions { pepper: "salt".to_owned().into(), ..options.clone() };
    let (one, two) = (RedisStore::connect(options).await.unwrap(), RedisStore::connect(peppered).await.unwrap());
    let to = PhoneNumber::from_digits("6281234567890".into()).unwrap();
    assert_eq!(one.charge(&job("acme"), &to, RULE, now()).await.unwrap(), Charge::Allowed);
    assert_eq!(two.charge(&job("acme"), &to, RULE, now()).await.unwrap(), Charge::Allowed);
    assert!(matches!(one.charge(&job("acme"), &to, RULE, now()).await.unwrap(), Charge::NotBefore(_)));
}

#[tokio::test]
async fn more_leases_than_one_run_of_the_script_takes() {
    let store = redis().await;
    let worker = WorkerName::new("w").unwrap();
    let mut held = Vec::new();
    for n in 0..1203 {
        let (session, token) = (session(), LeaseToken::new(&LeaseHolder::new(&worker, 1), n));
        if n % 400 != 1 {
            assert!(store.acquire(&session, &token, TTL).await.unwrap());
        }
        held.push((session, token));
    }
    let expected: Vec<_> = (0..1203).map(|n| n % 400 != 1).collect();
    let renewed: Vec<_> = store.renew(&held, TTL).await.unwrap().iter().map(|r| *r == Renewal::Extended).collect();
    assert_eq!(renewed, expected);
    let sessions: Vec<_> = held.into_iter().map(|(session, _)| session).collect();
    assert_eq!(store.held(&sessions).await.unwrap(), expected);
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_gets_them_again() {
    let (store, session) = (redis().await, session());
    let token = LeaseToken::new(&LeaseHolder::new(&WorkerName::new("w").unwrap(), 1), 1);
    assert!(store.acquire(&session, &token, TTL).await.unwrap());
    let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut raw().await).await.unwrap();
    assert_eq!(store.renew(&[(session.clone(), token.clone())], TTL).await.unwrap(), [Renewal::Extended]);
    assert!(store.release(&session, &token).await.unwrap());
}

/// The only test that changes the server's settings; without a memory limit the setting has no effect on others.
#[tokio::test]
async fn a_server_that_evicts_keys_is_warned_about() {
    let mut raw = raw().await;
    let mut set = async |policy: &str| {
        let () =
            redis::cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg(policy).query_async(&mut raw).await.unwrap();
    };
    set("allkeys-lru").await;
    let warned = redis().await;
    set("noeviction").await;
    let well = redis().await;
    assert!(matches!(warned.warnings(), [one] if one.contains("allkeys-lru") && one.contains("noeviction")));
    assert_eq!(well.warnings(), [""; 0]);
}
