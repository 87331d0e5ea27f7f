//! Requests to the control interface, byte by byte.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::client::PATIENCE;

/// What came back.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        parse(&self.body)
    }

    /// The code of a problem, which must come in its media type.
    pub fn code(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let code = problem["code"].as_str().expect("a code");
        assert_eq!(problem["type"], format!("urn:kurir-sim:problem:{code}"));
        code.to_owned()
    }
}

fn address(sim: &kurir_sim::SimHandle) -> String {
    sim.control_url().trim_start_matches("http://").to_owned()
}

/// One request with just these headers, on a connection of its own.
pub async fn raw(sim: &kurir_sim::SimHandle, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    raw_at(&address(sim), line, headers, body).await
}

async fn raw_at(address: &str, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(address).await.expect("the interface listens");
    let lines = headers.iter().fold(String::new(), |lines, (name, value)| {
        lines
            + name
            + ": "
            + value
            + "
"
    });
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{lines}connection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("writes");
    // A body that is too large may be refused before all of it was taken.
    drop(stream.write_all(body.as_bytes()).await);
    let mut reply = Vec::new();
    drop(stream.read_to_end(&mut reply).await);
    let reply = String::from_utf8(reply).expect("text");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// One request with JSON.
pub async fn ask(sim: &kurir_sim::SimHandle, method: &str, path: &str, body: Option<Value>) -> Reply {
    ask_at(&address(sim), method, path, body).await
}

/// The same of a simulator at this address, in whatever process it is.
pub async fn ask_at(address: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let headers = [("host", address), ("content-type", "application/json")];
    raw_at(address, &format!("{method} {path}"), &headers, &body).await
}

/// Status and body of one request with JSON.
pub async fn request(sim: &kurir_sim::SimHandle, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
    let reply = ask(sim, method, path, body).await;
    (reply.status, reply.body)
}

/// Status and body of one request with a body that need not be JSON.
pub async fn request_text(sim: &kurir_sim::SimHandle, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = address(sim);
    let kind = if body.starts_with('[') { "application/toml" } else { "application/json" };
    let headers = [("host", address.as_str()), ("content-type", kind)];
    let reply = raw(sim, &format!("{method} {path}"), &headers, body).await;
    (reply.status, reply.body)
}

pub fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq)]
pub struct StreamEvent {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: Value,
}

/// An open event stream.
pub struct EventStream {
    pub status: u16,
    lines: Lines<BufReader<TcpStream>>,
}

impl EventStream {
    pub async fn open(sim: &kurir_sim::SimHandle, path: &str, last_id: Option<&str>) -> Self {
        let address = address(sim);
        let mut stream = TcpStream::connect(&address).await.expect("listens");
        let last = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).await.expect("writes");
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next_line().await.expect("reads").expect("a head");
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        while !lines.next_line().await.expect("reads").expect("a head").is_empty() {}
        Self { status, lines }
    }

    /// The next event of any kind; `None` when the stream ended.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        let read = async {
            let mut event = StreamEvent::default();
            loop {
                let line = self.lines.next_line().await.ok().flatten()?;
                match line.split_once(": ") {
                    Some(("id", id)) => event.id = Some(id.to_owned()),
                    Some(("event", name)) => event.name = Some(name.to_owned()),
                    Some(("data", data)) => event.data = parse(data),
                    _ if line.is_empty() && event != StreamEvent::default() => return Some(event),
                    // Sizes of chunks, comments and the time to reconnect.
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an event comes")
    }

    /// The next entry of the journal, or the next event with a name other than `changed`.
    pub async fn told(&mut self) -> StreamEvent {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name.as_deref() != Some("changed") {
                return event;
            }
        }
    }
}
