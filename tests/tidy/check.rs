//! Holds one file against the tables.

use std::fmt;

use crate::lexer::{code_of, is_word};
use crate::paths::{Named, paths_in};
use crate::rules::{BANNED, EMPTY_NAMES, MANIFESTS, MAX_LINES, Place, ROOMS, Room, SLEEP_PERMIT, VENDORS};

pub struct Complaint {
    pub rule: &'static str,
    file: String,
    line: usize,
    text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.file, self.line, self.text, self.rule)
    }
}

struct File<'a> {
    path: &'a str,
    complaints: Vec<Complaint>,
}

impl File<'_> {
    fn complain(&mut self, rule: &'static str, line: usize, text: String) {
        self.complaints.push(Complaint { rule, file: self.path.to_owned(), line, text });
    }
}

/// Everything that is wrong with a file; `path` is relative to the project, with `/`.
pub fn check(path: &str, text: &str) -> Vec<Complaint> {
    let mut file = File { path, complaints: Vec::new() };
    names(&mut file);
    manifest(&mut file, text);
    if !path.starts_with("tests/tidy/") && !path.ends_with("Cargo.lock") {
        banned_text(&mut file, text);
    }
    if path.rsplit('.').next() == Some("rs") {
        let code = code_of(text);
        let module = module_of(path);
        budget(&mut file, text);
        banned_code(&mut file, &code, module.as_deref());
        let paths = paths_in(&code, module.as_deref().unwrap_or("test"));
        if let Some(module) = &module {
            imports(&mut file, module, &paths);
            vendors(&mut file, module, &paths);
        }
        sleeps(&mut file, text, &code, module.as_deref());
    }
    file.complaints
}

/// `core/src/policy/pace.rs` is `kurir_core::policy::pace`; files outside of the `src` folders have no module.
fn module_of(path: &str) -> Option<String> {
    if path == "src/main.rs" {
        return Some("main".to_owned());
    }
    let packages =
        [("core/src/", "kurir_core"), ("workers/src/", "kurir_workers"), ("sim/src/", "kurir_sim"), ("src/", "kurir")];
    let (folder, package) = packages.into_iter().find(|(folder, _)| path.starts_with(folder))?;
    let inner = path[folder.len()..].strip_suffix(".rs")?;
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    Some(if inner == "lib" { package.to_owned() } else { format!("{package}::{}", inner.replace('/', "::")) })
}

fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn room_of(module: &str) -> Option<&'static Room> {
    ROOMS.iter().filter(|room| within(module, room.module)).max_by_key(|room| room.module.len())
}

fn imports(file: &mut File, module: &str, paths: &[Named]) {
    let Some(room) = room_of(module).filter(|room| !is_new(module, room)) else {
        let text = format!("{module} is in no room of the architecture; add it to ROOMS with what it may import");
        file.complain("no-room", 1, text);
        return;
    };
    for named in paths {
        let Some(other) = room_of(&named.path) else { continue };
        let in_test = named.in_test || module.ends_with("::tests");
        let allows = |list: &[&str]| list.iter().any(|path| within(&named.path, path));
        if other.module != room.module && !allows(room.may) && !(in_test && allows(room.tests_may)) {
            let text = format!("{} must not import {}; it may import {:?}", room.module, named.path, room.may);
            file.complain("import", named.line, text);
        }
    }
}

/// Whether a module stands beside the rooms of a package instead of in one of them.
fn is_new(module: &str, room: &Room) -> bool {
    let divided = ROOMS.iter().any(|other| other.module != room.module && within(other.module, room.module));
    divided && module != room.module
}

fn vendors(file: &mut File, module: &str, paths: &[Named]) {
    for (crates, rooms) in VENDORS {
        if rooms.iter().any(|room| within(module, room)) {
            continue;
        }
        for named in paths.iter().filter(|named| !named.local) {
            let first = named.path.split("::").next().unwrap_or_default();
            // `use crate::adapters::redis;` makes `redis::` ours.
            let renamed = paths.iter().any(|other| other.local && other.path.rsplit("::").next() == Some(first));
            if crates.contains(&first) && !renamed {
                file.complain("vendor", named.line, format!("{first} is known to {rooms:?} only, not to {module}"));
            }
        }
    }
}

fn names(file: &mut File) {
    let path = file.path.to_owned();
    for part in path.split('/') {
        let stem = part.split('.').next().unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) {
            file.complain("name", 1, format!("{stem} says nothing about what is inside; name it after that"));
        }
    }
}

fn budget(file: &mut File, text: &str) {
    let lines = text.lines().count();
    if lines > MAX_LINES {
        file.complain("budget", lines, format!("{lines} lines, {MAX_LINES} at most; split it by meaning"));
    }
}

fn manifest(file: &mut File, text: &str) {
    let Some((_, forbidden)) = MANIFESTS.iter().find(|(path, _)| *path == file.path) else { return };
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        }
        // `name = …`, `name.workspace = …` and `[dependencies.name]`
        let named =
            line.strip_prefix("[dependencies.").or((section == "[dependencies]").then_some(line)).unwrap_or_default();
        let name = named.split(['.', '=', ' ', ']']).next().unwrap_or_default();
        if forbidden.contains(&name) {
            file.complain("manifest", number + 1, format!("this package must not depend on {name}"));
        }
    }
}

fn banned_text(file: &mut File, text: &str) {
    for rule in BANNED.iter().filter(|rule| matches!(rule.place, Place::Text)) {
        for (number, line) in text.lines().enumerate() {
            for word in rule.words.iter().filter(|word| has_word(line, word)) {
                file.complain(rule.rule, number + 1, format!("{word}: {}", rule.why));
            }
        }
    }
}

fn banned_code(file: &mut File, code: &str, module: Option<&str>) {
    for rule in BANNED {
        let counts = match rule.place {
            Place::Code => true,
            Place::Module(inside) => module.is_some_and(|module| within(module, inside)),
            Place::Text => false,
        };
        for (number, line) in code.lines().enumerate().filter(|_| counts) {
            for word in rule.words.iter().filter(|word| has_word(line, word)) {
                file.complain(rule.rule, number + 1, format!("{word}: {}", rule.why));
            }
        }
    }
}

/// Whether `word` stands in the line and is not a part of longer words.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, found)| {
        let joins = |outer: Option<char>, inner: Option<char>| outer.is_some_and(is_word) && inner.is_some_and(is_word);
        !joins(line[..at].chars().next_back(), found.chars().next())
            && !joins(line[at + found.len()..].chars().next(), found.chars().next_back())
    })
}

/// A test waits for a state with a deadline; it doesn't hope that a time was long enough.
fn sleeps(file: &mut File, text: &str, code: &str, module: Option<&str>) {
    let tests_from = match module {
        None => 0,
        Some(module) if module.ends_with("::tests") => 0,
        Some(_) => code.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX),
    };
    for (number, (raw, line)) in text.lines().zip(code.lines()).enumerate() {
        let permitted = raw.split_once(SLEEP_PERMIT).is_some_and(|(_, reason)| !reason.trim().is_empty());
        if number >= tests_from && has_word(line, "sleep(") && !permitted {
            let text =
                format!("a test waits for a state, with a deadline; if it must sleep, say why: {SLEEP_PERMIT}<reason>");
            file.complain("sleep", number + 1, text);
        }
    }
}
