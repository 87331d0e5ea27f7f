//! Chromium, for tests of pages. For tests that include this file by its path, beside `program.rs`.

use std::path::PathBuf;

use crate::program::skipped;

/// The browser's program. `None`, after a message, where there is none: the test is then to end.
pub fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|program| program.is_file());
    if found.is_none() {
        skipped("there is no `chromium` on the PATH: run tests/node/install");
    }
    found
}
