//! The shipped files that no compiler reads: the compose file, the broker's policies, the demo's recipients.

use std::collections::BTreeMap;
use std::fs;

use crate::root;

fn shipped(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines below a key of a YAML file that is indented by `depth`, split at the keys one level deeper.
fn below<'a>(text: &'a str, key: &str, depth: usize) -> BTreeMap<&'a str, Vec<&'a str>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let head = format!("{}{key}:", " ".repeat(depth));
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = "";
    let lines = text.lines().skip_while(|line| *line != head).skip(1);
    for line in lines.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        match indent(line) {
            deep if deep <= depth => break,
            deep if deep == depth + 2 => {
                current = line.trim().split(':').next().unwrap_or_default();
                found.entry(current).or_default().push(line.trim());
            }
            _ => found.entry(current).or_default().push(line.trim()),
        }
    }
    found
}

#[test]
fn compose_has_every_part_with_a_health_check() {
    let text = shipped("docker-compose.yml");
    let services = below(&text, "services", 0);
    for name in ["gateway", "relay", "worker-1", "worker-2", "rabbitmq", "redis", "postgres"] {
        let lines = services.get(name).unwrap_or_else(|| panic!("docker-compose.yml has no service {name}"));
        let has = |what: &str| lines.iter().any(|line| line.contains(what));
        assert!(has("healthcheck:"), "{name} has no health check");
        assert!(has("restart:") || has("<<: *kurir"), "{name} says nothing about restarts");
    }
    let volumes = below(&text, "volumes", 0);
    for (service, volume) in [("rabbitmq", "rabbitmq-data"), ("redis", "redis-data"), ("postgres", "postgres-data")] {
        assert!(volumes.contains_key(volume), "no volume {volume}");
        let mounted = services[service].iter().any(|line| line.contains(&format!("{volume}:/")));
        assert!(mounted, "{service} does not keep its data in {volume}");
    }
    assert!(services["redis"].iter().any(|line| line.contains("noeviction")), "Redis must not evict leases");
    assert_eq!(text.matches("config/rabbitmq/definitions.json:").count(), 1, "the policies are not loaded");
    assert!(services["rabbitmq"].iter().any(|line| line.contains("config/rabbitmq/advanced.config:/etc/rabbitmq/")));
}

#[test]
fn compose_has_no_secret_of_its_own() {
    let text = shipped("docker-compose.yml");
    let secret = |line: &str| ["PASS", "API_KEY", "ENCRYPTION_KEYS", "AUTH"].iter().any(|word| line.contains(word));
    let settings = text.lines().map(str::trim).filter(|line| !line.starts_with('#') && line.contains(": "));
    let mut seen = 0;
    for line in settings.filter(|line| line.split(": ").next().is_some_and(secret)) {
        assert!(line.contains("${") && line.contains(":?"), "not required from the environment: {line}");
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} secrets found");
}

#[test]
fn the_image_has_no_simulator_and_no_root() {
    let text = shipped("Dockerfile");
    assert!(!text.contains("--features"), "the image is built with the default features, which are none");
    let last = text.rsplit("\nFROM ").next().unwrap_or_default();
    assert!(last.contains("\nUSER 10001"), "the last stage runs as root");
    assert!(last.contains("\nHEALTHCHECK ") && last.contains("\"tini\""), "{last}");
}

#[test]
fn every_kind_of_queue_has_a_policy() {
    let text = shipped("config/rabbitmq/definitions.json");
    let policies: Vec<&str> = text.split("\"name\":").skip(1).collect();
    let policy = |name: &str| {
        let found = policies.iter().find(|policy| policy.trim_start().starts_with(&format!("\"{name}\"")));
        *found.unwrap_or_else(|| panic!("no policy {name}"))
    };
    // At-least-once dead-lettering refuses to work, and silently falls back, without `reject-publish`.
    for name in ["kurir-jobs", "kurir-delays"] {
        assert!(policy(name).contains("\"at-least-once\"") && policy(name).contains("\"reject-publish\""), "{name}");
    }
    // RabbitMQ applies a policy to a classic queue only if it knows every key of it.
    for key in ["dead-letter-strategy", "delivery-limit"] {
        assert!(!policy("kurir-jobs-classic").contains(key), "{key} keeps the policy from classic queues");
    }
    // An events queue that nobody reads must lose its oldest, not stop the fleet by refusing.
    for name in ["kurir-dead", "kurir-events"] {
        assert!(policy(name).contains("\"drop-head\"") && policy(name).contains("\"max-length\""), "{name}");
    }
    assert!(!text.contains("\"users\"") && !text.contains("password"), "policies only");
}

/// The digits in international form, for a default country of 62; nothing for what is no number.
fn international(number: &str) -> Option<String> {
    if number.chars().any(char::is_alphabetic) {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix("00") {
        Some(rest) => rest.to_owned(),
        None => digits.strip_prefix('0').map_or(digits.clone(), |rest| format!("62{rest}")),
    };
    (8..=15).contains(&digits.len()).then_some(digits)
}

#[test]
fn the_recipients_of_the_demo_are_what_it_promises() {
    let text = shipped("config/demo/recipients.csv");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("number,text"));
    let rows: Vec<(&str, &str)> = lines.map(|line| line.split_once(',').expect("two columns")).collect();
    assert_eq!(rows.len(), 205);

    let mut reachable: Vec<String> = Vec::new();
    let (mut missing, mut none) = (0, 0);
    for (number, _) in &rows {
        match international(number) {
            // What the simulator takes an ending for: 0000 has no WhatsApp, 9NNN is a fault.
            Some(digits) if digits.ends_with("0000") => missing += 1,
            Some(digits) => {
                assert!(!digits[digits.len() - 4..].starts_with('9'), "{number} asks for a fault");
                reachable.push(digits);
            }
            None => none += 1,
        }
    }
    reachable.sort();
    reachable.dedup();
    assert_eq!((reachable.len(), missing, none), (200, 3, 2));

    let mut codes: Vec<&str> = rows
        .iter()
        .filter_map(|(_, text)| text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6))
        .collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 205, "every row has a code of its own");
}
