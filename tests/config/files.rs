//! Every file that is shipped is loaded and checked.

use std::path::{Path, PathBuf};

use kurir::config::{Config, DEFAULTS, Role, Sources, StoreKind};

use crate::KEYS;

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

#[test]
fn every_shipped_file_is_accepted() {
    let files = shipped();
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        let sources = Sources { files: vec![path.clone()], ..Sources::default() };
        Config::load(&sources).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn the_reference_explains_every_section_and_sets_nothing_twice() {
    let table: toml::Table = DEFAULTS.parse().unwrap();
    assert!(table.len() >= 14);
    for heading in DEFAULTS.split("\n[").skip(1) {
        // A heading is followed by the lines of its section, and at least one of these is a comment.
        assert!(heading.lines().any(|line| line.starts_with('#')) || heading.starts_with("sqlite"), "{heading}");
    }
}

#[test]
fn each_mode_has_what_its_roles_need() {
    let load = |name: &str, environment: &[(&str, &str)]| {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::load(&Sources { built_in: None, files: vec![file(name)], environment, flags: Vec::new() }).unwrap()
    };
    let demo = load("demo.toml", &[]);
    demo.require_for(Role::Demo).unwrap();
    demo.require_for(Role::Sim).unwrap();
    load("embedded.toml", &[]).require_for(Role::Up).unwrap();
    let cluster = load(
        "cluster.toml",
        &[
            ("KURIR_POSTGRES__URL", "postgres://k:p@db/kurir"),
            ("KURIR_RABBITMQ__URL", "amqp://k:p@mq/kurir"),
            ("KURIR_REDIS__URL", "redis://:p@cache/0"),
            ("KURIR_STORE__ENCRYPTION_KEYS", KEYS),
            ("KURIR_GATEWAY__API_KEY", "a-key-of-some-length-1"),
        ],
    );
    assert_eq!(cluster.store.kind, StoreKind::Postgres);
    for role in [Role::Gateway, Role::Worker, Role::Relay, Role::Tool] {
        cluster.require_for(role).unwrap();
    }
}

#[test]
fn what_a_role_misses_is_told_at_once() {
    let load = |name| Config::load(&Sources { files: vec![file(name)], ..Sources::default() }).unwrap();
    let error = load("cluster.toml").require_for(Role::Worker).unwrap_err();
    let keys: Vec<&str> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["postgres.url", "rabbitmq.url", "redis.url", "store.encryption_keys"]);
    let error = load("cluster.toml").require_for(Role::Gateway).unwrap_err();
    assert!(
        error.to_string().contains(
            "redis.url = \"\": `kurir gateway` needs the address of Redis; set it in a file or as KURIR_REDIS__URL"
        ),
        "{error}"
    );
    let error = load("cluster.toml").require_for(Role::Worker).unwrap_err();
    assert_eq!(
        error.problems[0].to_string(),
        "postgres.url = \"\": `kurir worker` needs the address of PostgreSQL; set it in a file or as KURIR_POSTGRES__URL"
    );
    for role in [Role::Up, Role::Demo] {
        let problems = load("cluster.toml").require_for(role).unwrap_err().problems;
        assert!(problems.iter().any(|problem| problem.key == "store.kind"), "{role:?}: {problems:?}");
    }
    let error = load("embedded.toml").require_for(Role::Relay).unwrap_err();
    assert!(
        error.to_string().contains("store.kind = \"sqlite\": `kurir relay` is one process among others"),
        "{error}"
    );
}
