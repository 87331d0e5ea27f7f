//! Scenarios: faults in a file, each with the moment at which it comes.
//!
//! In TOML a scenario is a list of `[[faults]]`, in JSON an object with the list `faults`. An entry is a
//! fault as the control interface takes it, and may have `at_ms` and `after_messages` beside it.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::Fault;
use crate::error::SimError;

const MOST_STEPS: usize = 10_000;
/// Largest file, in bytes.
const LARGEST_FILE: u64 = 4 << 20;

/// A fault and when it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScenarioStep {
    /// Milliseconds after the scenario began; absent: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// Messages that devices handed in since the scenario began, taken or refused. With `at_ms` both
    /// have to be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_messages: Option<u64>,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
}

/// Faults in the order in which they are due when they are due together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Scenario {
    /// The faults.
    #[serde(rename = "faults")]
    pub steps: Vec<ScenarioStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlFile {
    faults: Vec<Spanned<toml::Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonFile {
    faults: Vec<serde_json::Map<String, serde_json::Value>>,
}

impl Scenario {
    /// Reads a scenario, in JSON if it begins with `{`, otherwise in TOML.
    pub fn parse(text: &str) -> Result<Self, SimError> {
        let steps = if text.trim_start().starts_with('{') { from_json(text)? } else { from_toml(text)? };
        if steps.len() > MOST_STEPS {
            return Err(wrong(None, format!("it has {} faults; {MOST_STEPS} are the most", steps.len())));
        }
        Ok(Self { steps })
    }

    /// Reads a scenario file.
    pub fn read(path: &Path) -> Result<Self, SimError> {
        let failed = |reason: String| SimError::BadScenario { place: path.display().to_string(), reason };
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > LARGEST_FILE {
            return Err(failed(format!("it has {size} bytes; {LARGEST_FILE} are the most")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(|error| match error {
            SimError::BadScenario { place, reason } => {
                SimError::BadScenario { place: format!("{}, {place}", path.display()), reason }
            }
            other => other,
        })
    }
}

fn wrong(place: Option<String>, reason: impl Into<String>) -> SimError {
    SimError::BadScenario { place: place.unwrap_or_else(|| "the whole".into()), reason: reason.into() }
}

fn from_json(text: &str) -> Result<Vec<ScenarioStep>, SimError> {
    let file: JsonFile = serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        wrong(Some(place), without_place(&error.to_string()))
    })?;
    let step = |(index, mut entry): (usize, serde_json::Map<String, serde_json::Value>)| {
        let bad = |reason: String| wrong(Some(format!("fault {}", index + 1)), reason);
        Ok(ScenarioStep {
            at_ms: json_trigger(&mut entry, "at_ms").map_err(bad)?,
            after_messages: json_trigger(&mut entry, "after_messages").map_err(bad)?,
            fault: serde_json::from_value(entry.into()).map_err(|error| bad(error.to_string()))?,
        })
    };
    file.faults.into_iter().enumerate().map(step).collect()
}

/// The library ends its messages with the place, which stands in front here.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(reason, _)| reason).to_owned()
}

fn json_trigger(entry: &mut serde_json::Map<String, serde_json::Value>, name: &str) -> Result<Option<u64>, String> {
    match entry.remove(name) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("`{name}` must be a whole number, not {value}")),
    }
}

fn from_toml(text: &str) -> Result<Vec<ScenarioStep>, SimError> {
    let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let file: TomlFile = toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| format!("line {}", line_of(span.start)));
        wrong(place, error.message())
    })?;
    // An entry goes on until the next one begins; its span is its heading alone.
    let starts: Vec<usize> = file.faults.iter().map(|entry| entry.span().start).collect();
    let step = |(index, entry): (usize, Spanned<toml::Table>)| {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        let written = text.get(starts[index]..end).unwrap_or_default();
        let mut entry = entry.into_inner();
        let bad = |reason: String| {
            let line = line_of(starts[index] + field_offset(written, &reason));
            wrong(Some(format!("fault {}, line {line}", index + 1)), reason)
        };
        Ok(ScenarioStep {
            at_ms: toml_trigger(&mut entry, "at_ms").map_err(bad)?,
            after_messages: toml_trigger(&mut entry, "after_messages").map_err(bad)?,
            fault: read_table(entry).map_err(bad)?,
        })
    };
    file.faults.into_iter().enumerate().map(step).collect()
}

fn read_table<T: DeserializeOwned>(table: toml::Table) -> Result<T, String> {
    toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

fn toml_trigger(entry: &mut toml::Table, name: &str) -> Result<Option<u64>, String> {
    match entry.remove(name) {
        None => Ok(None),
        Some(value) => value
            .as_integer()
            .and_then(|number| u64::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| format!("`{name}` must be a whole number, not {value}")),
    }
}

/// Where in an entry the field or value stands that an error names first; the entry's beginning if
/// nowhere.
fn field_offset(entry: &str, error: &str) -> usize {
    let Some(name) = error.split('`').nth(1).filter(|name| !name.is_empty()) else {
        return 0;
    };
    let is_field = |at: &usize| {
        let before = entry[..*at].trim_end_matches([' ', '\t']).chars().next_back();
        let after = entry[at + name.len()..].trim_start_matches([' ', '\t', '"']).chars().next();
        before.is_none_or(|c| "\n{,.\"".contains(c)) && after.is_some_and(|c| c == '=' || c == '.')
    };
    let field = entry.match_indices(name).map(|(at, _)| at).find(is_field);
    field.or_else(|| entry.find(&format!("\"{name}\""))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Effect, FaultRule, Moment};

    const GOOD: &str = r#"
# Everything is slow, then the connection goes.
[[faults]]
kind = "rule"
effect = { do = "slow_ack", delay_ms = 500 }
probability = 1

[[faults]]
at_ms = 2000
after_messages = 10
kind = "rule"
account = "15551230001"
effect = { do = "cut", moment = "after" }
stanza = { tag = "message", direction = "from_client" }

[[faults]]
at_ms = 3000
kind = "stream_error"
account = "15551230001"
device = 1
code = 503
"#;

    fn error(text: &str) -> String {
        Scenario::parse(text).expect_err("a bad scenario").to_string()
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let scenario = Scenario::parse(GOOD).expect("a good scenario");
        assert_eq!(scenario.steps.len(), 3);
        let [first, second, third] = &scenario.steps[..] else { panic!("three steps") };
        assert_eq!((first.at_ms, first.after_messages), (None, None));
        assert_eq!((second.at_ms, second.after_messages, third.at_ms), (Some(2000), Some(10), Some(3000)));
        let Fault::Rule(FaultRule { effect, .. }) = &second.fault else { panic!("a rule") };
        assert_eq!(*effect, Effect::Cut { moment: Moment::After });
        let json = serde_json::to_string(&scenario).expect("writes");
        assert_eq!(Scenario::parse(&json).expect("reads"), scenario);
    }

    #[test]
    fn the_example_of_the_manual_is_a_scenario() {
        let manual = include_str!("../../../docs/SIMULATOR.md");
        let (_, after) = manual.split_once("A scenario is a file").expect("the manual has an example");
        let lines = after.lines().skip(1).skip_while(|line| line.is_empty());
        let example = lines.map_while(|line| if line.is_empty() { Some("") } else { line.strip_prefix("    ") });
        let scenario = Scenario::parse(&example.collect::<Vec<_>>().join("\n")).expect("a good scenario");
        let [first, second] = &scenario.steps[..] else { panic!("{} faults", scenario.steps.len()) };
        assert_eq!((first.at_ms, second.after_messages), (Some(5000), Some(100)));
    }

    #[test]
    fn an_error_names_the_line_and_the_field() {
        let unknown = error(&GOOD.replace("probability", "probabilty"));
        assert!(unknown.contains("line 6") && unknown.contains("probabilty"), "{unknown}");
        let inner = error(&GOOD.replace("delay_ms", "delay"));
        assert!(inner.contains("line 5") && inner.contains("`delay`"), "{inner}");
        let number = error(&GOOD.replace("at_ms = 3000", "at_ms = \"soon\""));
        assert!(number.contains("line 17") && number.contains("at_ms"), "{number}");
        let missing = error(&GOOD.replace("code = 503", ""));
        assert!(missing.contains("fault 3") && missing.contains("`code`"), "{missing}");
        let syntax = error("[[faults]]\nkind = \"rule\nseed = 1");
        assert!(syntax.contains("line 2"), "{syntax}");
        let section = error("[[fault]]\nkind = \"rule\"");
        assert!(section.contains("line 1") && section.contains("faults"), "{section}");
    }

    #[test]
    fn an_error_in_json_names_the_fault_and_the_field() {
        let text =
            r#"{"faults":[{"kind":"rule","effect":{"do":"cut"}},{"kind":"rule","effect":{"do":"cut"},"time":1}]}"#;
        let unknown = error(text);
        assert!(unknown.contains("fault 2") && unknown.contains("`time`"), "{unknown}");
        let syntax = error("{\"faults\":[\n{\"kind\":}]}");
        assert!(syntax.contains("line 2"), "{syntax}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Scenario::read(Path::new("no/such/file.toml")).expect_err("no file").to_string();
        assert!(error.contains("no/such/file.toml"), "{error}");
    }
}
