//! Keeps the project tidy: who may import whom, how long a file may be, which words have no place here, and that the
//! shipped files say what the program expects. Uses the standard library only, so that it is built in a moment.

mod check;
mod examples;
mod lexer;
mod paths;
mod rules;
mod shipped;

use std::fs;
use std::path::{Path, PathBuf};

/// Made by tools, or by running the program.
const NOT_OURS: &[&str] = &["target", ".git", "var", "node_modules"];

/// Where the project lies.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        let ours = !NOT_OURS.iter().any(|other| name.to_str() == Some(*other));
        if ours && kind.is_dir() {
            files_below(&entry.path(), found);
        } else if ours && kind.is_file() {
            found.push(entry.path());
        }
    }
}

#[test]
fn the_tree_is_tidy() {
    let mut files = Vec::new();
    files_below(root(), &mut files);
    assert!(files.len() > 50, "only {} files found below {}", files.len(), root().display());
    let mut complaints: Vec<String> = Vec::new();
    for file in files {
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        // What is not text has no rules.
        if let Ok(text) = String::from_utf8(fs::read(&file).unwrap()) {
            complaints.extend(check::check(&path, &text).iter().map(ToString::to_string));
        }
    }
    complaints.sort();
    assert!(complaints.is_empty(), "{} complaints:\n{}\n", complaints.len(), complaints.join("\n"));
}
