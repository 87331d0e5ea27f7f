//! What came of a run: the list of published jobs against the ledger, the phones and the events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use kurir::adapters::postgres::PostgresStore;
use kurir_core::domain::{JobKey, Lane, LedgerEntry, MessageState};
use kurir_core::port::Ledger as _;
use serde_json::Value;
use tokio::time::{Instant, interval};

use crate::fleet::{Ended, Fleet};
use crate::load::Published;
use crate::phones::{self, Phones};
use crate::plan::Plan;
use crate::shares::Shares;
use crate::strike::Killed;
use crate::told::{self, Told};
use crate::words;
use crate::{story, stuck};

/// How long the fleet may take to bring everything to its end once all is whole again.
const PATIENCE: Duration = Duration::from_mins(5);

/// How many jobs are asked for at once.
const BATCH: usize = 1000;

/// How many cases of what is wrong are printed.
const TOLD: usize = 5;

const NOT_THERE: &str = "recorded as sent, and not at its phone";
const OLD_EPOCH: &str = "writes accepted from an old epoch";

/// The types of event that end a job.
const ENDS: [&str; 5] = ["message.sent", "message.failed", "message.expired", "message.uncertain", "message.cancelled"];

/// What came of a run.
pub struct Verdict {
    /// How many jobs ended in each state, OTPs first.
    states: BTreeMap<&'static str, [usize; 2]>,
    /// Why jobs failed.
    reasons: BTreeMap<&'static str, usize>,
    shares: Shares,
    audit: Value,
    told: Told,
    /// What must not be, and each time that it was.
    wrong: BTreeMap<&'static str, Vec<String>>,
    /// What the simulator noted of messages that are missing.
    stories: Vec<String>,
    ended_after: Duration,
}

/// Waits until every job has ended, and compares.
pub async fn reach(fleet: &Fleet, jobs: &[Published]) -> Verdict {
    let ledger = fleet.world.postgres().await;
    let since = Instant::now();
    let mut timer = interval(Duration::from_secs(1));
    let entries = loop {
        timer.tick().await;
        let entries = read(&ledger, jobs).await;
        let open = jobs.iter().filter(|job| entries.get(&job.key).is_none_or(|entry| entry.state.is_open())).count();
        if open == 0 {
            break entries;
        }
        if since.elapsed() > PATIENCE {
            for line in stuck::look(fleet).await {
                println!("  stuck: {line}");
            }
            break entries;
        }
    };
    let ended_after = since.elapsed();
    let told = told::collect(fleet).await;
    let (status, audit) = fleet.world.sim.get("/audit?limit=1000000").await;
    assert_eq!(status, 200, "{audit}");
    assert_eq!(audit["complete"], true, "the journal must hold all of the run");
    let mut verdict = judge(jobs, &entries, audit, told, ended_after);
    let missing = verdict.wrong.get(NOT_THERE).into_iter().flatten().take(TOLD);
    let missing = missing.filter_map(|case| jobs.iter().find(|job| case.starts_with(&job.key.job.to_string())));
    let missing: Vec<String> = missing.map(|job| job.message.to_string()).collect();
    verdict.stories = story::of(&fleet.world.sim, &missing).await;
    verdict
}

fn judge(
    jobs: &[Published],
    entries: &HashMap<JobKey, LedgerEntry>,
    audit: Value,
    told: Told,
    ended_after: Duration,
) -> Verdict {
    let mut phones = Phones::of(&audit);
    let mut shares = Shares::new();
    let mut states: BTreeMap<&'static str, [usize; 2]> = BTreeMap::new();
    let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut wrong: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let nothing = BTreeMap::new();
    for job in jobs {
        let id = job.key.job.to_string();
        let mut is_wrong = |what, wrongs: bool, detail: &dyn std::fmt::Debug| {
            let all = wrong.entry(what).or_default();
            if wrongs {
                all.push(format!("{id} {detail:?}"));
            }
        };
        let arrivals = phones.take(&job.phone);
        is_wrong("shown twice, over all senders and ids", phones::shown(&arrivals) > 1, &arrivals);
        let foreign = arrivals.iter().any(|arrival| arrival.id != job.message.as_str());
        is_wrong("at its phone under another id", foreign, &arrivals);
        let entry = entries.get(&job.key);
        let taken = entry.is_some_and(|entry| is_sent(entry.state));
        shares.count(job.lane, job.of_pool, taken);
        is_wrong("lost (no entry, or not ended)", entry.is_none_or(|entry| entry.state.is_open()), &entry);
        let Some(entry) = entry.filter(|entry| !entry.state.is_open()) else { continue };
        states.entry(entry.state.as_str()).or_default()[usize::from(job.lane == Lane::Bulk)] += 1;
        if let Some(reason) = entry.reason {
            *reasons.entry(reason.as_str()).or_default() += 1;
        }
        let there = arrivals.iter().any(|arrival| arrival.id == job.message.as_str());
        is_wrong(NOT_THERE, taken && !there, &entry);
        let unsent = matches!(entry.state, MessageState::Failed | MessageState::Expired | MessageState::Cancelled);
        is_wrong("recorded as not sent, and at its phone", unsent && there, &entry);
        let kinds = told.jobs.get(&id).unwrap_or(&nothing);
        let ends: BTreeSet<&str> = ENDS.into_iter().filter(|kind| kinds.contains_key(*kind)).collect();
        let expected = if taken { "message.sent" } else { ENDS[end_of(entry.state)] };
        is_wrong("its end was not told", !ends.contains(expected), &(entry.state, kinds));
        // What is uncertain may become certain later.
        let others = ends.iter().filter(|kind| **kind != expected && **kind != "message.uncertain").count();
        is_wrong("more than one end was told", others > 0, &(entry.state, kinds));
        is_wrong("one fact under two ids", ends.iter().any(|kind| kinds[*kind].len() > 1), &kinds);
    }
    for (what, total) in [
        ("shown twice, by one sender", "shown_twice"),
        ("shown after its deadline", "late"),
        ("message keys used twice", "keys_used_twice"),
    ] {
        let count = audit["totals"][total].as_u64().unwrap();
        let list = audit[total].as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(list.len() as u64, count, "{total}");
        wrong.insert(what, list);
    }
    wrong.insert("at a phone that no job was for", phones.left().collect());
    wrong.insert("too few of a kind were sent", shares.too_small());
    Verdict { states, reasons, shares, audit, told, wrong, stories: Vec::new(), ended_after }
}

const fn is_sent(state: MessageState) -> bool {
    matches!(state, MessageState::Sent | MessageState::Delivered | MessageState::Read)
}

const fn end_of(state: MessageState) -> usize {
    match state {
        MessageState::Failed => 1,
        MessageState::Expired => 2,
        MessageState::Uncertain => 3,
        MessageState::Cancelled => 4,
        _ => 0,
    }
}

async fn read(ledger: &PostgresStore, jobs: &[Published]) -> HashMap<JobKey, LedgerEntry> {
    let mut entries = HashMap::new();
    for batch in jobs.chunks(BATCH) {
        let keys: Vec<JobKey> = batch.iter().map(|job| job.key.clone()).collect();
        let found = ledger.get(&keys).await.unwrap();
        entries.extend(keys.into_iter().zip(found).filter_map(|(key, entry)| Some((key, entry?))));
    }
    entries
}

impl Verdict {
    /// Prints the table; what is wrong, with some examples.
    pub fn tell(mut self, plan: &Plan, jobs: &[Published], killed: &[Killed], ended: Ended) -> Vec<String> {
        let Ended { words, testimony } = ended;
        self.wrong.insert("panics and other defects in the logs", words::defects(&words));
        self.wrong.insert("tables of which the witness saw no write", testimony.blind());
        println!("\nchaos: {plan}");
        let line = |what: &str, value: String| println!("  {what:<48} {value}");
        line("jobs confirmed by the broker", format!("{} ({} for pools)", jobs.len(), pooled(jobs)));
        for (state, [otp, bulk]) in &self.states {
            line(&format!("  ended as {state}"), format!("{otp} OTPs, {bulk} bulk"));
        }
        line("  reasons", format!("{:?}", self.reasons));
        for (kind, share) in self.shares.rows() {
            line(&kind, share);
        }
        line("all had ended after", format!("{:.0} s", self.ended_after.as_secs_f64()));
        for (what, cases) in &self.wrong {
            line(what, cases.len().to_string());
        }
        let (late, seen, refused) = (testimony.late.len(), testimony.seen(), words::refused(&words));
        line(OLD_EPOCH, format!("{late} of {seen} that the database witnessed; the stores refused {refused}"));
        line("  witnessed by table", format!("{:?}", testimony.rows));
        self.wrong.insert(OLD_EPOCH, testimony.late);
        let totals = &self.audit["totals"];
        let lines: usize = words.iter().map(|words| words.said.lines().count()).sum();
        line("lines of the logs that were looked through", format!("{lines} of {} processes", words.len()));
        line("repeated on the wire, shown once", totals["twice_on_wire"].to_string());
        line("copies of events beyond the first", self.told.repeated.to_string());
        line("sessions of killed workers, connected again", self.takeovers(killed));
        for story in &self.stories {
            println!("  of a missing message: {story}");
        }
        let wrong = self.wrong.iter().filter(|(_, cases)| !cases.is_empty());
        let told = |cases: &[String]| cases[..cases.len().min(TOLD)].join("\n  ");
        wrong.map(|(what, cases)| format!("{what}: {} of them:\n  {}", cases.len(), told(cases))).collect()
    }

    /// How long the sessions of killed workers were away.
    fn takeovers(&self, killed: &[Killed]) -> String {
        let mut spans: Vec<Duration> = Vec::new();
        let mut never = 0;
        for Killed { at, sessions } in killed {
            for session in sessions {
                let moments = self.told.connected.get(session.as_str());
                let after = moments.into_iter().flatten().filter(|connected| *connected > at).min();
                match after {
                    Some(connected) => spans.push(connected.since(*at)),
                    None => never += 1,
                }
            }
        }
        spans.sort();
        let at = |share: usize| spans.get((spans.len() * share / 100).min(spans.len().saturating_sub(1)));
        let show = |span: Option<&Duration>| span.map_or_else(|| "-".into(), |s| format!("{:.1} s", s.as_secs_f64()));
        format!(
            "{} after p50 {}, p90 {}, p99 {} (with whatever else was broken then); {never} not told",
            spans.len(),
            show(at(50)),
            show(at(90)),
            show(at(99))
        )
    }
}

fn pooled(jobs: &[Published]) -> usize {
    jobs.iter().filter(|job| job.of_pool).count()
}
