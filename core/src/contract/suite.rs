//! Runs checks one after another, each with a time limit, and tells all failures at the end.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// No check needs this long on a working implementation; one that hangs is a failure with a name.
const CHECK_LIMIT: Duration = Duration::from_mins(1);

/// How long to wait for something that a working implementation does soon.
pub(super) const SOON: Duration = Duration::from_secs(15);

/// How long something must not happen before it counts as not happening.
pub(super) const QUIET: Duration = Duration::from_millis(400);

const POLL: Duration = Duration::from_millis(20);

/// A suite under way.
pub(super) struct Suite {
    name: &'static str,
    ran: usize,
    failures: Vec<String>,
}

impl Suite {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, ran: 0, failures: Vec::new() }
    }

    /// Runs one check to its end, so that two checks never share the time.
    pub(super) async fn check(&mut self, check: &'static str, promise: impl Future<Output = ()>) {
        self.ran += 1;
        let mut promise = pin!(promise);
        // A panic ends the check and not the suite. The check is not polled again, so that what the panic left half
        // done is seen by nobody.
        let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| promise.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        let failure = match timeout(CHECK_LIMIT, caught).await {
            Ok(Ok(())) => return,
            Ok(Err(panic)) => words(&*panic),
            Err(_) => format!("did not end within {} s", CHECK_LIMIT.as_secs()),
        };
        self.failures.push(format!("{}/{check}: {failure}", self.name));
    }

    /// Panics if a check has failed, naming all that have.
    pub(super) fn finish(self) {
        assert!(
            self.failures.is_empty(),
            "{} of {} promises of {} are broken:\n{}",
            self.failures.len(),
            self.ran,
            self.name,
            self.failures.join("\n")
        );
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panicked without words")
        .to_owned()
}

/// Makes a future where only a pointer to it is left with the caller: a suite's futures, all in its own, are more than a
/// thread's stack takes.
#[inline(never)]
pub(super) fn on_the_heap<'a, T, F: Future<Output = T> + 'a>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(make())
}

/// Runs each check on an instance of its own and panics at the end if any has failed.
macro_rules! checks {
    ($suite:literal, $make:expr, [$($check:path),+ $(,)?]) => {{
        let mut suite = $crate::contract::suite::Suite::new($suite);
        $(
            let instance = $crate::contract::suite::on_the_heap(|| $make()).await;
            let promise = $crate::contract::suite::on_the_heap(|| $check(instance));
            suite.check(stringify!($check), promise).await;
        )+
        suite.finish();
    }};
}
pub(super) use checks;

/// Asks until there is an answer; panics with `what` when there is none by the deadline.
pub(super) async fn eventually<T>(what: &str, deadline: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    let mut tick = interval(POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {deadline:?}");
    }
}

/// Asks for as long as `span` whether it still holds; panics with `what` when it does not.
pub(super) async fn throughout(what: &str, span: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + span;
    let mut tick = interval(POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < end {
        tick.tick().await;
        assert!(holds().await, "{what}");
    }
}
