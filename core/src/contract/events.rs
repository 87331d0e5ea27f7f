//! The suite of the event exchange.

use std::sync::Arc;

use tokio::time::timeout;

use super::fixture::{event, session, tenant};
use super::suite::{QUIET, SOON, checks};
use crate::domain::{EventKind, OutboxEvent, SessionId, TenantId};
use crate::port::{EventFilter, EventSink, EventSource, EventStream};

/// Both ends of one exchange: what enters the sink comes out of the source.
#[derive(Clone)]
pub struct EventPorts {
    /// Where events go.
    pub sink: Arc<dyn EventSink>,
    /// Where they come from.
    pub source: Arc<dyn EventSource>,
}

/// Checks what the event exchange promises. `make` gives an exchange that nobody else publishes to.
pub async fn events(make: impl AsyncFn() -> EventPorts) {
    use self as exchange;
    checks!(
        "events",
        make,
        [
            exchange::an_event_arrives_as_it_was_published,
            exchange::order_is_kept,
            exchange::a_subscription_sees_later_events_only,
            exchange::every_subscriber_gets_every_event,
            exchange::a_filter_lets_through_what_it_names,
            exchange::all_parts_of_a_filter_must_fit,
            exchange::nobody_needs_to_listen,
            exchange::a_gone_subscriber_holds_nobody_up,
            exchange::two_hundred_events_at_once,
            exchange::a_dropped_call_loses_no_event,
        ]
    );
}

async fn subscribe(ports: &EventPorts, filter: EventFilter) -> Box<dyn EventStream> {
    ports.source.subscribe(filter).await.unwrap()
}

async fn expect(stream: &mut Box<dyn EventStream>, event: &OutboxEvent) {
    let received = timeout(SOON, stream.next())
        .await
        .expect("an event arrives soon")
        .unwrap()
        .expect("the source is open, so there is a next event");
    assert_eq!(received.routing_key, event.routing_key());
    assert!(received.body == event.body, "the body of {} arrived changed", received.routing_key);
}

async fn nothing(stream: &mut Box<dyn EventStream>, why: &str) {
    if let Ok(answer) = timeout(QUIET, stream.next()).await {
        panic!("{why}, and yet {:?} arrived", answer.unwrap());
    }
}

async fn an_event_arrives_as_it_was_published(ports: EventPorts) {
    let mut stream = subscribe(&ports, EventFilter::default()).await;
    let (tenant, session) = (tenant(), session());
    let mut all: Vec<_> =
        EventKind::ALL.iter().map(|kind| OutboxEvent { kind: *kind, ..event(&tenant, Some(&session)) }).collect();
    all.push(OutboxEvent { kind: EventKind::WorkerJoined, ..event(&tenant, None) });
    ports.sink.publish(&all).await.unwrap();
    for event in &all {
        expect(&mut stream, event).await;
    }
    nothing(&mut stream, "all have arrived").await;
}

async fn order_is_kept(ports: EventPorts) {
    let tenant = tenant();
    let mut stream = subscribe(&ports, EventFilter { tenant: Some(tenant.clone()), ..EventFilter::default() }).await;
    let all: Vec<_> = (0..20).map(|_| event(&tenant, Some(&session()))).collect();
    for batch in all.chunks(3) {
        ports.sink.publish(batch).await.unwrap();
    }
    for event in &all {
        expect(&mut stream, event).await;
    }
}

async fn a_subscription_sees_later_events_only(ports: EventPorts) {
    let (early, late) = (event(&tenant(), None), event(&tenant(), None));
    ports.sink.publish(std::slice::from_ref(&early)).await.unwrap();
    let mut stream = subscribe(&ports, EventFilter::default()).await;
    ports.sink.publish(std::slice::from_ref(&late)).await.unwrap();
    expect(&mut stream, &late).await;
}

async fn every_subscriber_gets_every_event(ports: EventPorts) {
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(subscribe(&ports, EventFilter::default()).await);
    }
    let all: Vec<_> = (0..10).map(|_| event(&tenant(), None)).collect();
    ports.sink.publish(&all).await.unwrap();
    for stream in &mut streams {
        for event in &all {
            expect(stream, event).await;
        }
    }
}

/// Events that differ in tenant, session and kind, with what they differ in.
fn mixture() -> Vec<(TenantId, Option<SessionId>, EventKind, OutboxEvent)> {
    let mut all = Vec::new();
    for tenant in [tenant(), tenant()] {
        for session in [Some(session()), Some(session()), None] {
            for kind in [EventKind::MessageSent, EventKind::SessionQr] {
                let event = OutboxEvent { kind, ..event(&tenant, session.as_ref()) };
                all.push((tenant.clone(), session.clone(), kind, event));
            }
        }
    }
    all
}

async fn a_filter_lets_through_what_it_names(ports: EventPorts) {
    let all = mixture();
    let (tenant, session, kind) = (all[0].0.clone(), all[0].1.clone().unwrap(), all[0].2);
    let by = EventFilter::default();
    let mut of_tenant = subscribe(&ports, EventFilter { tenant: Some(tenant.clone()), ..by.clone() }).await;
    let mut of_session = subscribe(&ports, EventFilter { session: Some(session.clone()), ..by.clone() }).await;
    let mut of_kind = subscribe(&ports, EventFilter { kind: Some(kind), ..by }).await;
    let events: Vec<_> = all.iter().map(|(.., event)| event.clone()).collect();
    ports.sink.publish(&events).await.unwrap();
    for (t, s, k, event) in &all {
        if *t == tenant {
            expect(&mut of_tenant, event).await;
        }
        if s.as_ref() == Some(&session) {
            expect(&mut of_session, event).await;
        }
        if *k == kind {
            expect(&mut of_kind, event).await;
        }
    }
    for stream in [&mut of_tenant, &mut of_session, &mut of_kind] {
        nothing(stream, "all that fit have arrived").await;
    }
}

async fn all_parts_of_a_filter_must_fit(ports: EventPorts) {
    let all = mixture();
    let (tenant, session, kind, event) = &all[3];
    let filter = EventFilter { tenant: Some(tenant.clone()), session: session.clone(), kind: Some(*kind) };
    let mut exact = subscribe(&ports, filter.clone()).await;
    let mut never = subscribe(&ports, EventFilter { tenant: Some(all[11].0.clone()), ..filter }).await;
    let events: Vec<_> = all.iter().map(|(.., event)| event.clone()).collect();
    ports.sink.publish(&events).await.unwrap();
    expect(&mut exact, event).await;
    nothing(&mut exact, "only one fits").await;
    nothing(&mut never, "none fits").await;
}

async fn nobody_needs_to_listen(ports: EventPorts) {
    ports.sink.publish(&[]).await.unwrap();
    ports.sink.publish(&[event(&tenant(), None)]).await.unwrap();
}

async fn a_gone_subscriber_holds_nobody_up(ports: EventPorts) {
    let gone = subscribe(&ports, EventFilter::default()).await;
    let mut stays = subscribe(&ports, EventFilter::default()).await;
    drop(gone);
    let one = event(&tenant(), None);
    ports.sink.publish(std::slice::from_ref(&one)).await.unwrap();
    expect(&mut stays, &one).await;
}

async fn two_hundred_events_at_once(ports: EventPorts) {
    let mut stream = subscribe(&ports, EventFilter::default()).await;
    let tenant = tenant();
    let all: Vec<_> = (0..200).map(|_| event(&tenant, Some(&session()))).collect();
    ports.sink.publish(&all).await.unwrap();
    for event in &all {
        expect(&mut stream, event).await;
    }
}

async fn a_dropped_call_loses_no_event(ports: EventPorts) {
    let mut stream = subscribe(&ports, EventFilter::default()).await;
    nothing(&mut stream, "nothing was published").await;
    let all: Vec<_> = (0..2).map(|_| event(&tenant(), None)).collect();
    ports.sink.publish(&all).await.unwrap();
    for event in &all {
        expect(&mut stream, event).await;
    }
}
