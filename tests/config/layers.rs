//! Which layer wins.

use std::time::Duration;

use kurir::config::{Config, QueueKind, Sources};

use crate::load;

#[test]
fn defaults_then_files_then_environment_then_flags() {
    let toml = "[worker]\ncapacity = 1\nmove_rate = 11\nconnect_rate = 12";
    let environment = [("KURIR_WORKER__CAPACITY", "2"), ("KURIR_WORKER__MOVE_RATE", "21")];
    let config = load(toml, &environment, &["worker.capacity=3"]).unwrap();
    let worker = config.worker;
    assert_eq!((worker.capacity, worker.move_rate, worker.connect_rate), (3, 21, 12));
    assert_eq!(worker.window_otp, 16, "the default");
}

#[test]
fn a_later_file_and_a_later_flag_win() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = vec![
        write("a.toml", "[redis]\nprefix = \"a\"\npool = 3\n[limits.sender]\nburst = 7"),
        write("b.toml", "[redis]\nprefix = \"b\""),
    ];
    let flags = vec!["redis.timeout=300ms".to_owned(), "redis.timeout=400ms".to_owned()];
    let config = Config::load(&Sources { built_in: None, files, environment: Vec::new(), flags }).unwrap();
    assert_eq!((config.redis.prefix.as_str(), config.redis.pool, config.limits.sender.burst.get()), ("b", 3, 7));
    assert_eq!(config.redis.timeout, Duration::from_millis(400));
}

#[test]
fn texts_of_the_environment_take_the_type_of_the_setting() {
    let environment = [
        ("KURIR_SIMULATOR__MAGIC_ENDINGS", "true"),
        ("KURIR_LIMITS__SENDER__EVERY", "1m30s"),
        ("KURIR_RABBITMQ__QUEUE_KIND", "classic"),
        // A number in a setting that is a text.
        ("KURIR_FLEET__DEFAULT_COUNTRY", "62"),
        ("KURIR_WHATSAPP__DEVICE_NAME", "a=b"),
        // None of ours.
        ("KURIR_CONFIG", "x.toml"),
        ("KURIR_GATEWAY_PORT", "tcp://10.0.0.1:8080"),
        ("PATH", "/bin"),
    ];
    let config = load("", &environment, &[]).unwrap();
    assert!(config.simulator.magic_endings);
    assert_eq!(config.limits.sender.every, Duration::from_secs(90));
    assert_eq!(config.rabbitmq.queue_kind, QueueKind::Classic);
    assert_eq!(config.fleet.default_country.as_deref(), Some("62"));
    assert_eq!(config.whatsapp.device_name, "a=b");
}

#[test]
fn a_right_value_on_top_hides_a_wrong_one_below() {
    let config = load("[worker]\ncapacity = \"many\"", &[("KURIR_WORKER__CAPACITY", "50")], &[]).unwrap();
    assert_eq!(config.worker.capacity, 50);
}

#[test]
fn an_empty_text_unsets() {
    let config = load("[redis]\nurl = \"redis://h/0\"\n[gateway]\notp_ttl = \"5m\"", &[("KURIR_REDIS__URL", "")], &[]);
    let config = config.unwrap();
    assert!(config.redis.url.is_none());
    assert_eq!(config.gateway.otp_ttl, Some(Duration::from_mins(5)));
}
