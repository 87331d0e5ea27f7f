//! The log of events: nothing is missed, nothing is told that was asked to be left out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Stores;
use super::fixture::{event, now, session, tenant};
use crate::domain::{EventKind, LogFilter, LogPosition, LoggedEvent, OutboxEvent, TenantId};

const HOUR: Duration = Duration::from_hours(1);

fn of(tenant: &TenantId) -> LogFilter {
    LogFilter { tenant: Some(tenant.clone()), ..LogFilter::default() }
}

fn events_of(entries: &[LoggedEvent]) -> Vec<OutboxEvent> {
    entries.iter().map(|entry| entry.event.clone()).collect()
}

impl Stores {
    async fn logged(&self, filter: &LogFilter) -> Vec<LoggedEvent> {
        self.log.read(LogPosition::default(), filter, 1000).await.unwrap().events
    }
}

pub(super) async fn events_are_read_back_whole_and_in_order(stores: Stores) {
    let (tenant, session) = (tenant(), session());
    assert_eq!(stores.log.span().await.unwrap(), None);
    let mut all: Vec<_> = EventKind::ALL
        .iter()
        .filter(|kind| !matches!(kind.as_str(), "session.qr" | "session.pairing_code"))
        .map(|kind| OutboxEvent { kind: *kind, ..event(&tenant, Some(&session)) })
        .collect();
    all.push(OutboxEvent { body: vec![0xa5; 100_000], ..event(&tenant, None) });
    stores.log.append(&all[..3]).await.unwrap();
    stores.log.append(&all[3..]).await.unwrap();
    stores.log.append(&[]).await.unwrap();
    let entries = stores.logged(&LogFilter::default()).await;
    assert_eq!(events_of(&entries), all);
    assert!(entries.iter().zip(&all).all(|(entry, event)| entry.event.body == event.body));
    assert!(entries.windows(2).all(|two| two[0].position < two[1].position));
    let span = stores.log.span().await.unwrap().expect("it is not empty");
    assert_eq!((span.oldest, span.newest), (entries[0].position, entries[all.len() - 1].position));
}

pub(super) async fn an_event_is_kept_once(stores: Stores) {
    let tenant = tenant();
    let (one, two) = (event(&tenant, None), event(&tenant, None));
    stores.log.append(&[one.clone(), two.clone(), one.clone()]).await.unwrap();
    let again = OutboxEvent { body: b"again".to_vec(), ..one.clone() };
    let three = event(&tenant, None);
    stores.log.append(&[again, three.clone()]).await.unwrap();
    assert_eq!(events_of(&stores.logged(&of(&tenant)).await), [one, two, three]);
}

pub(super) async fn what_links_a_session_is_left_out(stores: Stores) {
    let tenant = tenant();
    let body = br#"{"data":{"state":"awaiting_scan","qr":{"text":"2@secret"}}}"#.to_vec();
    let qr = OutboxEvent { kind: EventKind::SessionQr, body, ..event(&tenant, None) };
    stores.log.append(std::slice::from_ref(&qr)).await.unwrap();
    let kept = stores.logged(&of(&tenant)).await.remove(0).event;
    let text = String::from_utf8(kept.body).unwrap();
    assert!(text.contains("awaiting_scan") && !text.contains("secret"), "{text}");
}

pub(super) async fn a_filter_lets_through_what_it_names(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let (s1, s2) = (session(), session());
    let read = |event: OutboxEvent| OutboxEvent { kind: EventKind::MessageRead, ..event };
    let all = [
        event(&mine, Some(&s1)),
        read(event(&mine, Some(&s2))),
        event(&other, Some(&s1)),
        event(&mine, None),
        read(event(&mine, Some(&s1))),
    ];
    stores.log.append(&all).await.unwrap();
    let found = async |filter: &LogFilter| events_of(&stores.logged(filter).await);
    assert_eq!(found(&LogFilter::default()).await, all);
    assert_eq!(found(&of(&other)).await, all[2..3]);
    let sessions = LogFilter { sessions: Some(BTreeSet::from([s1.clone(), session()])), ..of(&mine) };
    assert_eq!(found(&sessions).await, [all[0].clone(), all[4].clone()]);
    let kinds = LogFilter { kinds: Some(BTreeSet::from([EventKind::MessageRead])), ..of(&mine) };
    assert_eq!(found(&kinds).await, [all[1].clone(), all[4].clone()]);
    assert_eq!(found(&LogFilter { kinds: kinds.kinds, ..sessions }).await, all[4..]);
    for none in [LogFilter { kinds: Some(BTreeSet::new()), ..of(&mine) }, of(&tenant())] {
        assert_eq!(found(&none).await, []);
    }
    assert_eq!(found(&LogFilter { sessions: Some(BTreeSet::new()), ..of(&mine) }).await, []);
}

pub(super) async fn pages_tell_how_far_they_went(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let all: Vec<_> = (0..7).map(|n| event(if n % 3 == 2 { &other } else { &mine }, None)).collect();
    stores.log.append(&all).await.unwrap();
    let newest = stores.log.span().await.unwrap().expect("it is not empty").newest;
    let (mut after, mut found) = (LogPosition::default(), Vec::new());
    for (count, ends) in [(2, false), (2, false), (1, true)] {
        let page = stores.log.read(after, &of(&mine), 2).await.unwrap();
        assert_eq!(page.events.len(), count);
        assert_eq!(page.to == newest, ends, "{page:?}");
        assert!(page.to >= page.events[count - 1].position);
        after = page.to;
        found.extend(events_of(&page.events));
    }
    let expected: Vec<_> = all.iter().filter(|event| event.tenant == mine).cloned().collect();
    assert_eq!(found, expected);
    let page = stores.log.read(newest, &LogFilter::default(), 10).await.unwrap();
    assert!(page.events.is_empty() && page.to == newest);
    let beyond = LogPosition(newest.0 + 1000);
    assert_eq!(stores.log.read(beyond, &LogFilter::default(), 10).await.unwrap().to, beyond, "never back");
}

pub(super) async fn entries_are_found_by_their_positions(stores: Stores) {
    let tenant = tenant();
    stores.log.append(&[event(&tenant, None), event(&tenant, None)]).await.unwrap();
    let entries = stores.logged(&of(&tenant)).await;
    let (one, two) = (entries[0].position, entries[1].position);
    let found = stores.log.at(&[two, LogPosition(two.0 + 1000), one, two]).await.unwrap();
    assert_eq!(found, [Some(entries[1].clone()), None, Some(entries[0].clone()), Some(entries[1].clone())]);
    assert_eq!(stores.log.at(&[]).await.unwrap(), []);
}

pub(super) async fn a_moment_has_its_position(stores: Stores) {
    let tenant = tenant();
    assert_eq!(stores.log.before(now()).await.unwrap(), LogPosition::default());
    stores.log.append(&[event(&tenant, None), event(&tenant, None)]).await.unwrap();
    let entries = stores.logged(&of(&tenant)).await;
    assert_eq!(stores.log.before(now().plus(HOUR)).await.unwrap(), entries[1].position);
    assert_eq!(stores.log.before(now().minus(HOUR)).await.unwrap(), LogPosition::default());
    assert_eq!(
        stores.log.before(entries[0].logged_at).await.unwrap(),
        LogPosition::default(),
        "it came at that moment"
    );
}

pub(super) async fn the_oldest_are_forgotten_and_positions_go_on(stores: Stores) {
    let tenant = tenant();
    let all: Vec<_> = (0..5).map(|_| event(&tenant, None)).collect();
    stores.log.append(&all).await.unwrap();
    assert_eq!(stores.log.forget(now().minus(HOUR), 100).await.unwrap(), 0);
    assert_eq!(stores.log.forget(now().plus(HOUR), 2).await.unwrap(), 2);
    let entries = stores.logged(&of(&tenant)).await;
    assert_eq!(events_of(&entries), all[2..]);
    assert_eq!(stores.log.forget(now().plus(HOUR), 100).await.unwrap(), 3);
    assert_eq!(stores.log.span().await.unwrap(), None);
    let later = event(&tenant, None);
    stores.log.append(std::slice::from_ref(&later)).await.unwrap();
    let page = stores.log.read(entries[2].position, &of(&tenant), 10).await.unwrap();
    assert_eq!(events_of(&page.events), [later], "who has read up to the last one gets the next");
}

/// Eight append at once while one reads: it gets all of them, by going on where it was.
pub(super) async fn a_reader_misses_nothing_that_is_appended_beside_it(stores: Stores) {
    let tenant = Arc::new(tenant());
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (log, tenant) = (Arc::clone(&stores.log), Arc::clone(&tenant));
        writers.spawn(async move {
            for n in 0..12_usize {
                let batch: Vec<_> = (0..=n % 4).map(|_| event(&tenant, None)).collect();
                log.append(&batch).await.unwrap();
            }
        });
    }
    let (mut after, mut found) = (LogPosition::default(), 0);
    let total = 8 * 3 * (1 + 2 + 3 + 4);
    loop {
        let over = writers.is_empty();
        let page = stores.log.read(after, &of(&tenant), 5).await.unwrap();
        found += page.events.len();
        let idle = page.events.is_empty() && page.to == after;
        after = page.to;
        if idle && over {
            break;
        }
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(found, total);
}
