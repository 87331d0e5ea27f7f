//! `kurir dead`: the jobs that could not be processed, for the person who has to do something about them.

mod show;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use kurir_core::domain::SessionId;
use kurir_core::port::{DeadFilter, DeadId, DeadLetters, Retried};
use serde_json::json;

use super::remote::Output;
use crate::compose::OpenDeadLetters;
use crate::config::Config;

/// Looks at the dead letters, tries them again or drops them.
#[derive(Debug, Args)]
pub(super) struct DeadArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists them, the oldest first: reason, session, masked number; never what a message says.
    List {
        #[command(flatten)]
        which: Which,
        /// Only those that follow this one.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Shows one with its headers and its reason.
    Show {
        /// Its id, as the list has it.
        id: String,
        /// The body as well: it holds the code, the text and the full number.
        #[arg(long)]
        body: bool,
        /// As a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Puts them back into the queues that they came from.
    Retry {
        #[command(flatten)]
        which: Chosen,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Removes them for good.
    Drop {
        #[command(flatten)]
        which: Chosen,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

impl What {
    /// With what the whole program was told about its output.
    fn shown(mut self, output: Output) -> Self {
        let (Self::List { json, .. } | Self::Show { json, .. } | Self::Retry { json, .. } | Self::Drop { json, .. }) =
            &mut self;
        *json = output.json(*json);
        self
    }
}

/// Which letters to look at.
#[derive(Debug, Args)]
struct Which {
    /// Only those that died of this, like `bad_field` or `delivery_limit`.
    #[arg(long)]
    reason: Option<String>,
    /// Only those that were for this session.
    #[arg(long)]
    session: Option<SessionId>,
}

/// Which letters to do something with: they have to be named in one way or another.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Chosen {
    /// These.
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<String>,
    /// All that died of this.
    #[arg(long, conflicts_with = "all")]
    reason: Option<String>,
    /// All that were for this session.
    #[arg(long, conflicts_with = "all")]
    session: Option<SessionId>,
    /// All there are.
    #[arg(long)]
    all: bool,
}

impl Chosen {
    fn filter(self) -> DeadFilter {
        let ids = self.ids.into_iter().map(DeadId).collect();
        DeadFilter { ids, reason: self.reason, session: self.session }
    }
}

/// Does what was asked and tells it on standard output. The status is a failure where a letter that was named is not
/// there, or one could not be tried again.
pub(super) async fn run(args: DeadArgs, config: &Config, output: Output) -> anyhow::Result<ExitCode> {
    let open = OpenDeadLetters::open(config).await?;
    let mut out = Vec::new();
    let done = carry_out(args.what.shown(output), &*open.letters, &mut out).await;
    open.close().await;
    std::io::stdout().write_all(&out)?;
    Ok(if done? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn carry_out(what: What, dead: &dyn DeadLetters, out: &mut impl Write) -> anyhow::Result<bool> {
    match what {
        What::List { which: Which { reason, session }, after, limit, json } => {
            let which = DeadFilter { reason, session, ..DeadFilter::default() };
            let after = after.map(DeadId);
            let letters = dead.list(&which, after.as_ref(), limit).await?;
            if json {
                for letter in &letters {
                    writeln!(out, "{}", show::line(letter))?;
                }
                return Ok(true);
            }
            write!(out, "{}", show::table(&letters))?;
            match letters.last() {
                None if after.is_none() => writeln!(out, "there are no such dead letters")?,
                None => writeln!(out, "there are no more")?,
                Some(last) if letters.len() == limit as usize => {
                    writeln!(out, "there may be more: --after {}", last.id)?;
                }
                Some(_) => {}
            }
            Ok(true)
        }
        What::Show { id, body, json } => {
            let id = DeadId(id);
            let found = dead.list(&DeadFilter::one(&id), None, 1).await?;
            let Some(letter) = found.first() else {
                writeln!(out, "there is no dead letter {}", show::plain(&id.0))?;
                return Ok(false);
            };
            if json {
                writeln!(out, "{}", show::whole(letter, body))?;
            } else {
                write!(out, "{}", show::sheet(letter, body))?;
            }
            Ok(true)
        }
        What::Retry { which, json } => {
            let which = which.filter();
            let answers = dead.retry(&which).await?;
            let enqueued = answers.iter().filter(|(_, retried)| *retried == Retried::Enqueued).count();
            for (id, retried) in &answers {
                let enqueued = *retried == Retried::Enqueued;
                if json {
                    writeln!(out, "{}", json!({"id": id.0, "enqueued": enqueued}))?;
                } else if !enqueued {
                    writeln!(out, "{id} stays dead: there is no queue that takes it; its session is gone")?;
                }
            }
            let done: Vec<_> = answers.iter().map(|(id, _)| id.clone()).collect();
            let missing = tell_missing(&which, &done, json, out)?;
            if !json {
                writeln!(out, "{enqueued} back in their queues, {} stay dead", answers.len() - enqueued)?;
            }
            Ok(missing == 0 && enqueued == answers.len())
        }
        What::Drop { which, json } => {
            let which = which.filter();
            let gone = dead.discard(&which).await?;
            for id in gone.iter().filter(|_| json) {
                writeln!(out, "{}", json!({"id": id.0, "dropped": true}))?;
            }
            let missing = tell_missing(&which, &gone, json, out)?;
            if !json {
                writeln!(out, "{} dropped", gone.len())?;
            }
            Ok(missing == 0)
        }
    }
}

/// Names the letters that were asked for and are not there; tells how many.
fn tell_missing(which: &DeadFilter, done: &[DeadId], json: bool, out: &mut impl Write) -> std::io::Result<usize> {
    let missing: Vec<_> = which.ids.iter().filter(|id| !done.contains(id)).collect();
    for id in &missing {
        if json {
            writeln!(out, "{}", json!({"id": id.0, "missing": true}))?;
        } else {
            writeln!(out, "there is no such dead letter: {}", show::plain(&id.0))?;
        }
    }
    Ok(missing.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser;
    use kurir_core::domain::{FailReason, Lane, Target};
    use kurir_core::memory::{MemoryJobQueue, SystemClock};
    use kurir_core::port::{DeadLetter, Enqueued, JobHeaders, JobQueue as _, PublishJob};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        dead: DeadArgs,
    }

    fn parse(line: &str) -> Result<What, clap::Error> {
        Line::try_parse_from(std::iter::once("dead").chain(line.split_whitespace())).map(|line| line.dead.what)
    }

    async fn told(dead: &MemoryJobQueue, line: &str) -> (bool, String) {
        let mut out = Vec::new();
        let good = carry_out(parse(line).unwrap(), dead, &mut out).await.unwrap();
        (good, String::from_utf8(out).unwrap())
    }

    /// One letter of each of these sessions.
    async fn letters(sessions: &[(&str, FailReason)]) -> MemoryJobQueue {
        let queue = MemoryJobQueue::new(Arc::new(SystemClock));
        for (name, reason) in sessions {
            let session = SessionId::new(*name).unwrap();
            queue.declare(&session).await.unwrap();
            let body = json!({
                "id": "018f2a52-7c4e-7a3b-9d10-0123456789ab", "tenant": "acme", "to": "+62 812-3456-7890",
                "content": {"type": "otp", "code": "493817"},
            });
            let headers = JobHeaders { message_id: Some("\u{1b}[31m+6281234567890".into()), ..JobHeaders::default() };
            let target = Target::Session(session.clone());
            let job = PublishJob { target, lane: Lane::Otp, body: body.to_string().into_bytes(), headers };
            assert_eq!(queue.publish(vec![job]).await.unwrap(), [Enqueued::Accepted]);
            let mut jobs = queue.subscribe(&session, Lane::Otp, 1).await.unwrap();
            let delivery = jobs.next().await.unwrap().unwrap();
            delivery.settle.dead(DeadLetter { reason: *reason, detail: "to: missing".into() }).await.unwrap();
        }
        queue
    }

    #[test]
    fn what_is_retried_or_dropped_has_to_be_named() {
        for verb in ["retry", "drop"] {
            for bad in ["", "--all 1", "--all --reason bad_json", "--all --session s1", "--session a.b"] {
                assert!(parse(&format!("{verb} {bad}")).is_err(), "{verb} {bad}");
            }
            for good in ["--all", "1 2", "--reason bad_json", "--session s1", "--reason bad_json --session s1 1"] {
                parse(&format!("{verb} {good}")).unwrap_or_else(|error| panic!("{verb} {good}: {error}"));
            }
        }
    }

    #[tokio::test]
    async fn a_list_tells_the_reason_and_no_secret() {
        let dead = letters(&[("s1", FailReason::BadField), ("s2", FailReason::BadJson)]).await;
        for line in ["list", "list --json"] {
            let (good, text) = told(&dead, line).await;
            assert!(good);
            for part in ["bad_field", "bad_json", "to: missing", "s1", "s2", "6281…90", "018f2a52-7c4e"] {
                assert!(text.contains(part), "{part} is missing:\n{text}");
            }
            for secret in ["493817", "81234", "812-3", "\u{1b}"] {
                assert!(!text.contains(secret), "{secret:?} is told:\n{text}");
            }
        }
        let (_, text) = told(&dead, "list --session s2").await;
        assert!(text.contains("s2") && !text.contains("s1"), "{text}");
        let (_, text) = told(&dead, "list --limit 1").await;
        assert!(text.contains("--after "), "{text}");
        assert!(told(&dead, "list --reason wrong_tenant").await.1.contains("no such dead letters"));
    }

    #[tokio::test]
    async fn a_body_is_shown_only_when_asked_for() {
        let dead = letters(&[("s1", FailReason::BadField)]).await;
        let id = dead.list(&DeadFilter::default(), None, 1).await.unwrap().remove(0).id;
        for line in [format!("show {id}"), format!("show {id} --json")] {
            let (good, text) = told(&dead, &line).await;
            assert!(good && text.contains("bad_field") && text.contains("s.s1.otp"), "{text}");
            assert!(
                !text.contains("493817")
                    && !text.contains("81234")
                    && !text.contains("812-3")
                    && !text.contains('\u{1b}'),
                "{text}"
            );
            let (_, text) = told(&dead, &format!("{line} --body")).await;
            assert!(text.contains("493817"), "{text}");
        }
        assert!(!told(&dead, "show nonsense").await.0);
    }

    #[tokio::test]
    async fn retry_and_drop_say_how_many_and_what_stays() {
        let sessions = ["s1", "s2", "s3"].map(|session| (session, FailReason::BadField));
        let dead = letters(&sessions).await;
        dead.remove(&SessionId::new("s2").unwrap()).await.unwrap();
        let (good, text) = told(&dead, "retry --reason bad_field").await;
        assert!(!good && text.contains("2 back in their queues, 1 stay dead") && text.contains("no queue"), "{text}");
        assert_eq!(dead.depth(&SessionId::new("s1").unwrap(), Lane::Otp).await.unwrap(), 1);
        let left = dead.list(&DeadFilter::default(), None, 10).await.unwrap();
        let (good, text) = told(&dead, &format!("drop {} 999", left[0].id)).await;
        assert!(!good && text.contains("1 dropped") && text.contains("no such dead letter: 999"), "{text}");
        assert_eq!(told(&dead, "drop --all").await, (true, "0 dropped\n".to_owned()));
    }
}
