//! Requests as one of the manuals writes them, as commands of curl:
//!
//! ```text
//! POST /api/send-message
//! Headers: X-API-Key: wa_abc123
//! Body: {
//!   "number": "628123456789"
//! }
//! ```
//!
//! Another one leaves `Headers:` and `Body:` away. Lines that begin with `#` or `//` say something to the reader.

use tokio::process::Command;

/// The command for the request in this text.
pub fn curl(text: &str, server: &str) -> Command {
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("//"));
    let first = lines.by_ref().find(|line| !line.trim().is_empty()).expect("a request");
    let (method, path) = first.split_once(' ').unwrap_or_else(|| panic!("no method and path: {first}"));
    let mut command = Command::new("curl");
    command.args(["-X", method]).arg(format!("{server}{path}"));
    let mut body = String::new();
    for line in lines {
        let line = line.strip_prefix("Body: ").or_else(|| line.strip_prefix("Headers: ")).unwrap_or(line);
        let is_header = body.is_empty() && line.chars().next().is_some_and(char::is_alphabetic);
        if is_header {
            command.args(["-H", line]);
        } else if !(body.is_empty() && line.trim().is_empty()) {
            body.push_str(line);
            body.push('\n');
        }
    }
    if !body.is_empty() {
        command.args(["-H", "Content-Type: application/json", "-d", &body]);
    }
    command
}

#[test]
fn a_request_is_its_method_path_headers_and_body() {
    let arguments = |text| {
        let command = curl(text, "http://x");
        command.as_std().get_args().map(|part| part.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let text = "# From somewhere.\n\nPOST /a\nHeaders: K: v\nX-Y: z\nBody: {\n  \"n\": 1\n}\n# So much.\n";
    let json = ["-H", "Content-Type: application/json", "-d", "{\n  \"n\": 1\n}\n"];
    assert_eq!(arguments(text), [&["-X", "POST", "http://x/a", "-H", "K: v", "-H", "X-Y: z"], &json[..]].concat());
    assert_eq!(
        arguments("// Say.\nPOST /a?b=c\n{\n  \"n\": 1\n}"),
        [&["-X", "POST", "http://x/a?b=c"], &json[..]].concat()
    );
    assert_eq!(arguments("GET /a"), ["-X", "GET", "http://x/a"]);
}
