//! Opening connections.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::Fence;
use kurir_core::port::{Clock, Connection, Messenger, MessengerError, StateStore};
use tokio::sync::mpsc;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use whatsapp_rust::bot::Bot;
use whatsapp_rust::http::UreqHttpClient;
use whatsapp_rust::wacore::store::DevicePropsOverride;
use whatsapp_rust::waproto::whatsapp::device_props::PlatformType;

use super::driver::Driver;
use super::event_queue::EventQueue;
use super::events::{Court, Listener};
use super::failure;
use super::inbound::Inbound;
use super::offline_http::OfflineHttp;
use super::options::{Endpoint, OptionsError, Target, WhatsAppOptions};
use super::pairing::ShownCode;
use super::pending::Pending;
use super::receipt_gate::ReceiptGate;
use super::sender::WhatsAppSender;
use super::state::StateBackend;
use super::transport::{Dialer, tls_config};
use super::write_fence::WriteFence;

/// How long the store may take with a receipt before the connection is given up; WhatsApp delivers it again on the next. Less
/// than the library's pings may stay unanswered, and than a send waits for its answer: what waits behind it must not go out
/// when nobody expects it any more.
const STORE_LIMIT: Duration = Duration::from_secs(5);

/// How many events the connection's own channel holds, beside those that wait in the queue.
const CHANNEL: usize = 64;

/// WhatsApp. One for a whole process; sessions share nothing but its settings.
pub struct WhatsAppMessenger {
    options: WhatsAppOptions,
    target: Target,
    tls: Arc<ClientConfig>,
    http: UreqHttpClient,
    simulated: Option<UreqHttpClient>,
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

/// Why there is no messenger.
#[derive(Debug, thiserror::Error)]
pub enum WhatsAppError {
    /// The settings can't be used.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

impl WhatsAppMessenger {
    /// Checks the settings. Nothing is connected yet.
    pub fn new(
        options: WhatsAppOptions,
        store: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WhatsAppError> {
        let target = options.check()?;
        let simulated = options.media_ca.as_deref().map(trusting).transpose()?;
        // Encryption adds a block and a mark.
        let most = options.largest_file + 1024;
        let http = UreqHttpClient::new().with_max_body_bytes(most);
        let simulated = simulated.map(|http| http.with_max_body_bytes(most));
        Ok(Self { options, target, tls: tls_config()?, http, simulated, store, clock })
    }

    async fn bot(&self, backend: &Arc<StateBackend>, dialer: Dialer, inbound: Inbound) -> Result<Bot, MessengerError> {
        let device = DevicePropsOverride::new()
            .with_os(self.options.device_name.clone())
            .with_platform_type(PlatformType::CHROME);
        let mut builder = Bot::builder()
            .with_backend_arc(Arc::clone(backend) as Arc<_>)
            .with_transport_factory(dialer)
            .with_inbound_durability_hook(inbound)
            .with_device_props(device)
            .with_wanted_pre_key_count(self.options.prekeys)
            .skip_history_sync();
        if let Some(version) = self.options.version() {
            builder = builder.with_version(version);
        }
        let builder = match self.options.endpoint {
            Endpoint::WhatsApp => builder.with_http_client(self.http.clone()),
            // Simulated phones share no push name, and a client without one fetches all app state at each start,
            // waiting 10 s for keys that were shared long ago (seen with whatsapp-rust 0.7).
            Endpoint::Simulator(_) => {
                let builder = builder.with_push_name(self.options.device_name.clone());
                match &self.simulated {
                    Some(http) => builder.with_http_client(http.clone()),
                    None => builder.with_http_client(OfflineHttp),
                }
            }
        };
        builder.build().await.map_err(|error| {
            if backend.fenced().is_cancelled() {
                return MessengerError::Fenced;
            }
            failure::client("starting", &error)
        })
    }
}

#[async_trait]
impl Messenger for WhatsAppMessenger {
    async fn open(&self, fence: Fence) -> Result<Connection, MessengerError> {
        let span = tracing::info_span!("whatsapp", session = %fence.session, epoch = %fence.epoch);
        let writes = Arc::new(WriteFence::new(Arc::clone(&self.clock)));
        let backend = StateBackend::new(Arc::clone(&self.store), fence, Arc::clone(&self.clock));
        let backend = Arc::new(backend.watched_by(Arc::clone(&writes)));
        let events = Arc::new(EventQueue::new(self.options.event_capacity));
        let receipts = Arc::new(ReceiptGate::new(STORE_LIMIT));
        let pending = Arc::new(Pending::default());
        let court = Arc::new(Court::new());
        let shown = Arc::new(ShownCode::default());
        let tasks = TaskTracker::new();
        let abort = CancellationToken::new();
        let sends = TaskTracker::new();
        let dialer = Dialer {
            target: self.target.clone(),
            tls: Arc::clone(&self.tls),
            limit: self.options.connect_limit,
            events: Arc::clone(&events),
            receipts: Arc::clone(&receipts),
            fence: Arc::clone(&writes),
            tasks: tasks.clone(),
            stop: court.stop.clone(),
            abort: abort.clone(),
            span: span.clone(),
        };
        let inbound = Inbound { events: Arc::clone(&events), stop: court.stop.clone() };
        let bot = self.bot(&backend, dialer, inbound).instrument(span.clone()).await?;

        let client = bot.client();
        let listener = Listener {
            client: Arc::downgrade(&client),
            events: Arc::clone(&events),
            receipts,
            pending: Arc::clone(&pending),
            writes: Arc::clone(&writes),
            court: Arc::clone(&court),
            shown: Arc::clone(&shown),
        };
        client.subscribe_handler(Arc::new(listener)).detach();

        let (to, reader) = mpsc::channel(CHANNEL);
        let hurry = CancellationToken::new();
        tasks.spawn(hand_out(Arc::clone(&events), to, hurry.clone()).instrument(span.clone()));
        let driver = Driver::new(Arc::clone(&backend), pending.clone(), court.clone(), events, sends.clone());
        let driving = driver.start(bot, &tasks, &span, abort);
        let clock = Arc::clone(&self.clock);
        let sender = WhatsAppSender {
            client,
            backend,
            pending,
            writes,
            court,
            shown,
            driving,
            sends,
            tasks,
            hurry,
            span,
            clock,
        };
        let sender = Arc::new(sender);
        Ok(Connection { sender, events: reader })
    }
}

/// HTTP to the media server of a simulator and to nobody else: whoever has no certificate of its authority is not asked.
fn trusting(authority: &str) -> Result<UreqHttpClient, OptionsError> {
    let root = ureq::tls::Certificate::from_pem(authority.as_bytes()).map_err(|_| OptionsError::BadAuthority)?;
    let roots = ureq::tls::RootCerts::new_with_certs(&[root.to_owned()]);
    let tls = ureq::tls::TlsConfig::builder().root_certs(roots).build();
    Ok(UreqHttpClient::with_agent(ureq::Agent::config_builder().tls_config(tls).build().new_agent()))
}

async fn hand_out(
    events: Arc<EventQueue>,
    to: mpsc::Sender<kurir_core::port::MessengerEvent>,
    hurry: CancellationToken,
) {
    events.hand_out(to, hurry).await;
}
