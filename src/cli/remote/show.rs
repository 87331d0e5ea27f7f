//! Answers on the terminal.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::Value;

/// How answers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

impl Output {
    /// Whether it is JSON; `flag`: an option of before says so too.
    pub fn json(self, flag: bool) -> bool {
        flag || self == Self::Json
    }
}

/// A table with this head.
pub fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(head);
    table
}

/// A field as text; empty where there is none. What comes over the network must not steer the terminal.
pub fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Array(list) => {
            list.iter().map(|one| plain(one.as_str().unwrap_or_default())).collect::<Vec<_>>().join(" ")
        }
        other => plain(&other.to_string()),
    }
}

/// Without control characters.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// One thing with all that is known of it, a field a line.
pub fn sheet(head: [&str; 2], value: &Value) -> Table {
    let mut table = table(head);
    for (field, part) in value.as_object().into_iter().flatten() {
        let told = match part {
            Value::Null => continue,
            // What is unknown, or as always, is not worth a line.
            Value::Object(map) if map.values().all(Value::is_null) => continue,
            Value::Object(map) => map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| match value.as_str() {
                    Some(value) => format!("{}={}", plain(key), plain(value)),
                    None => format!("{}={}", plain(key), plain(&value.to_string())),
                })
                .collect::<Vec<_>>()
                .join("\n"),
            Value::Array(list) if list.iter().any(Value::is_object) => {
                list.iter().map(|one| plain(&one.to_string())).collect::<Vec<_>>().join("\n")
            }
            _ => text(value, field),
        };
        table.add_row([plain(field), told]);
    }
    table
}

/// One thing, as it was asked for.
pub fn one(output: Output, head: [&str; 2], value: &Value) {
    match output {
        Output::Json => println!("{value:#}"),
        Output::Table => println!("{}", sheet(head, value)),
    }
}
