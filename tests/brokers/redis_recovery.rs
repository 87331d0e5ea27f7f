//! A Redis that does not answer: every call ends in time, and the next connection serves.

use std::time::Duration;

use kurir::adapters::redis::{RedisOptions, RedisStore};
use kurir_core::domain::{LeaseHolder, LeaseToken, WorkerName};
use kurir_core::port::{LeaseStore, Membership, PortError, Renewal};
use tokio::time::timeout;

use crate::proxy::Proxy;
use crate::servers::{SOON, eventually, redis_options, redis_url, session};

const LIMIT: Duration = Duration::from_secs(2);

async fn behind_a_proxy() -> (Proxy, RedisStore) {
    let (proxy, url) = Proxy::before(&redis_url()).await;
    let options = RedisOptions { url, call_timeout: LIMIT, connect_timeout: LIMIT, pool_size: 1, ..redis_options() };
    (proxy, RedisStore::connect(options).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_an_answer_ends_in_time() {
    let (proxy, store) = behind_a_proxy().await;
    let (session, token) = (session(), LeaseToken::new(&LeaseHolder::new(&WorkerName::new("w").unwrap(), 1), 1));
    assert!(store.acquire(&session, &token, SOON).await.unwrap());
    proxy.swallow(0);
    let renewal = timeout(SOON, store.renew(&[(session.clone(), token.clone())], SOON)).await;
    let error = renewal.expect("it ends in time").unwrap_err();
    assert!(matches!(error, PortError::Unavailable { system: "Redis", .. }), "{}", error.chain());

    proxy.cut();
    let renewed =
        eventually("it answers again", async || store.renew(&[(session.clone(), token.clone())], SOON).await.ok())
            .await;
    assert_eq!(renewed, [Renewal::Extended], "the lease was not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_replaced() {
    let (proxy, store) = behind_a_proxy().await;
    assert_eq!(store.members().await.unwrap(), []);
    proxy.cut();
    eventually("it answers again", async || store.members().await.ok()).await;
}

#[tokio::test]
async fn a_url_that_is_none_is_refused() {
    let options = RedisOptions { url: "http://localhost".into(), ..redis_options() };
    assert!(matches!(RedisStore::connect(options).await, Err(PortError::Refused { .. })));
}
