//! A browser window on the admin page.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chromium::chromium;
use crate::program::Program;

/// How long a state of the page may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sizes in which every page must be good: of a desk and of a small phone.
const SIZES: [(u32, u32); 2] = [(1280, 860), (360, 780)];

/// One window.
pub struct Browser {
    program: Program,
    base: String,
}

impl Browser {
    /// Opens a page. `None`, after a message, where there is no browser: the test is then to end.
    pub async fn open(base: &str, path: &str) -> Option<Self> {
        let chromium = chromium()?;
        let program = Program::start("page/browser.mjs", &[chromium.to_str().expect("a path of text")], &[])?;
        let mut browser = Self { program, base: base.to_owned() };
        let (width, height) = SIZES[0];
        let url = format!("{base}{path}");
        browser.act(json!({ "do": "open", "url": url, "width": width, "height": height })).await;
        Some(browser)
    }

    /// One order to the browser, and its answer.
    pub async fn act(&mut self, order: Value) -> Value {
        self.program.send(&order).await;
        let mut answer = self.program.line(order["do"].as_str().unwrap_or_default()).await;
        assert!(
            answer["error"].is_null(),
            "{order}: {}\n{}",
            answer["error"].as_str().unwrap_or_default(),
            answer["problems"]
        );
        answer["ok"].take()
    }

    /// Another page, with what the browser has kept.
    pub async fn visit(&mut self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.act(json!({ "do": "visit", "url": url })).await;
    }

    pub async fn sign_in(&mut self, user: &str, password: &str) {
        self.act(json!({ "do": "fill", "at": "input[name=user]", "value": user })).await;
        self.act(json!({ "do": "fill", "at": "input[name=password]", "value": password })).await;
        self.act(json!({ "do": "click", "at": "main button[type=submit]" })).await;
        self.find("header nav").await;
    }

    pub async fn fill(&mut self, label: &str, value: &str) {
        self.act(json!({ "do": "fill", "label": label, "value": value })).await;
    }

    pub async fn click(&mut self, role: &str, name: &str) {
        self.act(json!({ "do": "click", "role": role, "name": name })).await;
    }

    /// Waits until something is there.
    pub async fn find(&mut self, at: &str) {
        self.act(json!({ "do": "find", "at": at })).await;
    }

    /// Waits until a text is to be seen in a part of the page.
    pub async fn see(&mut self, part: &str, text: &str) {
        self.act(json!({ "do": "see", "in": part, "text": text })).await;
    }

    /// Waits until a text is not to be seen in a part of the page, or that part is gone.
    pub async fn miss(&mut self, part: &str, text: &str) {
        self.act(json!({ "do": "miss", "in": part, "text": text })).await;
    }

    pub async fn text(&mut self, at: &str) -> String {
        self.act(json!({ "do": "text", "at": at })).await.as_str().expect("a text").to_owned()
    }

    pub async fn press(&mut self, key: &str) {
        self.act(json!({ "do": "press", "key": key })).await;
    }

    /// Presses Tab until the thing of this name has the focus.
    pub async fn tab_to(&mut self, name: &str) {
        for _ in 0..60 {
            if self.act(json!({ "do": "focus" })).await == name {
                return;
            }
            self.press("Tab").await;
        }
        panic!("the keyboard does not reach {name}");
    }

    /// Waits until the thing of this name has the focus.
    pub async fn focused(&mut self, name: &str) {
        let begun = Instant::now();
        loop {
            let found = self.act(json!({ "do": "focus" })).await;
            if found == name {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{found} has the focus, not {name}");
        }
    }

    /// Looks at what is shown now in all sizes and colours: nothing is wider than the window, axe finds nothing serious, nothing
    /// was said to the console or asked for elsewhere. Leaves pictures in `target/screenshots`.
    pub async fn looks_well(&mut self, name: &str) {
        for scheme in ["light", "dark"] {
            for (width, height) in SIZES {
                self.act(json!({ "do": "resize", "width": width, "height": height, "scheme": scheme })).await;
                let what = format!("{name}-{width}-{scheme}");
                self.shot(&what).await;
                assert_eq!(self.act(json!({ "do": "overflow" })).await, 0, "{what} is wider than the window");
                assert_eq!(self.act(json!({ "do": "axe" })).await, json!([]), "{what}");
            }
        }
        let (width, height) = SIZES[0];
        self.act(json!({ "do": "resize", "width": width, "height": height, "scheme": "light" })).await;
        assert_eq!(self.act(json!({ "do": "problems" })).await, json!([]), "{name}");
    }

    async fn shot(&mut self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
        let to = folder.join(format!("admin-{name}.png"));
        self.act(json!({ "do": "shot", "to": to })).await;
        assert!(std::fs::metadata(&to).is_ok_and(|file| file.len() > 5000), "{} is no picture", to.display());
    }
}
