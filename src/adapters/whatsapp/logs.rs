//! What the library may write into kurir's logs.

/// The start of every target that `whatsapp-rust` 0.7 and its crates log under, through the `log` crate. Some of its
/// targets are module paths, others words of its own.
///
/// Its lines name phone numbers even at the level of warnings (as when a LID can't be saved), and whole stanzas at
/// the level of debugging, so a log set-up switches these targets off at every level. What matters comes as events
/// and errors.
pub const LIBRARY_TARGETS: [&str; 21] = [
    "whatsapp_rust",
    "wacore",
    "waproto",
    "tokio_websockets",
    "Client",
    "Bot",
    "AppState",
    "usync",
    "Blocking",
    "blocklist",
    "UnifiedSession",
    "Chatstate",
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

/// The filter directives that switch the library off: `whatsapp_rust=off,wacore=off,…`. They go behind what an
/// operator asks for, so that `trace` for everything does not include them.
pub fn log_directives() -> String {
    LIBRARY_TARGETS.map(|target| format!("{target}=off")).join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
    use tracing_subscriber::{EnvFilter, Registry};

    struct Seen(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Seen {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(event.metadata().target().to_owned());
        }
    }

    #[test]
    fn at_the_finest_level_the_library_stays_silent() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let filter = EnvFilter::new(format!("trace,{}", log_directives()));
        let subscriber = Registry::default().with(filter).with(Seen(Arc::clone(&seen)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(target: "whatsapp_rust::send", "x");
            tracing::error!(target: "wacore_libsignal::protocol", "x");
            tracing::error!(target: "wacore::usync", "x");
            tracing::error!(target: "whatsapp_rust_tokio_transport", "x");
            tracing::error!(target: "Client/Send", "x");
            tracing::error!(target: "Bot/PairCode", "x");
            tracing::error!(target: "ChatstateHandler", "x");
            tracing::trace!(target: "kurir::adapters::whatsapp", "x");
        });
        assert_eq!(*seen.lock().unwrap(), ["kurir::adapters::whatsapp"]);
    }
}
