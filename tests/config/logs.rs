//! Logs: format, fields, and the caps on other people's code.

use std::io;
use std::sync::{Arc, Mutex};

use kurir::config::{LogConfig, LogFormat, logging};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(format: LogFormat, filter: &str, say: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let config = LogConfig { format, filter: filter.to_owned() };
    let subscriber = logging::subscriber(&config, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, say);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Logs an error with a number in it under each of these targets.
macro_rules! leaks {
    ($($target:literal),* $(,)?) => { $(tracing::error!(target: $target, "from 6281234567890");)* };
}

fn everybody_speaks() {
    tracing::trace!(target: "kurir::gateway", "ours-fine");
    tracing::info!(target: "kurir_workers::job", "ours-coarse");
    tracing::error!(target: "kurirx", "not-ours");
    // Seen with whatsapp-rust 0.7: some are module paths, others words of its own.
    leaks![
        "whatsapp_rust::client",
        "whatsapp_rust_tokio_transport",
        "wacore::noise",
        "wacore_libsignal::protocol",
        "waproto",
        "tokio_websockets::proto",
        "Client",
        "Client/Recv",
        "Bot/PairCode",
        "AppState",
        "usync",
        "Blocking",
        "blocklist",
        "UnifiedSession",
        "ChatstateHandler",
        "TcToken",
        "Presence",
        "MessageQueue",
        "Mex",
        "History",
        "Message",
        "Receipt",
        "Group",
        "Signal",
    ];
    tracing::warn!(target: "sqlx::query", "slow-statement");
    tracing::info!(target: "lapin::channel", "frame-dump");
}

#[test]
fn other_peoples_code_is_capped_at_every_level() {
    for filter in ["trace", "trace,whatsapp_rust=trace,Client/Recv=trace,lapin=trace"] {
        let text = written(LogFormat::Text, filter, everybody_speaks);
        for said in ["ours-fine", "ours-coarse", "slow-statement"] {
            assert!(text.contains(said), "{said} is missing: {text}");
        }
        for unsaid in ["6281234567890", "frame-dump", "not-ours"] {
            assert!(!text.contains(unsaid), "{unsaid}: {text}");
        }
    }
}

#[test]
fn the_filter_decides_for_our_own_targets() {
    let text = written(LogFormat::Text, "info", everybody_speaks);
    assert!(!text.contains("ours-fine") && text.contains("ours-coarse"), "{text}");
    let text = written(LogFormat::Text, "error,kurir::gateway=trace", everybody_speaks);
    assert!(text.contains("ours-fine") && !text.contains("ours-coarse"), "{text}");
}

#[test]
fn json_lines_carry_the_fields_of_their_spans() {
    let text = written(LogFormat::Json, "info", || {
        let span = tracing::info_span!(target: "kurir::session", "session", session = "s1", epoch = 7);
        let _entered = span.enter();
        tracing::info!(target: "kurir::job", job = "j1", "done");
    });
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["message"], "done");
    assert_eq!(line[logging::field::JOB], "j1");
    assert_eq!(line["spans"][0][logging::field::SESSION], "s1");
    assert_eq!(line["spans"][0][logging::field::EPOCH], 7);
}
