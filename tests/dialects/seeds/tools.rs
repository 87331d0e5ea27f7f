//! The programs that the manuals' commands are written for. `tests/dialects/install` installs them.

use std::ffi::OsString;
use std::process::Stdio;

use tokio::process::Command;

use crate::program::{packages, skipped};

/// The distribution's Python, which has its packages; not one that a version manager put before it.
const PYTHON: &str = "/usr/bin/python3";

/// Which of them there are.
pub struct Tools {
    node_packages: Option<OsString>,
    python: bool,
    php: bool,
}

impl Tools {
    /// `None`, after a message, without curl and jq, which are needed everywhere. What else is missing is told as well.
    pub async fn look() -> Option<Self> {
        if !(runs("curl", &["--version"]).await && runs("jq", &["--version"]).await) {
            missing("curl and jq");
            return None;
        }
        let node = runs("node", &["--version"]).await;
        if !node {
            skipped("there is no `node` on the PATH: run tests/node/install");
        }
        let node_packages =
            if node { packages().map(|folder| folder.join("node_modules").into_os_string()) } else { None };
        let python = runs(PYTHON, &["-c", "import requests"]).await;
        if !python {
            missing("Python's requests");
        }
        let php = runs("php", &["-r", "exit(function_exists('curl_init') ? 0 : 1);"]).await;
        if !php {
            missing("PHP with curl");
        }
        Some(Self { node_packages, python, php })
    }

    /// Where Node's packages are.
    pub fn node_packages(&self) -> Option<&OsString> {
        self.node_packages.as_ref()
    }

    pub fn python(&self) -> Option<&'static str> {
        self.python.then_some(PYTHON)
    }

    pub fn php(&self) -> Option<&'static str> {
        self.php.then_some("php")
    }
}

fn missing(what: &str) {
    skipped(&format!("{what} is missing, so a part of it: run tests/dialects/install"));
}

async fn runs(program: &str, arguments: &[&str]) -> bool {
    let ran = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    ran.is_ok_and(|status| status.success())
}
