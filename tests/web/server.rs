//! A server that answers as its paths say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// It ends with the test's process.
pub struct Server {
    pub port: u16,
    seen: Arc<AtomicUsize>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || answer(stream));
            }
        });
        Self { port, seen }
    }

    /// Connections so far.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut path = String::new();
    let mut length = 0;
    for (at, line) in reader.by_ref().lines().map_while(Result::ok).enumerate() {
        if line.is_empty() {
            break;
        }
        if at == 0 {
            line.split(' ').nth(1).unwrap_or_default().clone_into(&mut path);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let close = "Connection: close\r\n";
    let head = match path.as_str() {
        "/greets" => format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n{close}\r\nhello"),
        "/busy" => format!("HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n{close}\r\n"),
        "/redirects" => format!("HTTP/1.1 302 There\r\nLocation: /greets\r\nContent-Length: 0\r\n{close}\r\n"),
        // Without a length: only reading tells how much it is.
        "/talks" => format!("HTTP/1.1 200 OK\r\n{close}\r\n{}", "x".repeat(5000)),
        "/stalls" => "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nx".to_owned(),
        _ => String::new(),
    };
    let mut stream = stream;
    if stream.write_all(head.as_bytes()).and_then(|()| stream.flush()).is_err() || close_now(&path) {
        return;
    }
    // The client goes first.
    let mut rest = Vec::new();
    drop(reader.read_to_end(&mut rest));
}

fn close_now(path: &str) -> bool {
    !matches!(path, "/stalls" | "/silent")
}
