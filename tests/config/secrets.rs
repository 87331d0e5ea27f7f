//! Values of secret settings are nowhere to be read but in the settings themselves.

use kurir::config::{DEFAULTS, SECRET_KEYS};

use crate::{KEYS, complaints, load};

const CANARY: &str = "pa55word";

#[test]
fn debug_shows_no_secret() {
    let environment = [
        ("KURIR_POSTGRES__URL", "postgres://k:pa55word@db/kurir"),
        ("KURIR_RABBITMQ__URL", "amqp://k:pa55word@mq/kurir"),
        ("KURIR_REDIS__URL", "redis://:pa55word@cache/0"),
        ("KURIR_REDIS__PEPPER", "pa55word-pa55word-pa55word"),
        ("KURIR_STORE__ENCRYPTION_KEYS", KEYS),
        ("KURIR_GATEWAY__API_KEY", "pa55word-pa55word-pa55word"),
        ("KURIR_DIALECTS__MULTI__ADMIN_KEY", "pa55word"),
    ];
    assert_eq!(environment.len(), SECRET_KEYS.len());
    let config = load("", &environment, &[]).unwrap();
    let text = format!("{config:?} {config:#?}");
    assert!(!text.contains(CANARY) && !text.contains("AAAA"), "{text}");
    assert_eq!(text.matches("[secret]").count(), 2 * SECRET_KEYS.len());
    assert!(config.redis.url.unwrap().expose().contains(CANARY), "and yet it was read");
}

#[test]
fn errors_show_no_secret() {
    for key in SECRET_KEYS {
        let (section, name) = key.rsplit_once('.').unwrap();
        let variable = format!("KURIR_{}", key.to_ascii_uppercase().replace('.', "__"));
        let mut texts = Vec::new();
        // Wrong values and types in each layer, a misspelt name, a line that is no TOML.
        texts.extend(complaints(&format!("[{section}]\n{name} = \"{CANARY}\u{e9}\""), &[], &[]));
        texts.extend(complaints(&format!("[{section}]\n{name} = [\"{CANARY}\"]"), &[], &[]));
        texts.extend(complaints(&format!("[{section}]\n{name} = {{ {CANARY} = \"{CANARY}\" }}"), &[], &[]).iter().map(
            // The name of an unknown setting is told, as it must be.
            |line| line.replacen(&format!("{key}.{CANARY}"), "", 1),
        ));
        texts.extend(complaints(&format!("[{section}]\n{name}x = \"{CANARY}\""), &[], &[]));
        texts.extend(complaints(&format!("[{section}]\n{name} = {CANARY}!"), &[], &[]));
        texts.extend(complaints("", &[(&variable, &format!("{CANARY}\u{e9}"))], &[]));
        texts.extend(complaints("", &[(&format!("{variable}X"), CANARY)], &[]));
        texts.extend(complaints("", &[], &[&format!("{key}={CANARY}\u{e9}")]));
        texts.extend(complaints("", &[], &[&format!("{key}:{CANARY}")]));
        assert!(texts.len() >= 9, "{texts:#?}");
        for text in texts {
            assert!(!text.contains(CANARY), "{text}");
        }
    }
}

#[test]
fn an_address_with_a_password_in_the_wrong_place_is_not_shown() {
    let lines = complaints("[redis]\nprefix = \"redis://:pa55word@cache/0\"", &[], &[]);
    assert!(lines[0].starts_with("redis.prefix = [secret] (from mine.toml): must consist of"), "{lines:?}");
}

#[test]
fn the_list_of_secrets_and_the_reference_agree() {
    let mut section = "";
    let mut marked = Vec::new();
    let mut secret = false;
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if line.starts_with("# (secret)") {
            secret = true;
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            if secret {
                marked.push(format!("{section}.{name}"));
            }
            secret = false;
        }
    }
    assert_eq!(marked, SECRET_KEYS);
}
