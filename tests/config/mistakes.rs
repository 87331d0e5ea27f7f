//! Typical mistakes and the words an operator reads.

use crate::complaints;

/// One mistake in a file, one line of complaint.
fn complaint(toml: &str) -> String {
    let mut lines = complaints(toml, &[], &[]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn unknown_settings_are_named_with_the_nearest_known_one() {
    assert_eq!(
        complaint("[worker]\nlease_tll = \"30s\""),
        "worker.lease_tll (from mine.toml): no such setting; did you mean worker.lease_ttl?"
    );
    assert_eq!(
        complaint("[rabbitmq]\nlease_ttl = \"30s\""),
        "rabbitmq.lease_ttl (from mine.toml): no such setting; did you mean worker.lease_ttl?"
    );
    assert_eq!(complaint("[zzz]\nqqqqqqqqqqqq = 1"), "zzz.qqqqqqqqqqqq (from mine.toml): no such setting");
    assert_eq!(
        complaint("worker = 5"),
        "worker (from mine.toml): this is a section, not a setting; write [worker] and its settings below"
    );
    assert_eq!(
        complaints("", &[("KURIR_WORKER__CAPACTY", "5")], &[]),
        [
            "worker.capacty (from KURIR_WORKER__CAPACTY in the environment): no such setting; did you mean worker.capacity?"
        ]
    );
    assert_eq!(
        complaints("", &[("KURIR_WORKER_CAPACITY", "5")], &[]),
        ["KURIR_WORKER_CAPACITY: the section and the key are separated by two underscores: KURIR_WORKER__CAPACITY"]
    );
    assert_eq!(
        complaints("", &[], &["log.levl=debug", "debug"]),
        ["log.levl (from --set): no such setting", "--set number 2: no `=` in it; write --set section.key=value"]
    );
}

#[test]
fn wrong_types_and_values_say_what_would_be_right() {
    let cases = [
        (
            "[worker]\nlease_ttl = 30",
            "worker.lease_ttl = 30 (from mine.toml): expected a span of time like \"500ms\", \"30s\", \"1m30s\" or \"6h\"",
        ),
        (
            "[worker]\nlease_ttl = \"30 seconds\"",
            "worker.lease_ttl = \"30 seconds\" (from mine.toml): expected a span of time like \"500ms\", \"30s\", \"1m30s\" or \"6h\"",
        ),
        (
            "[worker]\ncapacity = -1",
            "worker.capacity = -1 (from mine.toml): expected a whole number from 0 to 4294967295",
        ),
        (
            "[worker]\nwindow_otp = 70000",
            "worker.window_otp = 70000 (from mine.toml): expected a whole number from 0 to 65535",
        ),
        (
            "[limits.sender]\nburst = 0",
            "limits.sender.burst = 0 (from mine.toml): expected a whole number from 1 to 4294967295",
        ),
        (
            "[simulator]\nmagic_endings = \"yes\"",
            "simulator.magic_endings = \"yes\" (from mine.toml): expected true or false",
        ),
        (
            "[store]\nkind = \"mysql\"",
            "store.kind = \"mysql\" (from mine.toml): not one of the possible values: `postgres` or `sqlite`",
        ),
        ("[redis]\nprefix = 5", "redis.prefix = 5 (from mine.toml): expected a text in quotes"),
        (
            "[gateway]\nlisten = \"8080\"",
            "gateway.listen = \"8080\" (from mine.toml): an IP address and a port, like \"127.0.0.1:8080\", is expected",
        ),
        (
            "[fleet]\ntenant = \"a.b\"",
            "fleet.tenant = \"a.b\" (from mine.toml): a tenant consists of letters, digits, '-' and '_', and starts with a \
             letter or a digit; '.' does not fit",
        ),
        (
            "[whatsapp]\nclient_version = \"2.3000\"",
            "whatsapp.client_version = \"2.3000\" (from mine.toml): three numbers with points between them, like \
             \"2.3000.1031\", are expected",
        ),
        (
            "[log]\nfilter = \"verbose\"",
            "log.filter = \"verbose\" (from mine.toml): must be a level (error, warn, info, debug, trace, off) or directives \
             like \"info,kurir_workers=debug\"",
        ),
        ("[worker]\ncapacity = 0", "worker.capacity = 0 (from mine.toml): must be from 1 to 100000"),
        (
            "[fleet]\ndefault_country = \"+62\"",
            "fleet.default_country = \"+62\" (from mine.toml): must be a country code of 1 to 3 digits without + or 0 before \
             it, like \"62\"",
        ),
    ];
    for (toml, expected) in cases {
        assert_eq!(complaint(toml), expected, "{toml}");
    }
    assert_eq!(
        complaints("", &[("KURIR_WORKER__CAPACITY", "many")], &[]),
        [
            "worker.capacity = \"many\" (from KURIR_WORKER__CAPACITY in the environment): expected a whole number from 0 to \
          4294967295"
        ]
    );
}

#[test]
fn relations_between_settings_are_checked() {
    let cases = [
        (
            "[worker]\nrenew_every = \"11s\"",
            "worker.lease_ttl = \"30s\" (the default): must be at least three times worker.renew_every (11s), so that two \
             renewals may fail",
        ),
        (
            "[redis]\ntimeout = \"8s\"",
            "worker.renew_every = \"8s\" (the default): must be longer than redis.timeout (8s), or renewals overtake each \
             other",
        ),
        (
            "[worker]\nstop_deadline = \"30s\"",
            "worker.stop_deadline = \"30s\" (from mine.toml): must be shorter than worker.lease_ttl (30s), or a worker that \
             hangs while it stops keeps sessions beyond its lease",
        ),
        (
            "[worker]\nack_patience = \"16s\"",
            "worker.stop_deadline = \"20s\" (the default): must be at least 21s, worker.ack_patience and \
             rabbitmq.publish_timeout together: a stop waits for WhatsApp's answer and for the events that tell of it",
        ),
        (
            "[limits.recipient]\notp_every = \"7h\"\notp_per_day = 0",
            "limits.recipient.otp_every = \"7h\" (from mine.toml): must not be longer than the longest delay, 6h",
        ),
        (
            "[limits.recipient]\notp_every = \"5h\"",
            "limits.recipient.otp_per_day = 10 (the default): can't be reached: one every 5h (limits.recipient.otp_every) \
             makes less in 24 hours; lower it, or 0 for no such limit",
        ),
        (
            "[retry]\nbackoff_max = \"1s\"",
            "retry.backoff_max = \"1s\" (from mine.toml): must be from retry.backoff_base (2s) to the longest delay, 6h",
        ),
        (
            "[relay]\nage = \"5s\"",
            "relay.age = \"5s\" (from mine.toml): must be longer than rabbitmq.publish_timeout (5s), or the relay publishes \
             what its worker is still publishing",
        ),
        (
            "[gateway]\nrequest_timeout = \"8s\"",
            "gateway.request_timeout = \"8s\" (from mine.toml): must be longer than 8s, rabbitmq.publish_timeout and \
             postgres.acquire_timeout together, or a caller never learns what became of a job that was slow",
        ),
        (
            "[gateway]\notp_ttl = \"45s\"",
            "gateway.otp_ttl = \"45s\" (from mine.toml): must be longer than limits.recipient.otp_every (1m) and \
             worker.deadline_margin (1s) together, or an OTP that the limit delays has always expired when its turn comes",
        ),
        (
            "[admin]\nsession_max = \"1h\"",
            "admin.session_idle = \"2h\" (the default): must be from 1m to admin.session_max (1h), after which a sign-in ends \
             in any case",
        ),
        (
            "[simulator]\nlisten = \"0.0.0.0:8090\"",
            "simulator.listen = \"0.0.0.0:8090\" (from mine.toml): must be a loopback address, like 127.0.0.1",
        ),
    ];
    for (toml, expected) in cases {
        assert_eq!(complaint(toml), expected, "{toml}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let toml = "[worker]\ncapacity = \"x\"\nlease = \"1s\"\n[retry]\nbackoff_base = 5\n[log]\nformat = \"xml\"";
    let lines = complaints(toml, &[], &["postgres.max_connections=lots"]);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for key in ["worker.lease (", "worker.capacity", "retry.backoff_base", "log.format", "postgres.max_connections"] {
        assert!(lines.iter().any(|line| line.starts_with(key)), "{key}: {lines:#?}");
    }
    let toml = "[worker]\ncapacity = 0\nrenew_every = \"11s\"\n[relay]\nbatch = 0";
    assert_eq!(complaints(toml, &[], &[]).len(), 3);
}

#[test]
fn a_file_that_is_no_toml_is_told_by_line_and_column() {
    let line = complaint("[worker]\ncapacity = 5\nlease_ttl = 30s\n");
    assert!(line.starts_with("mine.toml:3:"), "{line}");
    assert!(line.contains("stand in quotes"), "{line}");
    let sources = kurir::config::Sources { files: vec!["/nonexistent/k.toml".into()], ..Default::default() };
    let error = kurir::config::Config::load(&sources).unwrap_err().to_string();
    assert!(error.starts_with("configuration: /nonexistent/k.toml: the file can't be read: "), "{error}");
}
