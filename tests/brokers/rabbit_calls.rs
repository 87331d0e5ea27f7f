//! Calls to the owners of sessions over connections that break.

use std::sync::Arc;
use std::time::Duration;

use kurir::adapters::rabbitmq::{QueueKind, RabbitMq};
use kurir_core::domain::SessionId;
use kurir_core::port::{CallStream, Called, Calls as _};

use crate::proxy::{BASIC_CONSUME, Proxy};
use crate::servers::{SOON, amqp_url, eventually, rabbit, rabbit_options, session};

/// The connection that calls go over: the first that is made.
const PUBLISHING: usize = 0;

async fn echo(mut calls: Box<dyn CallStream>) {
    while let Some(call) = calls.next().await {
        let _ = call.answer.send(call.body);
    }
}

/// Waits until calls are answered.
async fn answered(caller: &RabbitMq, session: &SessionId, what: &str) {
    eventually(what, async || {
        let called = caller.call(session, b"x".to_vec(), Duration::from_secs(2)).await.ok()?;
        (called == Called::Answered(b"x".to_vec())).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_connections_broke_is_called_again() {
    let (proxy, url) = Proxy::before(&amqp_url()).await;
    let owner = RabbitMq::connect(rabbit_options(&url)).await.unwrap();
    let caller = rabbit(QueueKind::Classic).await;
    let sessions = [session(), session()];
    let listening: Vec<_> = sessions.iter().map(|session| tokio::spawn(echo(owner.listen(session)))).collect();
    for session in &sessions {
        answered(&caller, session, "an answer").await;
    }
    for round in 0..2 {
        proxy.cut();
        for session in &sessions {
            answered(&caller, session, &format!("an answer after cut {round}")).await;
        }
    }
    for listening in &listening {
        assert!(!listening.is_finished(), "who listens hears nothing of a cut");
    }
    // What was let go meanwhile is not bound again.
    listening[0].abort();
    eventually("the end of one", async || {
        let called = caller.call(&sessions[0], b"x".to_vec(), SOON).await.unwrap();
        (called == Called::NoOwner).then_some(())
    })
    .await;
    proxy.cut();
    answered(&caller, &sessions[1], "the other one").await;
    assert_eq!(caller.call(&sessions[0], b"x".to_vec(), SOON).await.unwrap(), Called::NoOwner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_connection_broke_calls_again() {
    let (proxy, url) = Proxy::before(&amqp_url()).await;
    let caller = Arc::new(RabbitMq::connect(rabbit_options(&url)).await.unwrap());
    let owner = rabbit(QueueKind::Classic).await;
    let session = session();
    let mut calls = owner.listen(&session);
    {
        let mut probe = std::pin::pin!(answered(&caller, &session, "an answer"));
        loop {
            tokio::select! {
                () = &mut probe => break,
                call = calls.next() => {
                    let call = call.expect("it listens");
                    let _ = call.answer.send(call.body);
                }
            }
        }
    }
    let waiting = tokio::spawn({
        let (caller, session) = (Arc::clone(&caller), session.clone());
        async move { caller.call(&session, b"long".to_vec(), SOON).await }
    });
    let unanswered = calls.next().await.expect("the call");
    proxy.cut();
    let error = waiting.await.unwrap().expect_err("its answer can't come any more");
    assert!(error.is_transient(), "{}", error.chain());
    drop(unanswered);
    tokio::spawn(echo(calls));
    answered(&caller, &session, "an answer after the cut").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_owner_dies_its_sessions_are_nobodys_until_the_next_one_listens() {
    let (first, second) = (rabbit(QueueKind::Classic).await, rabbit(QueueKind::Classic).await);
    let caller = rabbit(QueueKind::Classic).await;
    let session = session();
    let held = tokio::spawn(echo(first.listen(&session)));
    answered(&caller, &session, "an answer").await;
    first.close().await;
    eventually("nobody", async || {
        let called = caller.call(&session, b"x".to_vec(), SOON).await.unwrap();
        (called == Called::NoOwner).then_some(())
    })
    .await;
    held.abort();
    let next = tokio::spawn(echo(second.listen(&session)));
    answered(&caller, &session, "the next owner").await;
    next.abort();
}

/// A broker that allows few channels tells of every one that is left open.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_were_given_up_before_the_answer_leave_no_channel_open() {
    let (proxy, url) = Proxy::before(&format!("{}?channel_max=6", amqp_url())).await;
    let caller = RabbitMq::connect(rabbit_options(&url)).await.unwrap();
    for _ in 0..8 {
        proxy.hold_answer_to(PUBLISHING, BASIC_CONSUME);
        let called = caller.call(&session(), b"x".to_vec(), Duration::from_millis(300)).await;
        assert!(called.is_err(), "{called:?}");
        proxy.release(PUBLISHING);
    }
    let session = session();
    eventually("a channel is free", async || {
        let called = caller.call(&session, b"x".to_vec(), SOON).await.ok()?;
        (called == Called::NoOwner).then_some(())
    })
    .await;
}
