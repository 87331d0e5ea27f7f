//! What people write is never HTML to a browser: neither on the pages of a dialect nor in its answers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::routes::{Named, routes};
use super::{escaped, world};
use crate::fixture::KEY;

/// Markup that would do something, in the forms that slip through.
const MARKUP: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'-alert(1)-'",
    "</title><svg/onload=alert(1)>",
    "javascript:alert(1)",
];

#[test]
fn markup_is_inert_in_every_answer() {
    for markup in MARKUP {
        let world = world();
        let it = &world.it;
        // Where kurir takes such words, they are what an operator calls things.
        for id in [world.instance.as_str(), "s1"] {
            let path = format!("/v1/sessions/{id}");
            let body = json!({"name": markup, "labels": {"x": markup}}).to_string();
            let head = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
            assert_eq!(it.call("PATCH", &path, &head, body.as_bytes()).status, 200);
        }
        let noted = json!({"id": "s1", "description": markup});
        it.ask_as(&[("X-Api-Key", KEY)], "PUT", "/api/admin/whatsapp-sessions", &noted);
        for route in routes() {
            for id in [markup, world.session_of(&route)] {
                let mut path = format!("{}?key={}", route.path_of(id), escaped(markup));
                let mut body: serde_json::Map<String, Value> =
                    route.fields.iter().map(|(name, _)| ((*name).to_owned(), json!(markup))).collect();
                if let Named::Field(name) = route.session {
                    body.insert(name.to_owned(), json!(id));
                }
                if route.has_query() {
                    for (name, value) in std::mem::take(&mut body) {
                        let _ = write!(path, "&{name}={}", escaped(value.as_str().unwrap()));
                    }
                }
                let key = [("X-Api-Key", KEY), ("X-Admin-Key", "admin123")];
                let body = if route.has_query() { Value::Null } else { Value::Object(body) };
                let answer = it.ask_as(&key, route.method, &path, &body);
                // JSON that no browser takes for a page, or a page without a word of it.
                route.check(&answer, &path);
                if answer.header("content-type") == Some("text/html; charset=utf-8") {
                    assert!(!answer.text().contains("alert(1)"), "{path}: {}", answer.text());
                    let policy = answer.header("content-security-policy").unwrap();
                    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
                }
            }
        }
    }
}

/// What the page is told, it shows as text: there is no way from an answer to markup.
#[test]
fn the_page_of_a_code_makes_no_markup() {
    let world = world();
    let script = world.it.ask("GET", "/dialects/otp/qr-page.js", &Value::Null).text();
    for way in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "srcdoc"] {
        assert!(!script.contains(way), "{way}");
    }
    assert!(script.contains("textContent"));
    let page = world.it.ask("GET", "/dialects/otp/api/sessions/s1/qr-page", &Value::Null).text();
    assert!(!page.contains("Rahasia") && !page.contains("onload"), "{page}");
}
