//! The rules, as tables. What a rule finds is judged in `check.rs`; that it finds something is shown in `examples.rs`.

/// Modules and what of ours they may import besides themselves. The longest fitting entry counts.
pub struct Room {
    pub module: &'static str,
    pub may: &'static [&'static str],
    /// What `#[cfg(test)]` modules in it may import as well.
    pub tests_may: &'static [&'static str],
}

const fn room(module: &'static str, may: &'static [&'static str]) -> Room {
    Room { module, may, tests_may: &[] }
}

const OVER_PORTS: &[&str] = &["kurir_core::domain", "kurir_core::policy", "kurir_core::wire", "kurir_core::port"];

/// The arrows of the architecture. A module of ours that is in no room is an error too.
pub const ROOMS: &[Room] = &[
    room("kurir_core", &["kurir_core"]),
    room("kurir_core::domain", &[]),
    room("kurir_core::policy", &["kurir_core::domain"]),
    room("kurir_core::wire", &["kurir_core::domain"]),
    room("kurir_core::port", &["kurir_core::domain"]),
    room("kurir_core::memory", OVER_PORTS),
    room("kurir_core::contract", OVER_PORTS),
    Room { module: "kurir_workers", may: OVER_PORTS, tests_may: &["kurir_core::memory", "kurir_core::contract"] },
    room("kurir_sim", &[]),
    room("kurir", &["kurir"]),
    room("kurir::adapters", &["kurir_core"]),
    room("kurir::adapters::rabbitmq", &["kurir_core"]),
    room("kurir::adapters::redis", &["kurir_core"]),
    room("kurir::adapters::postgres", &["kurir_core"]),
    room("kurir::adapters::sqlite", &["kurir_core"]),
    room("kurir::adapters::whatsapp", &["kurir_core"]),
    room("kurir::adapters::http", &["kurir_core"]),
    room("kurir::gateway", &["kurir_core"]),
    room("kurir::config", &["kurir_core"]),
    // Counts what passes the ports, hears what workers and gateway tell.
    room("kurir::telemetry", &["kurir_core", "kurir_workers", "kurir::gateway"]),
    room(
        "kurir::compose",
        &[
            "kurir_core",
            "kurir_workers",
            "kurir_sim",
            "kurir::adapters",
            "kurir::gateway",
            "kurir::config",
            "kurir::telemetry",
        ],
    ),
    // What anybody can write who has an address and a key; it knows nothing of what stands behind the gateway.
    room("kurir::client", &["kurir_core::domain"]),
    room("kurir::cli", &["kurir_core", "kurir_sim", "kurir::client", "kurir::compose", "kurir::config"]),
    // `src/main.rs` is a package of its own to the compiler.
    room("main", &["kurir::cli"]),
];

/// Crates that speak to a vendor's system, and the only rooms that know them. Integration tests may use them freely.
pub const VENDORS: &[(&[&str], &[&str])] = &[
    (&["lapin"], &["kurir::adapters::rabbitmq"]),
    (&["redis", "deadpool_redis"], &["kurir::adapters::redis"]),
    (&["sqlx"], &["kurir::adapters::postgres", "kurir::adapters::sqlite"]),
    (&["whatsapp_rust"], &["kurir::adapters::whatsapp"]),
    (
        &["wacore", "wacore_binary", "wacore_noise", "wacore_libsignal", "waproto"],
        &["kurir::adapters::whatsapp", "kurir_sim"],
    ),
    (&["prometheus_client"], &["kurir::telemetry"]),
    (&["reqwest"], &["kurir::adapters::http", "kurir::client"]),
    (&["axum", "tower_http"], &["kurir::gateway", "kurir::adapters::http", "kurir_sim"]),
];

/// A package's manifest and the packages that its `[dependencies]` may not name.
pub const MANIFESTS: &[(&str, &[&str])] = &[
    (
        "core/Cargo.toml",
        &[
            "kurir",
            "kurir-workers",
            "kurir-sim",
            "lapin",
            "redis",
            "deadpool-redis",
            "sqlx",
            "whatsapp-rust",
            "wacore",
            "waproto",
            "axum",
            "prometheus-client",
        ],
    ),
    (
        "workers/Cargo.toml",
        &[
            "kurir",
            "kurir-sim",
            "lapin",
            "redis",
            "deadpool-redis",
            "sqlx",
            "whatsapp-rust",
            "wacore",
            "waproto",
            "axum",
            "prometheus-client",
        ],
    ),
    ("sim/Cargo.toml", &["kurir", "kurir-core", "kurir-workers", "lapin", "redis", "deadpool-redis", "sqlx"]),
];

/// Where a forbidden text counts.
pub enum Place {
    /// In the code of Rust files: not in comments, not in literals.
    Code,
    /// In the code of the modules below this one.
    Module(&'static str),
    /// Anywhere in any text file, except in the tables and examples of this test.
    Text,
}

pub struct Banned {
    pub rule: &'static str,
    pub place: Place,
    /// Found where it stands as whole words.
    pub words: &'static [&'static str],
    pub why: &'static str,
}

const fn banned(rule: &'static str, place: Place, words: &'static [&'static str], why: &'static str) -> Banned {
    Banned { rule, place, words, why }
}

pub const BANNED: &[Banned] = &[
    banned("unfinished", Place::Code, &["todo!", "unimplemented!"], "finish it or leave it out"),
    banned("unfinished", Place::Text, &["TODO", "FIXME", "XXX"], "finish it or leave it out"),
    banned("debugging", Place::Code, &["dbg!"], "use tracing, or nothing"),
    banned(
        "ignored-test",
        Place::Code,
        &["#[ignore", "ignore ="],
        "a test that does not run proves nothing: repair or remove it",
    ),
    banned("unsafe", Place::Code, &["unsafe"], "nothing here needs it"),
    banned(
        "pure-policy",
        Place::Module("kurir_core::policy"),
        &[
            "Instant::now",
            "SystemTime::now",
            "Timestamp::now",
            "rand::",
            "thread_rng",
            "now_v7",
            "new_v4",
            "tokio::",
            "std::env",
        ],
        "policy is arithmetic: time and chance are passed in",
    ),
    banned(
        "machine-path",
        Place::Text,
        &["/work/", "/root/", "/home/", "/Users/"],
        "a path of one machine means nothing elsewhere",
    ),
    banned(
        "registry-host",
        Place::Text,
        &[
            "static.crates.io",
            "index.crates.io",
            "crates.io/api",
            "registry.npmjs.org",
            "pypi.org",
            "files.pythonhosted.org",
        ],
        "where packages come from is the business of each machine's settings",
    ),
];

/// Names that say nothing about what is inside.
pub const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "stuff", "shared"];

/// Lines of a Rust file.
pub const MAX_LINES: usize = 500;

/// What a line must carry, with a reason behind it, to sleep in a test.
pub const SLEEP_PERMIT: &str = "// tidy: ";
