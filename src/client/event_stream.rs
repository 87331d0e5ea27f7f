//! Events followed live: server-sent events, gone on with where they stopped.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use reqwest::header::ACCEPT;
use serde_json::Value;

use super::error::ClientError;
use super::http::Client;

/// The longest line that is taken; an event with a QR code has some thousand bytes.
const LONGEST: usize = 1024 * 1024;

/// A stream that says nothing for so long is taken for dead: a gateway sends a comment now and then.
const SILENCE: Duration = Duration::from_secs(90);

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct EventWish {
    /// Of these types, like `message.sent` or `message.*`; empty: all.
    pub types: Vec<String>,
    /// Of this session.
    pub session: Option<String>,
    /// Those from this moment on, RFC 3339; without it from now on.
    pub since: Option<String>,
    /// Those after this one; counts more than the moment.
    pub after: Option<String>,
    /// Whether to wait for what is to come. Else the stream ends with what is there already.
    pub follow: bool,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventLine {
    /// Where to go on, if the stream says so.
    pub id: Option<String>,
    /// Its type.
    pub kind: Option<String>,
    /// What it tells.
    pub data: Value,
}

/// An open stream.
pub struct Events {
    client: Client,
    bytes: BoxStream<'static, Result<Bytes, reqwest::Error>>,
    parser: Parser,
}

impl Client {
    /// Opens a stream of events.
    pub async fn events(&self, wish: &EventWish) -> Result<Events, ClientError> {
        const PATH: [&str; 2] = ["v1", "events"];
        let types = wish.types.join(",");
        let mut query = vec![("follow", if wish.follow { "true" } else { "false" })];
        if !types.is_empty() {
            query.push(("types", &types));
        }
        query.extend(wish.session.iter().map(|session| ("session", session.as_str())));
        query.extend(wish.since.iter().map(|since| ("since", since.as_str())));
        let mut request = self.http.get(self.place(&PATH, &query)).header(ACCEPT, "text/event-stream");
        if let Some(after) = &wish.after {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.refusal(response, &PATH).await);
        }
        let bytes = response.bytes_stream().boxed();
        Ok(Events { client: self.clone(), bytes, parser: Parser::default() })
    }
}

impl Events {
    /// Where to go on: the last id that came, of an event or of a sign of life.
    pub fn position(&self) -> Option<&str> {
        self.parser.id.as_deref()
    }

    /// The next event. An error when the stream broke: open it again after the last id. Never `Ok` at its end, since a
    /// gateway ends a stream only when it stops.
    pub async fn next(&mut self) -> Result<EventLine, ClientError> {
        let broken =
            |reason: &str| ClientError::Unreachable { url: self.client.url().to_owned(), reason: reason.to_owned() };
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(event);
            }
            match tokio::time::timeout(SILENCE, self.bytes.next()).await {
                Err(_) => return Err(broken("the stream of events has gone silent")),
                Ok(None) => return Err(broken("the stream of events has ended")),
                Ok(Some(Err(error))) => return Err(self.client.unreachable(&error)),
                Ok(Some(Ok(bytes))) => {
                    if !self.parser.feed(&bytes) {
                        return Err(broken("the stream of events has a line that is far too long"));
                    }
                }
            }
        }
    }
}

/// Reads server-sent events as the standard has them.
#[derive(Default)]
struct Parser {
    text: Vec<u8>,
    id: Option<String>,
    kind: Option<String>,
    data: Vec<String>,
}

impl Parser {
    /// Takes what came; `false` when a line is too long to be one.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        self.text.extend_from_slice(bytes);
        self.text.len() <= LONGEST
    }

    /// The next whole event of what came so far.
    fn next(&mut self) -> Option<EventLine> {
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(event) = self.line(line.trim_end_matches(['\n', '\r'])) {
                return Some(event);
            }
        }
        None
    }

    fn line(&mut self, line: &str) -> Option<EventLine> {
        if line.is_empty() {
            let (kind, data) = (self.kind.take(), std::mem::take(&mut self.data).join("\n"));
            if data.is_empty() {
                return None;
            }
            let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
            return Some(EventLine { id: self.id.clone(), kind, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.data.push(value.to_owned()),
            "event" => self.kind = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()).filter(|id| !id.is_empty()),
            // Comments begin with a colon; `retry` is our own business.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": hello\n\nid: 7\r\nevent: message.sent\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n\
                    event: nothing\n\ndata:[2]\n\nid: 9\ndata: not JSON\n\nid: 10\ndata: {}";
        for size in [1, 3, 1000] {
            let (mut parser, mut found) = (Parser::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                assert!(parser.feed(piece));
                while let Some(event) = parser.next() {
                    found.push(event);
                }
            }
            let event = |id: &str, kind: Option<&str>, data| EventLine {
                id: Some(id.to_owned()),
                kind: kind.map(str::to_owned),
                data,
            };
            // What has no end has not come.
            let expected = [
                event("7", Some("message.sent"), json!({"a": 1})),
                event("7", None, json!([2])),
                event("9", None, json!("not JSON")),
            ];
            assert_eq!(found, expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut parser = Parser::default();
        assert!(parser.feed(&vec![b'x'; LONGEST]) && !parser.feed(b"x"));
    }
}
