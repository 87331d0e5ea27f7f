use serde_json::{Value, json};

use super::ask;
use crate::fixture::Fixture;

#[test]
fn the_page_and_its_files_come_from_here_alone() {
    let it = Fixture::new();
    let page = ask(&it, "GET", "/", &Value::Null);
    assert!(page.text().contains("<html lang=\"id\">"), "{}", page.text());
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    for own in ["/", "/page.js", "/page.css"] {
        let text = ask(&it, "GET", own, &Value::Null).text();
        assert!(!text.contains("http:") && !text.contains("https:"), "{own} names another host");
        assert!(!text.contains("innerHTML"), "{own}");
    }
    let named = |text: &str| page.text().contains(text);
    for file in ["page.js", "page.css", "qrcode.js", "socket.io/socket.io.js"] {
        assert!(named(&format!("\"{file}\"")), "{file}");
        let served = ask(&it, "GET", &format!("/{file}"), &Value::Null);
        assert_eq!((served.status, served.header("x-content-type-options")), (200, Some("nosniff")), "{file}");
    }
}

#[test]
fn the_page_stands_in_a_folder() {
    let it = Fixture::new();
    let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().into();
    let moved = agent.get(it.url("/dialects/socketio?key=x")).call().unwrap();
    assert_eq!(
        (moved.status().as_u16(), moved.headers()["location"].to_str().unwrap()),
        (308, "/dialects/socketio/?key=x")
    );
}

#[test]
fn the_client_that_is_served_is_the_one_that_is_tested() {
    let it = Fixture::new();
    let tested: Value = serde_json::from_str(include_str!("../../../node/package.json")).unwrap();
    let version = tested["dependencies"]["socket.io-client"].as_str().unwrap();
    for file in ["/socket.io/socket.io.js", "/socket.io/socket.io.min.js"] {
        let client = ask(&it, "GET", file, &json!(null)).text();
        assert!(client.contains(&format!("Socket.IO v{version}\n")), "{file} is not {version}");
        assert!(client.contains("Released under the MIT License"), "{file}");
    }
}
