//! A whatsapp-rust client and a simulator for one test.

use std::sync::Arc;
use std::time::Duration;

use kurir_sim::{CancellationToken, LinkedDevice, SimConfig, SimHandle, Simulator};
use whatsapp_rust::async_channel::Receiver;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::http::{HttpClient, UreqHttpClient};
use whatsapp_rust::transport::TokioWebSocketTransportFactory;
use whatsapp_rust::types::events::{ChannelEventHandler, Event, Receipt, ServerAck};
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::wacore::store::in_memory::InMemoryBackend;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, Jid};

/// Long enough for a busy machine; no test waits for it unless something is wrong.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub async fn simulator(change: impl FnOnce(&mut SimConfig)) -> SimHandle {
    let mut config = SimConfig { seed: Some(1), ..SimConfig::default() };
    change(&mut config);
    Simulator::start(config, CancellationToken::new()).await.expect("the simulator starts")
}

/// A running client. All its events come in order.
pub struct TestClient {
    handle: BotHandle,
    pub client: Arc<Client>,
    events: Receiver<Arc<Event>>,
    pub store: Arc<InMemoryBackend>,
}

impl TestClient {
    /// Starts a client on a store; an empty store makes it ask to be linked.
    pub async fn start(sim: &SimHandle, store: Arc<InMemoryBackend>) -> Self {
        Self::start_with(sim, store, UreqHttpClient::new()).await
    }

    /// Like [`Self::start`], with an HTTP client of the test's.
    pub async fn start_with(sim: &SimHandle, store: Arc<InMemoryBackend>, http: impl HttpClient + 'static) -> Self {
        Self::dial(&sim.ws_url(), store, http).await
    }

    /// Starts a client that connects to this address.
    pub async fn dial(url: &str, store: Arc<InMemoryBackend>, http: impl HttpClient + 'static) -> Self {
        let (handler, events) = ChannelEventHandler::new();
        let factory = TokioWebSocketTransportFactory::new().with_url(url);
        let bot = Bot::builder()
            .with_backend_arc(store.clone())
            .with_transport_factory(factory)
            .with_http_client(http)
            .with_version((2, 3000, 1_023_000_000))
            .with_wanted_pre_key_count(30)
            .with_event_handler(Forward(handler))
            .build()
            .await
            .expect("the client builds");
        let handle = bot.spawn();
        let client = handle.client();
        Self { handle, client, events, store }
    }

    /// A client that the phone of `number` has linked, connected.
    pub async fn linked(sim: &SimHandle, number: &str) -> (Self, LinkedDevice) {
        let mut client = Self::start(sim, Arc::new(InMemoryBackend::new())).await;
        let device = client.link(sim, number).await;
        (client, device)
    }

    /// The phone of `number` scans the code that this client shows; waits until it is connected.
    pub async fn link(&mut self, sim: &SimHandle, number: &str) -> LinkedDevice {
        let qr = self.qr().await;
        let device = sim.scan(&qr, number).await.expect("the scan links");
        self.connected().await;
        device
    }

    /// The next event for which `pick` gives something.
    pub async fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the client runs");
                if let Some(picked) = pick(&event) {
                    return picked;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
    }

    pub async fn qr(&mut self) -> String {
        self.wait("QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await
    }

    pub async fn connected(&mut self) {
        self.wait("connection", |event| matches!(event, Event::Connected(_)).then_some(())).await;
    }

    /// The server's answer to message `id`.
    pub async fn server_ack(&mut self, id: &str) -> ServerAck {
        self.wait("server ack", |event| match event {
            Event::ServerAck(ack) if ack.id == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the server's ack and both receipts of a message, in whatever order they are told.
    pub async fn ack_and_receipts(&mut self, id: &str) -> Vec<Receipt> {
        let (mut acked, mut receipts) = (false, Vec::new());
        self.wait("ack and receipts", |event| {
            match event {
                Event::ServerAck(ack) if ack.id == id && ack.error.is_none() => acked = true,
                Event::Receipt(receipt) if receipt.message_ids.iter().any(|known| known == id) => {
                    receipts.push(receipt.clone());
                }
                _ => {}
            }
            let has = |kind: ReceiptType| receipts.iter().any(|receipt| receipt.r#type == kind);
            (acked && has(ReceiptType::Delivered) && has(ReceiptType::Read)).then_some(())
        })
        .await;
        receipts
    }

    /// The next inbound text: id, sender, text.
    pub async fn text(&mut self) -> (String, Jid, String) {
        self.wait("inbound text", |event| match event {
            Event::Messages(batch) => batch.messages.iter().find_map(|inbound| {
                let text = inbound.message.conversation.clone()?;
                Some((inbound.info.id.clone(), inbound.info.source.sender.clone(), text))
            }),
            _ => None,
        })
        .await
    }

    /// Sends a text and returns its id.
    pub async fn send(&self, to: &str, text: &str) -> String {
        let message = wa::Message { conversation: Some(text.into()), ..Default::default() };
        let sent = self.client.send_message(Jid::pn(to), message).await;
        sent.expect("the client sends").message_id
    }

    pub async fn stop(self) -> Arc<InMemoryBackend> {
        self.handle.shutdown().await;
        self.store
    }
}

struct Forward(Arc<ChannelEventHandler>);

impl whatsapp_rust::types::events::EventHandler for Forward {
    fn handle_event(&self, event: Arc<Event>) {
        self.0.handle_event(event);
    }
}
