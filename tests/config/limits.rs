//! The limits: the table in the documentation is that of the code, and mistakes are told.

use kurir::config::{Config, Sources, limit_table, limits_in_markdown};

use crate::{complaints, load};

const BEGIN: &str = "<!-- table of limits: written by `KURIR_BLESS=1`, compared by a test -->\n";
const END: &str = "<!-- end of the table -->";

#[test]
fn the_table_in_the_documentation_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/LIMITS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table begins with a mark");
    let (table, after) = rest.split_once(END).expect("the table ends with a mark");
    let defaults = Config::load(&Sources::default()).unwrap();
    let expected = limits_in_markdown(&limit_table(&defaults));
    if std::env::var_os("KURIR_BLESS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(table, expected, "docs/LIMITS.md is out of step; run this test with KURIR_BLESS=1");
}

#[test]
fn every_setting_of_a_limit_is_one_and_every_limit_setting_is_in_the_table() {
    let defaults: toml::Table = kurir::config::DEFAULTS.parse().unwrap();
    let known = |key: &str| {
        let mut parts = key.split('.');
        let first = defaults.get(parts.next().unwrap());
        parts.try_fold(first?, |value, part| value.get(part))
    };
    let rows = limit_table(&Config::load(&Sources::default()).unwrap());
    let named: Vec<&str> = rows.iter().flat_map(|row| row.settings.iter().copied()).collect();
    for key in &named {
        assert!(known(key).is_some(), "{key} is no setting");
    }
    // How long an answer is believed, and where a day begins, limit nothing.
    let others = ["limits.numbers.cache_ttl", "limits.numbers.missing_ttl", "limits.sender.time_zones"];
    for (section, settings) in defaults["limits"].as_table().unwrap() {
        for setting in settings.as_table().unwrap().keys() {
            let key = format!("limits.{section}.{setting}");
            assert!(named.contains(&key.as_str()) || others.contains(&key.as_str()), "{key} is not in the table");
        }
    }
}

#[test]
fn a_changed_setting_changes_its_row() {
    let config = load("[limits.sender]\nper_day = 0\nwarm_up = \"\"\ncold_per_day = 7", &[], &[]).unwrap();
    let value = |limit: &str| limit_table(&config).into_iter().find(|row| row.limit == limit).unwrap().value;
    assert_eq!(value("sender: daily cap"), "none");
    assert_eq!(value("sender: warm-up of a new number"), "none");
    assert_eq!(value("sender: new recipients"), "7 a day");
}

#[test]
fn mistakes_are_told() {
    for (toml, complaint) in [
        (
            "[limits.sender]\nper_day = 100\ncold_per_day = 10",
            "limits.sender.warm_up = \"3d:50 7d:100 14d:250 30d:500\" (the default): its last step, 500 a day, must be \
             below limits.sender.per_day (100)",
        ),
        (
            "[limits.sender]\nwarm_up = \"3d:50 2d:60\"",
            "limits.sender.warm_up = \"3d:50 2d:60\" (from mine.toml): step 2 does not go up: both the days and the \
             messages must be more than in the step before",
        ),
        (
            "[limits.sender]\ncold_per_day = 2000",
            "limits.sender.cold_per_day = 2000 (from mine.toml): can't be reached: limits.sender.per_day is 1000; lower it, \
             or 0 for no such limit",
        ),
        (
            "[limits.sender]\notp_reserve = 101",
            "limits.sender.otp_reserve = 101 (from mine.toml): must be from 0 to 100",
        ),
        (
            "[limits.sender]\ntime_zones = \"s1=Asia/Nowhere\"",
            "limits.sender.time_zones = \"s1=Asia/Nowhere\" (from mine.toml): part 1: \"Asia/Nowhere\" is no time zone of \
             the IANA database, like Asia/Jakarta",
        ),
        (
            "[limits.recipient]\nwhen_down = \"open\"",
            "limits.recipient.when_down = \"open\" (from mine.toml): not one of the possible values: `wait` or `allow`",
        ),
    ] {
        assert_eq!(complaints(toml, &[], &[]), [complaint], "{toml}");
    }
}
