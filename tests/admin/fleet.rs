//! The fleet's, the verifications' and the limits' pages in a browser: charts are drawn, everything can be read and reached on a
//! phone and on a desk, in light and in dark.

use std::path::Path;

use serde_json::Value;

use crate::chromium::chromium;
use crate::program::Program;

/// Looks that the program takes: three pages, two colour schemes, two widths.
const LOOKS: u64 = 12;

/// Looks at the pages of a gateway at this address (`http://host:port`) as this user, an operator. Something must have been sent
/// in the last hour. Does nothing, after a message, where there is no browser.
pub async fn pages_can_be_read_and_charts_are_drawn(address: &str, user: &str, password: &str) {
    let Some(chromium) = chromium() else { return };
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
    let chromium = chromium.to_str().expect("a plain path");
    let pictures = pictures.to_str().expect("a plain path");
    let environment = [("KURIR_PASSWORD", password)];
    let arguments = [chromium, address, user, pictures];
    let Some(mut program) = Program::start("admin/fleet.mjs", &arguments, &environment) else { return };
    let mut wrong = Vec::new();
    // One line for each look, and one at the end.
    for _ in 0..=LOOKS {
        let said = program.line("a look at a page").await;
        if let Some(looks) = said["done"].as_u64() {
            assert_eq!((looks, wrong.as_slice()), (LOOKS, &[] as &[Value]), "{wrong:#?}");
            return;
        }
        wrong.extend(said["wrong"].as_array().cloned().unwrap_or_default());
    }
    panic!("the program looks at more pages than it should; wrong so far: {wrong:#?}");
}
