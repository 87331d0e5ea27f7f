//! The layers of settings and how they are laid over each other. Each value remembers where it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::problem::{Origin, Problem};

/// Every setting with its default; the reference for operators and for this code alike.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The settings whose values are never shown.
pub const SECRET_KEYS: [&str; 7] = [
    "store.encryption_keys",
    "postgres.url",
    "rabbitmq.url",
    "redis.url",
    "redis.pepper",
    "gateway.api_key",
    "dialects.multi.admin_key",
];

/// Variables of the environment with this prefix and a `__` are settings.
const PREFIX: &str = "KURIR_";

/// Where settings come from, beside the defaults. The later part wins, within a part the later entry.
#[derive(Clone, Default)]
pub struct Sources {
    /// A TOML text that is compiled in, with the name of its file; it lies below the files.
    pub built_in: Option<(&'static str, &'static str)>,
    /// TOML files.
    pub files: Vec<PathBuf>,
    /// Variables of the environment; those that are none of ours are passed over.
    pub environment: Vec<(String, String)>,
    /// `section.key=value` of the flags.
    pub flags: Vec<String>,
}

impl Sources {
    /// With the environment of this process. A variable that is no UTF-8 keeps replacement characters, so that it is
    /// refused where its value is checked.
    pub fn of_process(files: Vec<PathBuf>, flags: Vec<String>) -> Self {
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { built_in: None, files, environment, flags }
    }
}

/// One setting as it was given.
#[derive(Clone)]
pub(super) struct Given {
    pub value: Value,
    pub origin: Origin,
}

impl Given {
    /// The value for an error, unless it must not be shown.
    pub fn show(&self, key: &str) -> String {
        const LONGEST: usize = 80;
        if SECRET_KEYS.contains(&key) {
            return "[secret]".to_owned();
        }
        let text = match &self.value {
            Value::String(text) => format!("{text:?}"),
            other => other.to_string(),
        };
        // An address with a password that was put into the wrong setting.
        if text.contains("://") && text.contains('@') {
            return "[secret]".to_owned();
        }
        if text.chars().count() > LONGEST {
            return text.chars().take(LONGEST).chain("…".chars()).collect();
        }
        text
    }
}

/// All settings, flat: `worker.lease_ttl` and so on.
pub(super) type Settings = BTreeMap<String, Given>;

/// Lays all layers over each other. Settings that nobody knows, and sources that can't be read, become problems and
/// are left out.
pub(super) fn gather(sources: &Sources) -> Layers {
    let mut layers = Layers::of_defaults();
    if let Some((name, text)) = sources.built_in {
        layers.lay_toml(name.to_owned(), text);
    }
    for path in &sources.files {
        layers.lay_file(path);
    }
    layers.lay_environment(&sources.environment);
    for (at, flag) in sources.flags.iter().enumerate() {
        if let Some((key, text)) = flag.split_once('=') {
            layers.lay_text(key.trim(), text, &Origin::Flag);
        } else {
            // What stands there may be a secret in the wrong place, so it is not repeated.
            layers.complain(
                format!("--set number {}", at + 1),
                None,
                "no `=` in it; write --set section.key=value".into(),
            );
        }
    }
    layers
}

/// The settings while they are put together.
pub(super) struct Layers {
    /// What is compiled in.
    pub defaults: Settings,
    /// What the layers so far say.
    pub settings: Settings,
    /// What was wrong with the layers so far.
    pub problems: Vec<Problem>,
}

impl Layers {
    fn of_defaults() -> Self {
        let mut defaults = Settings::new();
        // The text is ours, and a test reads it.
        let table: Table = DEFAULTS.parse().unwrap_or_default();
        flatten("", &table, &mut |key, value| {
            defaults.insert(key, Given { value: value.clone(), origin: Origin::Default });
        });
        Self { settings: defaults.clone(), defaults, problems: Vec::new() }
    }

    fn complain(&mut self, key: String, origin: Option<Origin>, advice: String) {
        self.problems.push(Problem { key, value: None, origin, advice });
    }

    fn lay_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => self.lay_toml(name, &text),
            Err(error) => self.complain(name, None, format!("the file can't be read: {error}")),
        }
    }

    fn lay_toml(&mut self, name: String, text: &str) {
        match text.parse::<Table>() {
            Ok(table) => {
                let origin = Origin::File(name);
                flatten("", &table, &mut |key, value| self.lay(key, value.clone(), &origin));
            }
            Err(error) => self.complain(place_of(&name, text, &error), None, not_toml(&error)),
        }
    }

    fn lay_environment(&mut self, variables: &[(String, String)]) {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let origin = Origin::Environment(name.clone());
            if rest.contains("__") {
                self.lay_text(&rest.to_ascii_lowercase().replace("__", "."), text, &origin);
            } else if let Some(meant) =
                self.defaults.keys().map(|key| variable_of(key)).find(|known| known.replace("__", "_") == *name)
            {
                // Others with the prefix may be anybody's: container platforms invent names like KURIR_GATEWAY_PORT.
                let advice = format!("the section and the key are separated by two underscores: {meant}");
                self.complain(name.clone(), None, advice);
            }
        }
    }

    /// A value given as text takes the type that the setting has by default; what does not fit stays a text, and is
    /// refused when it is read.
    fn lay_text(&mut self, key: &str, text: &str, origin: &Origin) {
        let value = match self.defaults.get(key).map(|given| &given.value) {
            Some(Value::Integer(_)) => text.trim().parse().ok().map(Value::Integer),
            Some(Value::Boolean(_)) => text.trim().parse().ok().map(Value::Boolean),
            _ => None,
        };
        self.lay(key.to_owned(), value.unwrap_or_else(|| Value::String(text.to_owned())), origin);
    }

    fn lay(&mut self, key: String, value: Value, origin: &Origin) {
        if let Some(given) = self.settings.get_mut(&key) {
            *given = Given { value, origin: origin.clone() };
            return;
        }
        let section = format!("{key}.");
        let known = || self.defaults.keys().map(String::as_str);
        let advice = if known().any(|known| known.starts_with(&section)) {
            format!("this is a section, not a setting; write [{key}] and its settings below")
        } else {
            nearest(&key, known())
                .map_or_else(|| "no such setting".to_owned(), |meant| format!("no such setting; did you mean {meant}?"))
        };
        // The value is not shown: it may be a secret under a misspelt name.
        self.complain(key, Some(origin.clone()), advice);
    }
}

/// The file with the line and the column; not the line itself, which may hold a password.
fn place_of(name: &str, text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return name.to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{name}:{line}:{column}")
}

fn not_toml(error: &toml::de::Error) -> String {
    let what = error.message().lines().next().unwrap_or_default();
    format!("not TOML: {what}; texts and spans of time stand in quotes, like lease_ttl = \"30s\"")
}

/// The variable of a setting.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// The known setting that looks most like `key`, if one does.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |candidate: &str| {
        let whole = strsim::normalized_damerau_levenshtein(key, candidate);
        // The right name in the wrong section.
        let name = if last(key) == last(candidate) { 0.75 } else { 0.0 };
        whole.max(name)
    };
    known
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn flatten(prefix: &str, table: &Table, visit: &mut impl FnMut(String, &Value)) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => flatten(&key, inner, visit),
            // An empty section says nothing.
            Value::Table(_) => {}
            value => visit(key, value),
        }
    }
}

/// The nested form of flat settings, for reading into types.
pub(super) fn nest(settings: &Settings) -> Table {
    let mut root = Table::new();
    for (key, given) in settings {
        let mut parts: Vec<&str> = key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let mut table = &mut root;
        for part in parts {
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else { unreachable!("a section's name is never a setting's name") };
            table = inner;
        }
        table.insert(last.to_owned(), given.value.clone());
    }
    root
}
