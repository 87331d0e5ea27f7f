//! A browser window on a dialect's page.

use std::path::Path;

use serde_json::{Value, json};

use crate::chromium::chromium;
use crate::program::Program;

/// One page in one browser.
pub struct Browser(Program);

impl Browser {
    /// A browser. `None`, after a message, where there is none: the test is then to end.
    pub fn start() -> Option<Self> {
        let chromium = chromium()?;
        Program::start("page/browser.mjs", &[chromium.to_str().expect("a path of text")], &[]).map(Self)
    }

    /// A window of this size and scheme, at this address.
    pub async fn open(&mut self, url: &str, (width, height): (u32, u32), scheme: &str) {
        self.act(json!({"do": "open", "url": url, "width": width, "height": height, "scheme": scheme})).await;
    }

    /// One order to the browser, and its answer.
    pub async fn act(&mut self, order: Value) -> Value {
        self.0.send(&order).await;
        let mut answer = self.0.line(&order.to_string()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(answer["error"].is_null(), "{order}: {error}\n{}", answer["problems"]);
        answer["ok"].take()
    }

    /// Waits until a text is to be seen in a part of the page.
    pub async fn see(&mut self, part: &str, text: &str) {
        self.act(json!({"do": "see", "in": part, "text": text})).await;
    }

    pub async fn click(&mut self, role: &str, name: &str) {
        self.act(json!({"do": "click", "role": role, "name": name})).await;
    }

    /// A picture of the window in `target/screenshots`.
    pub async fn shot(&mut self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
        let to = folder.join(format!("socketio-{name}.png"));
        self.act(json!({"do": "shot", "to": to})).await;
        assert!(std::fs::metadata(&to).is_ok_and(|file| file.len() > 5000), "{} is no picture", to.display());
    }

    /// Nothing was thrown, said to the console or asked for elsewhere, nothing stands beyond the window's edge, and axe finds
    /// nothing serious.
    pub async fn all_is_well(&mut self) {
        assert_eq!(self.act(json!({"do": "axe"})).await, json!([]));
        assert_eq!(self.act(json!({"do": "overflow"})).await, json!(0));
        assert_eq!(self.act(json!({"do": "problems"})).await, json!([]));
    }
}
