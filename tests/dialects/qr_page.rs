//! The page of the dialect `otp` that shows a code, in Chromium: a phone scans what is to be seen, the page says what comes of it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::chromium::chromium;
use crate::program::Program;
use crate::world::World;

const PHONE: &str = "6281100000098";

/// A window on one page.
struct Window(Program);

impl Window {
    /// `None`, after a message, where there is no browser: the test is then to end.
    async fn open(url: &str) -> Option<Self> {
        let chromium = chromium()?;
        let program = Program::start("page/browser.mjs", &[chromium.to_str().expect("a path of text")], &[])?;
        let mut window = Self(program);
        window.act(json!({"do": "open", "url": url})).await;
        Some(window)
    }

    async fn act(&mut self, order: Value) -> Value {
        self.0.send(&order).await;
        let mut answer = self.0.line(&order.to_string()).await;
        assert!(answer["error"].is_null(), "{order}: {}\n{}", answer["error"], answer["problems"]);
        answer["ok"].take()
    }

    async fn see(&mut self, text: &str) {
        self.act(json!({"do": "see", "in": "#status", "text": text})).await;
    }

    /// A picture of the window in `target/screenshots`.
    async fn shot(&mut self, name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
        let to: PathBuf = folder.join(format!("qr-page-{name}.png"));
        self.act(json!({"do": "shot", "to": to})).await;
        std::fs::read(&to).unwrap_or_else(|error| panic!("{}: {error}", to.display()))
    }

    /// Nothing was thrown or asked for elsewhere, and axe finds nothing serious. The console may tell of answers that are errors
    /// while there is no code yet: the page says so too.
    async fn all_is_well(&mut self) {
        assert_eq!(self.act(json!({"do": "axe"})).await, json!([]));
        let problems = self.act(json!({"do": "problems"})).await;
        let expected = |problem: &&Value| problem.as_str().is_some_and(|text| text.contains("status of 503"));
        let left: Vec<_> = problems.as_array().unwrap().iter().filter(|problem| !expected(problem)).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A phone scans what a picture of the window shows; gives the device's number.
async fn scan(world: &World, picture: &[u8]) -> u64 {
    let (status, device) = world.phones.post("/scan", json!({"image": STANDARD.encode(picture), "phone": PHONE})).await;
    assert_eq!(status, 200, "{device}");
    device["device"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_scans_the_page_and_the_page_says_so() {
    let world = World::start().await;
    let (status, made) = world.dialect("otp").post("/api/sessions/create", json!({"sessionId": "your-session"})).await;
    assert_eq!(status, 201, "{made}");
    let url = format!("{}/api/sessions/your-session/qr-page", world.address("otp"));
    let Some(mut window) = Window::open(&url).await else { return };
    window.act(json!({"do": "find", "role": "img", "name": "QR code untuk dipindai dengan WhatsApp"})).await;
    window.see("Pindai QR code ini").await;
    window.all_is_well().await;
    let picture = window.shot("scan").await;
    let device = scan(&world, &picture).await;
    window.see("Terhubung").await;
    assert_eq!(window.act(json!({"do": "count", "at": "#code:not([hidden])"})).await, 0, "the code is still there");
    window.all_is_well().await;
    window.shot("connected").await;

    world.log_out(PHONE, device).await;
    window.see("dikeluarkan dari ponsel").await;
    window.all_is_well().await;
    let picture = window.shot("logged-out").await;
    let again = scan(&world, &picture).await;
    assert_ne!(again, device);
    window.see("Terhubung").await;

    // On a small screen in the dark it is all there as well.
    window.act(json!({"do": "open", "url": url, "width": 360, "height": 640, "scheme": "dark"})).await;
    window.see("Terhubung").await;
    assert_eq!(window.act(json!({"do": "overflow"})).await, 0);
    window.all_is_well().await;
    window.shot("small-dark").await;
    world.stop().await;
}
