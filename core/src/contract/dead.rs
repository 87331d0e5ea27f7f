//! The suite of the dead letters.

use std::sync::Arc;
use std::time::Duration;

use super::fixture;
use super::jobs::{full_headers, job, next, nothing, own, text};
use super::suite::{SOON, checks, eventually};
use crate::domain::{FailReason, Lane, SessionId, Target};
use crate::port::{
    DeadFilter, DeadId, DeadJob, DeadLetter, DeadLetters, Enqueued, JobHeaders, JobQueue, JobStream, PublishJob,
    Retried, Settled,
};

/// The dead letters to check, with the queues that they come from. Others may use them at the same time.
#[derive(Clone)]
pub struct DeadPorts {
    /// The letters.
    pub dead: Arc<dyn DeadLetters>,
    /// The queues.
    pub jobs: Arc<dyn JobQueue>,
}

/// More often than a broker delivers a message before it gives it up.
const LOOKS: usize = 25;

impl DeadPorts {
    async fn session(&self) -> SessionId {
        let id = fixture::session();
        self.jobs.declare(&id).await.unwrap();
        id
    }

    async fn stream(&self, session: &SessionId) -> Box<dyn JobStream> {
        self.jobs.subscribe(session, Lane::Otp, 10).await.unwrap()
    }

    /// Publishes jobs of these bodies and lets each die of its reason.
    async fn bury(&self, session: &SessionId, bodies: &[(&str, FailReason)]) {
        for (at, (body, _)) in (1..).zip(bodies) {
            let job = PublishJob { headers: full_headers(at), ..job(session, Lane::Otp, body) };
            assert_eq!(self.jobs.publish(vec![job]).await.unwrap(), [Enqueued::Accepted]);
        }
        let mut stream = self.stream(session).await;
        for (body, reason) in bodies {
            let delivery = next(&mut stream).await;
            assert_eq!(text(&delivery), *body);
            let letter = DeadLetter { reason: *reason, detail: format!("{reason}: detail") };
            assert_eq!(delivery.settle.dead(letter).await.unwrap(), Settled::Yes);
        }
        stream.close().await.unwrap();
        self.until(session, bodies.len()).await;
    }

    /// Leaves nothing behind: whoever looks through the letters of a shared place has to look at all of them.
    async fn clear(&self, session: &SessionId) {
        self.dead.discard(&of(session)).await.unwrap();
    }

    async fn of(&self, session: &SessionId) -> Vec<DeadJob> {
        self.dead.list(&of(session), None, 100).await.unwrap()
    }

    /// Waits until a session has so many letters: one that was just made may take a moment to be seen.
    async fn until(&self, session: &SessionId, count: usize) -> Vec<DeadJob> {
        eventually(&format!("{count} letters"), SOON, async || {
            Some(self.of(session).await).filter(|letters| letters.len() == count)
        })
        .await
    }
}

fn of(session: &SessionId) -> DeadFilter {
    DeadFilter { session: Some(session.clone()), ..DeadFilter::default() }
}

fn bodies(letters: &[DeadJob]) -> Vec<&str> {
    letters.iter().map(|letter| std::str::from_utf8(&letter.body).expect("this check wrote text")).collect()
}

fn ids(letters: &[DeadJob]) -> Vec<DeadId> {
    let mut ids: Vec<_> = letters.iter().map(|letter| letter.id.clone()).collect();
    ids.sort();
    ids
}

/// Checks what the dead letters promise.
pub async fn dead_letters(make: impl AsyncFn() -> DeadPorts) {
    checks!(
        "dead letters",
        make,
        [
            a_letter_tells_why_and_holds_the_job,
            looking_often_changes_nothing,
            a_call_that_is_dropped_loses_nothing,
            a_filter_means_what_fits_in_every_part,
            pages_hold_every_letter_once,
            a_letter_that_is_tried_again_is_a_job_as_before,
            what_has_no_queue_stays_dead_and_says_so,
            discarded_letters_are_gone_and_no_others,
            equal_letters_are_two,
        ]
    );
}

async fn a_letter_tells_why_and_holds_the_job(ports: DeadPorts) {
    let id = ports.session().await;
    ports.bury(&id, &[("the body", FailReason::BadField)]).await;
    let letters = ports.of(&id).await;
    let letter = &letters[0];
    assert_eq!((letter.reason.as_str(), letter.detail.as_str()), ("bad_field", "bad_field: detail"));
    assert_eq!(letter.place(), Some((Target::Session(id.clone()), Lane::Otp)));
    assert_eq!(letter.session().as_ref(), Some(&id));
    assert_eq!(own(&letter.headers), full_headers(1));
    assert_eq!(letter.body, b"the body");
    assert!(!format!("{letter:?}").contains("the body"));
    let same = ports.dead.list(&DeadFilter::one(&letter.id), None, 10).await.unwrap();
    assert_eq!(ids(&same), std::slice::from_ref(&letter.id));
    let none = ports.dead.list(&DeadFilter::one(&DeadId("no such".into())), None, 10).await.unwrap();
    assert!(none.is_empty());
    ports.clear(&id).await;
}

async fn looking_often_changes_nothing(ports: DeadPorts) {
    let id = ports.session().await;
    let all = [("1", FailReason::BadField), ("2", FailReason::BadJson), ("3", FailReason::WrongTenant)];
    ports.bury(&id, &all).await;
    let before = ids(&ports.of(&id).await);
    for look in 0..LOOKS {
        let letters = ports.until(&id, all.len()).await;
        assert_eq!(ids(&letters), before, "look {look}");
        for letter in &letters {
            let (body, reason) = (std::str::from_utf8(&letter.body).unwrap(), letter.reason.as_str());
            assert!(all.iter().any(|(b, r)| (*b, r.as_str()) == (body, reason)), "{letter:?} after look {look}");
        }
    }
    ports.clear(&id).await;
}

async fn a_call_that_is_dropped_loses_nothing(ports: DeadPorts) {
    let id = ports.session().await;
    ports.bury(&id, &[("1", FailReason::BadField), ("2", FailReason::BadField)]).await;
    for micros in [0, 200, 1000, 3000, 10_000] {
        let which = of(&id);
        let looking = ports.dead.list(&which, None, 100);
        let _ = tokio::time::timeout(Duration::from_micros(micros), looking).await;
        let mut found = bodies(&ports.until(&id, 2).await).iter().map(ToString::to_string).collect::<Vec<_>>();
        found.sort();
        assert_eq!(found, ["1", "2"], "after {micros} microseconds");
    }
    ports.clear(&id).await;
}

async fn a_filter_means_what_fits_in_every_part(ports: DeadPorts) {
    let (id, other) = (ports.session().await, ports.session().await);
    ports.bury(&id, &[("a", FailReason::BadField), ("b", FailReason::BadJson)]).await;
    ports.bury(&other, &[("c", FailReason::BadJson)]).await;
    let reason = Some("bad_json".to_owned());
    let both = DeadFilter { reason: reason.clone(), ..of(&id) };
    assert_eq!(bodies(&ports.dead.list(&both, None, 10).await.unwrap()), ["b"]);
    let everywhere = ports.dead.list(&DeadFilter { reason, ..DeadFilter::default() }, None, 1000).await.unwrap();
    let mine = everywhere.iter().filter(|letter| [Some(&id), Some(&other)].contains(&letter.session().as_ref()));
    assert_eq!(mine.count(), 2);
    let first = ports.of(&id).await.remove(0);
    let contradiction = DeadFilter { session: Some(other.clone()), ..DeadFilter::one(&first.id) };
    assert!(ports.dead.list(&contradiction, None, 10).await.unwrap().is_empty());
    ports.clear(&id).await;
    ports.clear(&other).await;
}

async fn pages_hold_every_letter_once(ports: DeadPorts) {
    let id = ports.session().await;
    ports.bury(&id, &["1", "2", "3", "4", "5"].map(|body| (body, FailReason::BadField))).await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = ports.dead.list(&of(&id), after.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(bodies(&page).iter().map(ToString::to_string));
    }
    seen.sort();
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
    // A letter that is gone meanwhile still marks the place.
    let letters = ports.of(&id).await;
    ports.dead.discard(&DeadFilter::one(&letters[1].id)).await.unwrap();
    let rest = ports.dead.list(&of(&id), Some(&letters[1].id), 10).await.unwrap();
    assert_eq!(ids(&rest), ids(&letters[2..]));
    ports.clear(&id).await;
}

async fn a_letter_that_is_tried_again_is_a_job_as_before(ports: DeadPorts) {
    let id = ports.session().await;
    ports.bury(&id, &[("again", FailReason::WrongTenant), ("stays", FailReason::BadJson)]).await;
    let which = DeadFilter { reason: Some("wrong_tenant".into()), ..of(&id) };
    let letter = ports.dead.list(&which, None, 10).await.unwrap().remove(0);
    assert_eq!(ports.dead.retry(&which).await.unwrap(), [(letter.id, Retried::Enqueued)]);
    let mut stream = ports.stream(&id).await;
    let delivery = next(&mut stream).await;
    assert_eq!((text(&delivery), delivery.lane), ("again", Lane::Otp));
    let expected = JobHeaders { hop: 0, not_before: None, ..full_headers(1) };
    assert_eq!(own(&delivery.headers), expected);
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    nothing(&mut stream, "one letter was meant").await;
    assert_eq!(bodies(&ports.until(&id, 1).await), ["stays"]);
    assert!(ports.dead.retry(&which).await.unwrap().is_empty(), "it is no letter any more");
    ports.clear(&id).await;
}

async fn what_has_no_queue_stays_dead_and_says_so(ports: DeadPorts) {
    let id = ports.session().await;
    ports.bury(&id, &[("1", FailReason::BadField)]).await;
    ports.jobs.remove(&id).await.unwrap();
    let letter = ports.of(&id).await.remove(0);
    assert_eq!(ports.dead.retry(&of(&id)).await.unwrap(), [(letter.id.clone(), Retried::NoSuchTarget)]);
    let still = ports.until(&id, 1).await.remove(0);
    assert_eq!((still.id, still.reason), (letter.id.clone(), letter.reason));
    // Its queue comes back, and so does the job.
    ports.jobs.declare(&id).await.unwrap();
    assert_eq!(ports.dead.retry(&of(&id)).await.unwrap(), [(letter.id, Retried::Enqueued)]);
    let mut stream = ports.stream(&id).await;
    assert_eq!(text(&next(&mut stream).await), "1");
}

async fn discarded_letters_are_gone_and_no_others(ports: DeadPorts) {
    let (id, other) = (ports.session().await, ports.session().await);
    ports.bury(&id, &["1", "2", "3"].map(|body| (body, FailReason::BadField))).await;
    ports.bury(&other, &[("4", FailReason::BadField)]).await;
    let letters = ports.of(&id).await;
    let second = letters.iter().find(|letter| letter.body == b"2").unwrap().id.clone();
    assert_eq!(ports.dead.discard(&DeadFilter::one(&second)).await.unwrap(), std::slice::from_ref(&second));
    assert!(ports.dead.discard(&DeadFilter::one(&second)).await.unwrap().is_empty());
    let mut left = bodies(&ports.until(&id, 2).await).iter().map(ToString::to_string).collect::<Vec<_>>();
    left.sort();
    assert_eq!(left, ["1", "3"]);
    assert_eq!(ports.dead.discard(&of(&id)).await.unwrap().len(), 2);
    ports.until(&id, 0).await;
    assert_eq!(bodies(&ports.until(&other, 1).await), ["4"]);
    let mut stream = ports.stream(&id).await;
    nothing(&mut stream, "a discarded letter is no job").await;
    ports.clear(&other).await;
}

async fn equal_letters_are_two(ports: DeadPorts) {
    let id = ports.session().await;
    // The producer published the same bytes twice.
    for _ in 0..2 {
        ports.bury_one_more(&id).await;
    }
    let letters = ports.until(&id, 2).await;
    assert_ne!(letters[0].id, letters[1].id);
    assert_eq!(ports.dead.discard(&DeadFilter::one(&letters[1].id)).await.unwrap().len(), 1);
    let left = ports.until(&id, 1).await;
    assert_eq!(ports.dead.retry(&DeadFilter::one(&left[0].id)).await.unwrap().len(), 1);
    ports.until(&id, 0).await;
}

impl DeadPorts {
    async fn bury_one_more(&self, session: &SessionId) {
        let job = PublishJob { headers: full_headers(1), ..job(session, Lane::Otp, "same") };
        assert_eq!(self.jobs.publish(vec![job]).await.unwrap(), [Enqueued::Accepted]);
        let mut stream = self.stream(session).await;
        let letter = DeadLetter { reason: FailReason::BadField, detail: String::new() };
        assert_eq!(next(&mut stream).await.settle.dead(letter).await.unwrap(), Settled::Yes);
        stream.close().await.unwrap();
    }
}
