//! A browser window on a simulator's page.

use std::path::Path;

use kurir_sim::SimHandle;
use serde_json::{Value, json};

use crate::chromium::chromium;
use crate::program::Program;

/// One page in one browser.
pub struct Browser {
    program: Program,
    url: String,
}

impl Browser {
    /// Opens the page. `None`, after a message, where there is no browser: the test is then to end.
    pub async fn open(sim: &SimHandle) -> Option<Self> {
        let chromium = chromium()?;
        let program = Program::start("page/browser.mjs", &[chromium.to_str().expect("a path of text")], &[])?;
        let mut browser = Self { program, url: sim.control_url() };
        browser.act(json!({ "do": "open", "url": browser.url })).await;
        browser.see("#state", "live").await;
        Some(browser)
    }

    /// Another window of this size and scheme, at this place of the page.
    pub async fn reopen(&mut self, hash: &str, (width, height): (u32, u32), scheme: &str) {
        let url = format!("{}/{hash}", self.url);
        self.act(json!({ "do": "open", "url": url, "width": width, "height": height, "scheme": scheme })).await;
        self.see("#state", "live").await;
    }

    /// One order to the browser, and its answer.
    pub async fn act(&mut self, order: Value) -> Value {
        self.program.send(&order).await;
        let mut answer = self.program.line(&order.to_string()).await;
        assert!(
            answer["error"].is_null(),
            "{order}: {}\n{}",
            answer["error"].as_str().unwrap_or_default(),
            answer["problems"]
        );
        answer["ok"].take()
    }

    pub async fn go(&mut self, hash: &str) {
        self.act(json!({ "do": "go", "hash": hash })).await;
    }

    pub async fn fill(&mut self, label: &str, value: &str) {
        self.act(json!({ "do": "fill", "label": label, "value": value })).await;
    }

    pub async fn click(&mut self, role: &str, name: &str) {
        self.act(json!({ "do": "click", "role": role, "name": name })).await;
    }

    /// Waits until a text is to be seen in a part of the page.
    pub async fn see(&mut self, part: &str, text: &str) {
        self.act(json!({ "do": "see", "in": part, "text": text })).await;
    }

    /// Waits until a text is not to be seen in a part of the page.
    pub async fn miss(&mut self, part: &str, text: &str) {
        self.act(json!({ "do": "miss", "in": part, "text": text })).await;
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

    /// A picture of the window in `target/screenshots`.
    pub async fn shot(&mut self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
        let to = folder.join(format!("simulator-{name}.png"));
        self.act(json!({ "do": "shot", "to": to })).await;
        assert!(std::fs::metadata(&to).is_ok_and(|file| file.len() > 5000), "{} is no picture", to.display());
    }

    /// Nothing was thrown, said to the console or asked for elsewhere, and axe finds nothing serious.
    pub async fn all_is_well(&mut self) {
        assert_eq!(self.act(json!({ "do": "axe" })).await, json!([]));
        assert_eq!(self.act(json!({ "do": "problems" })).await, json!([]));
    }
}
