//! The suite of calls to a session's owner.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::session;
use super::suite::{SOON, checks, eventually};
use crate::domain::SessionId;
use crate::port::{CallStream, Called, Calls, LARGEST_CALL, WAITING_CALLS};

/// How long a call waits whose answer does not come.
const SHORT: Duration = Duration::from_millis(300);

/// Two processes of a fleet: one that asks, and one that owns sessions. Within one process both are the same.
#[derive(Clone)]
pub struct CallPorts {
    /// Where calls are made.
    pub caller: Arc<dyn Calls>,
    /// Where they are heard.
    pub owner: Arc<dyn Calls>,
}

/// Checks what calls promise.
pub async fn calls(make: impl AsyncFn() -> CallPorts) {
    use self as calls;
    checks!(
        "calls",
        make,
        [
            calls::a_call_is_answered_by_the_owner,
            calls::nobody_answers_for_a_session_that_nobody_holds,
            calls::answers_find_their_callers_whatever_their_order,
            calls::a_call_that_is_not_answered_ends_with_its_patience,
            calls::a_late_answer_is_nobodys,
            calls::a_session_that_is_let_go_is_not_called_any_more,
            calls::the_next_owner_hears_the_next_call,
            calls::calls_that_nobody_takes_do_not_pile_up,
            calls::a_call_is_as_large_as_it_may_be_and_no_larger,
        ]
    );
}

/// Answers each call with its own body and a mark, until the stream is given up.
async fn echo(mut stream: Box<dyn CallStream>, mark: u8) {
    while let Some(call) = stream.next().await {
        let mut answer = call.body;
        answer.push(mark);
        let _ = call.answer.send(answer);
    }
}

/// Waits until somebody hears calls for the session.
async fn heard(ports: &CallPorts, id: &SessionId, body: &[u8]) -> Vec<u8> {
    eventually("an answer", SOON, async || match ports.caller.call(id, body.to_vec(), SOON).await.unwrap() {
        Called::Answered(answer) => Some(answer),
        _ => None,
    })
    .await
}

async fn a_call_is_answered_by_the_owner(ports: CallPorts) {
    let (one, two) = (session(), session());
    let owners = [(&one, 1), (&two, 2)].map(|(id, mark)| tokio::spawn(echo(ports.owner.listen(id), mark)));
    let body: Vec<u8> = (0..=u8::MAX).collect();
    for (id, mark) in [(&one, 1), (&two, 2)] {
        let answer = heard(&ports, id, &body).await;
        assert_eq!((&answer[..256], answer[256]), (&body[..], mark), "byte for byte, and by the right owner");
    }
    for owner in owners {
        owner.abort();
    }
}

async fn nobody_answers_for_a_session_that_nobody_holds(ports: CallPorts) {
    let called = ports.caller.call(&session(), b"x".to_vec(), SOON).await.unwrap();
    assert_eq!(called, Called::NoOwner);
}

async fn answers_find_their_callers_whatever_their_order(ports: CallPorts) {
    let id = session();
    let mut stream = ports.owner.listen(&id);
    let owner = tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some(call) = stream.next().await {
            if call.body == b"probe" {
                let _ = call.answer.send(Vec::new());
                continue;
            }
            asked.push(call);
            if asked.len() == 8 {
                // The last one first.
                for call in asked.drain(..).rev() {
                    let _ = call.answer.send(call.body);
                }
            }
        }
    });
    heard(&ports, &id, b"probe").await;
    let calls: Vec<_> = (0_u8..8)
        .map(|n| {
            let (caller, id) = (ports.caller.clone(), id.clone());
            tokio::spawn(async move { caller.call(&id, vec![n], SOON).await.unwrap() })
        })
        .collect();
    for (n, call) in (0_u8..).zip(calls) {
        assert_eq!(call.await.unwrap(), Called::Answered(vec![n]));
    }
    owner.abort();
}

async fn a_call_that_is_not_answered_ends_with_its_patience(ports: CallPorts) {
    let id = session();
    let mut stream = ports.owner.listen(&id);
    let owner = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some(call) = stream.next().await {
            assert!(call.within <= SOON, "the owner hears how long there is");
            if call.body == b"probe" { drop(call.answer.send(Vec::new())) } else { kept.push(call) }
        }
    });
    heard(&ports, &id, b"probe").await;
    assert_eq!(ports.caller.call(&id, b"x".to_vec(), SHORT).await.unwrap(), Called::NoAnswer);
    owner.abort();
}

async fn a_late_answer_is_nobodys(ports: CallPorts) {
    let id = session();
    let mut stream = ports.owner.listen(&id);
    let (late, kept) = tokio::sync::oneshot::channel();
    let owner = tokio::spawn(async move {
        let mut late = Some(late);
        while let Some(call) = stream.next().await {
            if call.body == b"late" {
                if let Some(late) = late.take() {
                    let _ = late.send(call.answer);
                }
            } else {
                let _ = call.answer.send(call.body);
            }
        }
    });
    heard(&ports, &id, b"probe").await;
    assert_eq!(ports.caller.call(&id, b"late".to_vec(), SHORT).await.unwrap(), Called::NoAnswer);
    let _ = kept.await.unwrap().send(b"too late".to_vec());
    let next = ports.caller.call(&id, b"next".to_vec(), SOON).await.unwrap();
    assert_eq!(next, Called::Answered(b"next".to_vec()));
    owner.abort();
}

async fn a_session_that_is_let_go_is_not_called_any_more(ports: CallPorts) {
    let id = session();
    let owner = tokio::spawn(echo(ports.owner.listen(&id), 1));
    heard(&ports, &id, b"x").await;
    owner.abort();
    let _ = owner.await;
    eventually("nobody", SOON, async || {
        let called = ports.caller.call(&id, b"x".to_vec(), SHORT).await.unwrap();
        (called == Called::NoOwner).then_some(())
    })
    .await;
}

async fn the_next_owner_hears_the_next_call(ports: CallPorts) {
    let id = session();
    let first = tokio::spawn(echo(ports.owner.listen(&id), 1));
    assert_eq!(heard(&ports, &id, b"x").await, b"x\x01");
    let second = tokio::spawn(echo(ports.owner.listen(&id), 2));
    // The end of an earlier listener takes nothing from a later one.
    first.abort();
    let _ = first.await;
    eventually("the second owner", SOON, async || (heard(&ports, &id, b"x").await == b"x\x02").then_some(())).await;
    second.abort();
}

async fn calls_that_nobody_takes_do_not_pile_up(ports: CallPorts) {
    let id = session();
    let mut stream = ports.owner.listen(&id);
    let answering = async {
        let first = stream.next().await.expect("it listens");
        let _ = first.answer.send(Vec::new());
    };
    let _ = tokio::join!(heard(&ports, &id, b"probe"), answering);
    let calls: Vec<_> = (0..=WAITING_CALLS * 2)
        .map(|_| {
            let (caller, id) = (ports.caller.clone(), id.clone());
            tokio::spawn(async move { caller.call(&id, b"x".to_vec(), Duration::from_secs(2)).await.unwrap() })
        })
        .collect();
    let mut busy = 0;
    for call in calls {
        match call.await.unwrap() {
            Called::Busy => busy += 1,
            other => assert_eq!(other, Called::NoAnswer),
        }
    }
    assert!(busy > 0, "{} calls wait for an owner that takes none", WAITING_CALLS * 2);
}

async fn a_call_is_as_large_as_it_may_be_and_no_larger(ports: CallPorts) {
    let id = session();
    let owner = tokio::spawn(echo(ports.owner.listen(&id), 1));
    assert_eq!(heard(&ports, &id, &vec![7; LARGEST_CALL]).await.len(), LARGEST_CALL + 1);
    let error = ports.caller.call(&id, vec![7; LARGEST_CALL + 1], SOON).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    owner.abort();
}
