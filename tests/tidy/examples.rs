//! Shows of every rule that it complains, and about what it keeps silent.

use crate::check::check;
use crate::rules::{BANNED, MAX_LINES};

/// A file, what stands in it, and the rule that must complain.
const WRONG: &[(&str, &str, &str)] = &[
    ("core/src/domain/job.rs", "use crate::policy::Backoff;", "import"),
    ("core/src/domain/job.rs", "use super::super::port::Clock;", "import"),
    ("core/src/policy/pace.rs", "use crate::{domain::Job, port::Clock};", "import"),
    ("core/src/wire/job.rs", "fn f() -> crate::policy::Backoff { todo() }", "import"),
    ("core/src/port/jobs.rs", "mod inner { use super::super::super::wire::JobV1; }", "import"),
    ("core/src/memory/lease.rs", "pub use crate::contract::suite;", "import"),
    ("core/src/contract/lease.rs", "use crate::memory;", "import"),
    ("core/src/surprise/mod.rs", "", "no-room"),
    ("workers/src/job/path.rs", "use kurir_core::memory::Leases;", "import"),
    ("workers/src/job/path.rs", "fn f() { kurir_core::{}\nkurir_core::memory::now() }", "import"),
    ("workers/src/relay.rs", "use kurir_sim::Phone;", "import"),
    ("sim/src/phone/mod.rs", "use kurir_core::domain::PhoneNumber;", "import"),
    ("src/adapters/redis/leases.rs", "use crate::adapters::postgres::Store;", "import"),
    ("src/adapters/redis/mod.rs", "use super::sqlite::open;", "import"),
    ("src/adapters/redis/mod.rs", "use crate::gateway::App;", "import"),
    ("src/adapters/redis/mod.rs", "fn f(c: &crate::compose::Fleet) {}", "import"),
    ("src/adapters/http/mod.rs", "use crate::cli;", "import"),
    ("src/adapters/sqlite/mod.rs", "use kurir_workers::Worker;", "import"),
    ("src/adapters/mod.rs", "use self::redis::Leases;", "import"),
    ("src/gateway/mod.rs", "use crate::adapters::sqlite::Store;", "import"),
    ("src/gateway/api.rs", "use kurir_workers as loops;", "import"),
    ("src/gateway/api.rs", "use crate::compose::Fleet;", "import"),
    ("src/compose/mod.rs", "use crate::cli::Args;", "import"),
    ("src/cli/demo.rs", "use crate::{adapters::sqlite, compose::up};", "import"),
    ("src/main.rs", "fn main() { kurir::compose::up() }", "import"),
    ("src/secrets.rs", "", "no-room"),
    ("src/adapters/carrier/mod.rs", "", "no-room"),
    ("core/src/domain/job.rs", "use sqlx::Row;", "vendor"),
    ("workers/src/worker.rs", "fn f() -> lapin::Result<()> {}", "vendor"),
    ("src/compose/mod.rs", "use redis::Client;", "vendor"),
    ("src/compose/mod.rs", "use crate::adapters::sqlite;\nfn f() { ::redis::open() }", "vendor"),
    ("src/adapters/sqlite/mod.rs", "use deadpool_redis::Pool;", "vendor"),
    ("src/cli/mod.rs", "use whatsapp_rust::Client;", "vendor"),
    ("src/compose/mod.rs", "use axum::Router;", "vendor"),
    ("core/Cargo.toml", "[dependencies]\nkurir-workers.workspace = true", "manifest"),
    ("core/Cargo.toml", "[dependencies.sqlx]\nversion = \"1\"", "manifest"),
    ("workers/Cargo.toml", "[dependencies]\nkurir-sim = { path = \"../sim\" }", "manifest"),
    ("sim/Cargo.toml", "[dependencies]\nkurir-core.workspace = true", "manifest"),
    ("core/src/policy/utils.rs", "", "name"),
    ("tests/common/mod.rs", "", "name"),
    ("src/gateway/api.rs", "fn f() { todo!() }", "unfinished"),
    ("docs/OPERATIONS.md", "FIXME: write this", "unfinished"),
    ("tests/fleet/main.rs", "fn f() { dbg!(1); }", "debugging"),
    ("tests/fleet/main.rs", "#[test]\n#[ignore]\nfn f() {}", "ignored-test"),
    ("tests/fleet/main.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", "ignored-test"),
    ("tests/fleet/main.rs", "fn f() { unsafe { g() } }", "unsafe"),
    ("core/src/policy/pace.rs", "fn f() { std::time::Instant::now(); }", "pure-policy"),
    ("core/src/policy/pace.rs", "use rand::Rng;", "pure-policy"),
    ("README.md", "cd /home/me/kurir", "machine-path"),
    (".ci/run", "curl https://index.crates.io/", "registry-host"),
    ("tests/fleet/main.rs", "async fn f() { tokio::time::sleep(LONG).await; }", "sleep"),
    ("tests/fleet/main.rs", "fn f() { thread::sleep(LONG); } // tidy: ", "sleep"),
    ("src/compose/mod.rs", "#[cfg(test)]\nmod tests {\n fn f() { std::thread::sleep(LONG) }\n}", "sleep"),
];

/// A file and what may stand in it.
const RIGHT: &[(&str, &str)] = &[
    ("core/src/domain/job.rs", "use super::Lane;\nuse crate::domain::phone;\nuse serde::Serialize;"),
    (
        "core/src/domain/job.rs",
        "/// Unlike [`crate::policy::Backoff`]\nfn f() { g(\"crate::policy::x\", 'a', b'\\'', r#\"\" todo!()\"#) }",
    ),
    (
        "core/src/policy/pace.rs",
        "use crate::domain::{Job, Lane as L};\n// never Instant::now()\nfn f<'a>(x: &'a str) {}",
    ),
    ("core/src/memory/lease.rs", "use crate::{domain::*, policy, port::Clock, wire::JobV1};"),
    ("core/src/lib.rs", "pub mod domain;\npub use crate::domain::Job;"),
    (
        "workers/src/worker.rs",
        "use crate::session;\n#[cfg(test)]\nmod tests { use super::*; use kurir_core::memory::Leases; }",
    ),
    ("src/adapters/redis/leases.rs", "use redis::Script;\nuse super::store;\nuse kurir_core::port::LeaseStore;"),
    ("src/adapters/postgres/mod.rs", "fn f() -> sqlx::Result<()> { a::<u8>().b::<sqlx::Pg>() }"),
    (
        "src/compose/mod.rs",
        "use crate::adapters::{redis, rabbitmq};\nfn f() { redis::connect() }\nuse kurir_workers::Worker;",
    ),
    ("src/gateway/mod.rs", "use axum::Router;\nuse kurir_core::port::JobQueue;\nuse super::gateway::api;"),
    ("src/main.rs", "fn main() { kurir::cli::run() }"),
    ("core/Cargo.toml", "[dependencies]\nserde.workspace = true\n[dev-dependencies]\nkurir-core = { path = \".\" }"),
    ("workers/Cargo.toml", "[dependencies]\nkurir-core.workspace = true"),
    ("tests/fleet/main.rs", "use lapin::Channel;\nuse kurir::adapters::rabbitmq;\nuse kurir_sim::Simulator;"),
    ("tests/fleet/main.rs", "fn f() { thread::sleep(SHORT); } // tidy: the pause between two looks at the state"),
    ("src/compose/mod.rs", "async fn f() { tokio::time::sleep(pause).await }\n#[cfg(test)]\nmod tests {}"),
    ("src/gateway/api.rs", "fn ignored() { unsafely(); let todos = 1; }"),
];

fn rules_of(path: &str, text: &str) -> Vec<&'static str> {
    check(path, text).into_iter().map(|complaint| complaint.rule).collect()
}

#[test]
fn every_rule_complains_about_its_wrong_examples() {
    for (path, text, rule) in WRONG {
        let found = rules_of(path, text);
        assert!(found.contains(rule), "{path}: {text:?} must be refused by {rule}, was by {found:?}");
    }
    for rule in BANNED.iter().map(|banned| banned.rule) {
        assert!(WRONG.iter().any(|wrong| wrong.2 == rule), "{rule} has no wrong example");
    }
}

#[test]
fn what_is_right_is_not_complained_about() {
    for (path, text) in RIGHT {
        let found: Vec<String> = check(path, text).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{path}: {text:?} is right, but: {found:?}");
    }
}

#[test]
fn a_file_may_have_as_many_lines_as_the_budget_and_no_more() {
    let full = "// line\n".repeat(MAX_LINES);
    assert!(rules_of("src/gateway/api.rs", &full).is_empty());
    assert_eq!(rules_of("src/gateway/api.rs", &(full + "// line\n")), ["budget"]);
}

#[test]
fn a_complaint_says_where_and_what() {
    let complaints = check("core/src/domain/job.rs", "\n\nuse crate::port::Clock;\n");
    let text = complaints[0].to_string();
    assert!(
        text.starts_with("core/src/domain/job.rs:3: kurir_core::domain must not import kurir_core::port::Clock"),
        "{text}"
    );
}
