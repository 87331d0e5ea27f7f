//! The paths that a source file names, in `use` trees and elsewhere, as seen from outside of the file.

use crate::lexer::is_word;

/// One path named somewhere in a file.
pub struct Named {
    /// `kurir_core::domain::Job`, `lapin::Channel`; `crate`, `self` and `super` are already replaced.
    pub path: String,
    pub line: usize,
    /// Inside a `#[cfg(test)]` module.
    pub in_test: bool,
    /// It began with `crate`, `self` or `super`.
    pub local: bool,
}

struct Scan<'a> {
    tokens: Vec<(&'a str, usize)>,
    at: usize,
    /// One entry per open brace: the inline module that it opens, and whether that is a test.
    open: Vec<(Option<&'a str>, bool)>,
    module: &'a str,
    found: Vec<Named>,
}

/// All paths of two or more parts, and all that `use` brings in. `module` is that of the file, such as
/// `kurir_core::policy::pace`.
pub fn paths_in(code: &str, module: &str) -> Vec<Named> {
    let mut scan = Scan { tokens: tokens(code), at: 0, open: Vec::new(), module, found: Vec::new() };
    while scan.at < scan.tokens.len() {
        scan.step();
    }
    scan.found
}

fn tokens(code: &str) -> Vec<(&str, usize)> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, tail) = rest.split_at(length);
            if !first.is_whitespace() {
                tokens.push((token, number + 1));
            }
            rest = tail;
        }
    }
    tokens
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

impl<'a> Scan<'a> {
    fn token(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.0)
    }

    fn in_test(&self) -> bool {
        self.open.iter().any(|open| open.1)
    }

    fn step(&mut self) {
        match self.token(0) {
            "mod" if is_name(self.token(1)) && self.token(2) == "{" => {
                let test = self.follows_cfg_test();
                self.open.push((Some(self.token(1)), test));
                self.at += 3;
            }
            "{" => {
                self.open.push((None, false));
                self.at += 1;
            }
            "}" => {
                self.open.pop();
                self.at += 1;
            }
            "use" => {
                self.at += 1;
                self.tree(Vec::new(), true);
            }
            "::" if is_name(self.token(1)) && !self.follows_a_path() => {
                self.at += 1;
                self.tree(Vec::new(), false);
            }
            name if is_name(name) && self.token(1) == "::" && !self.follows_a_path() => self.tree(Vec::new(), false),
            _ => self.at += 1,
        }
    }

    /// `a.b::<T>()` and `<T as A>::b` name nothing new.
    fn follows_a_path(&self) -> bool {
        let Some(before) = self.at.checked_sub(1).map(|at| self.tokens[at].0) else { return false };
        match self.token(0) {
            "::" => before == ">" || is_name(before),
            _ => matches!(before, "." | "::"),
        }
    }

    fn follows_cfg_test(&self) -> bool {
        let before: Vec<&str> = self.tokens[self.at.saturating_sub(16)..self.at].iter().map(|token| token.0).collect();
        let since = before.iter().rposition(|token| matches!(*token, ";" | "}" | "{")).map_or(0, |i| i + 1);
        before[since..].windows(4).any(|w| w == ["cfg", "(", "test", ")"])
    }

    /// Reads one path, or in a `use` a tree of paths. `stem` is what stands before it.
    fn tree(&mut self, stem: Vec<&'a str>, in_use: bool) {
        let mut parts = stem;
        let line = self.tokens.get(self.at).map_or(0, |token| token.1);
        if parts.is_empty() && in_use && self.token(0) == "::" {
            self.at += 1;
        }
        loop {
            match self.token(0) {
                "{" if in_use => {
                    self.at += 1;
                    while !matches!(self.token(0), "}" | "") {
                        self.tree(parts.clone(), true);
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" if in_use => self.at += 1,
                name if is_name(name) => {
                    parts.push(name);
                    self.at += 1;
                }
                // Something that is no path, as in a macro's pattern: step over it, or this would never end.
                _ => {
                    self.at += 1;
                    return;
                }
            }
            if self.token(0) != "::" || !(in_use || is_name(self.token(1))) {
                break;
            }
            self.at += 1;
        }
        if in_use && self.token(0) == "as" {
            self.at += 2;
        }
        self.found(&parts, line);
    }

    fn found(&mut self, parts: &[&str], line: usize) {
        let Some(first) = parts.first() else { return };
        let local = matches!(*first, "crate" | "self" | "super");
        let path = if local { self.absolute(parts) } else { parts.join("::") };
        self.found.push(Named { path, line, in_test: self.in_test(), local });
    }

    fn absolute(&self, parts: &[&str]) -> String {
        let mut module: Vec<&str> = self.module.split("::").collect();
        if parts[0] == "crate" {
            module.truncate(1);
        } else {
            module.extend(self.open.iter().filter_map(|open| open.0));
        }
        for part in parts {
            match *part {
                "crate" | "self" => {}
                "super" => drop(module.pop()),
                name => module.push(name),
            }
        }
        module.join("::")
    }
}
