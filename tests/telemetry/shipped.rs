//! The dashboard and the alert rules ask for what there is.

use std::collections::BTreeSet;

use serde_json::Value;

fn shipped(path: &str) -> String {
    let whole = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every word in a text that is the name of a series of ours.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !word(c)).filter(|word| word.starts_with("kurir_")).map(str::to_owned).collect()
}

/// All names that Prometheus has of what is exported.
fn exported() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for series in kurir::telemetry::series() {
        if series.kind == "histogram" {
            names.extend(["_bucket", "_sum", "_count"].map(|tail| format!("{}{tail}", series.name)));
        } else {
            names.insert(series.name);
        }
    }
    names
}

/// Whether the parentheses and quotes of an expression match.
fn is_balanced(expression: &str) -> bool {
    let mut open = Vec::new();
    for c in expression.chars() {
        match c {
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                let fits = matches!((open.pop(), c), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}'));
                if !fits {
                    return false;
                }
            }
            _ => {}
        }
    }
    open.is_empty() && expression.matches('"').count().is_multiple_of(2)
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let dashboard: Value = serde_json::from_str(&shipped("config/dashboards/kurir.json")).expect("JSON");
    let (exported, mut asked, mut ids) = (exported(), BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: two panels of one id");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{title} is too wide");
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            assert!(is_balanced(expression), "{title}: {expression}");
            let names = named(expression);
            assert!(!names.is_empty() && names.is_subset(&exported), "{title}: {names:?}");
            asked.extend(names);
        }
    }
    assert!(asked.len() >= 15, "only {} series are shown", asked.len());
}

#[test]
fn the_alerts_watch_what_there_is_and_say_what_to_do() {
    let text = shipped("config/alerts.yml");
    let names = named(&text);
    let unknown: Vec<_> = names.difference(&exported()).cloned().collect();
    assert!(unknown.is_empty() && names.len() >= 8, "{unknown:?}");
    let rules: Vec<&str> = text.split("- alert: ").skip(1).collect();
    assert!(rules.len() >= 8, "only {} rules", rules.len());
    for rule in rules {
        let name = rule.lines().next().unwrap_or_default();
        let field = |key: &str| {
            let line = rule.lines().find_map(|line| line.trim().strip_prefix(key));
            line.unwrap_or_else(|| panic!("{name} has no {key}")).trim().to_owned()
        };
        assert!(is_balanced(&field("expr:")) && !named(&field("expr:")).is_empty(), "{name}");
        assert!(["page", "ticket"].contains(&field("severity:").as_str()), "{name}");
        for key in ["for:", "summary:", "description:"] {
            assert!(!field(key).is_empty(), "{name} has no {key}");
        }
    }
}
