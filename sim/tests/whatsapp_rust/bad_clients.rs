//! Clients that break the protocol: they lose their connection, and nobody else notices.

use bytes::{BufMut, BytesMut};
use futures_util::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wacore::libsignal::protocol::KeyPair;
use wacore::noise::XxHandshakeState;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::consts::WA_CONN_HEADER;
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use crate::client::{PATIENCE, TestClient, simulator};

type Socket = WebSocketStream<TcpStream>;

async fn dial(sim: &kurir_sim::SimHandle) -> Socket {
    let address = sim.ws_url().trim_start_matches("ws://").trim_end_matches("/ws/chat").to_owned();
    let stream = TcpStream::connect(address).await.expect("the simulator listens");
    tokio_tungstenite::client_async(sim.ws_url(), stream).await.expect("upgrades").0
}

fn framed(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    [&length[1..], content].concat()
}

async fn send(socket: &mut Socket, bytes: Vec<u8>) {
    // The simulator may already have closed.
    drop(socket.send(Message::Binary(bytes.into())).await);
}

/// Waits until the simulator closes; what it said before does not matter.
async fn closed(mut socket: Socket) {
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(PATIENCE, end).await.expect("the simulator closes the connection");
}

/// A whole handshake with this client payload. Gives the ciphers' counters at zero.
async fn shake_hands(socket: &mut Socket, payload: Vec<u8>) -> wacore::noise::NoiseCipher {
    let key = KeyPair::generate(&mut StdRng::seed_from_u64(4));
    let mut state = XxHandshakeState::new(key, payload, &WA_CONN_HEADER).expect("client");
    let hello = framed(&state.build_client_hello().expect("hello"));
    send(socket, [&WA_CONN_HEADER, hello.as_slice()].concat()).await;
    let reply = loop {
        if let Message::Binary(reply) = socket.next().await.expect("a reply").expect("readable") {
            break reply;
        }
    };
    let finish = state.read_server_hello_and_build_client_finish(&reply[3..]).expect("a good reply");
    send(socket, framed(&finish)).await;
    state.finish().expect("done").write_cipher
}

fn registration() -> Vec<u8> {
    wa::ClientPayload {
        device_pairing_data: wa::client_payload::DevicePairingRegistrationData {
            e_regid: Some(vec![0, 0, 0, 1]),
            e_ident: Some(vec![1; 32]),
            e_skey_id: Some(vec![0, 0, 1]),
            e_skey_val: Some(vec![2; 32]),
            e_skey_sig: Some(vec![3; 64]),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
    .encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_closes_its_connection_and_no_other() {
    let sim = simulator(|_| ()).await;
    let (mut bystander, _) = TestClient::linked(&sim, "15551230001").await;
    let mut rng = StdRng::seed_from_u64(9);
    for length in 1..60 {
        let mut random = vec![0; length];
        rng.fill_bytes(&mut random);
        let mut socket = dial(&sim).await;
        if length % 2 == 0 {
            send(&mut socket, random).await;
        } else {
            send(&mut socket, [&WA_CONN_HEADER, framed(&random).as_slice()].concat()).await;
        }
        closed(socket).await;
    }
    let id = bystander.send("15551230002", "still served").await;
    bystander.ack_and_receipts(&id).await;
    bystander.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_client_payload_is_refused() {
    let sim = simulator(|_| ()).await;
    let incomplete = wa::ClientPayload {
        device_pairing_data: wa::client_payload::DevicePairingRegistrationData::default().into(),
        ..Default::default()
    };
    for payload in [vec![0xFF; 20], Vec::new(), incomplete.encode_to_vec()] {
        let mut socket = dial(&sim).await;
        shake_hands(&mut socket, payload).await;
        closed(socket).await;
    }
    assert!(sim.accounts().is_empty());
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_after_the_handshake_close_the_connection() {
    let sim = simulator(|_| ()).await;
    let good = wacore_binary::marshal(&NodeBuilder::new("iq").attr("id", "1").attr("type", "get").build());
    let good = good.expect("encodes");
    let stanzas = [
        vec![0],
        vec![0, 255, 255, 255],
        good[..good.len() - 2].to_vec(),
        [&good[..], &[1, 2]].concat(),
        vec![2, 1, 2, 3],
        // Addresses within addresses, which would overflow the stack of whoever decodes them.
        [vec![0, 248, 2], vec![250; 100_000]].concat(),
    ];
    for stanza in stanzas {
        let mut socket = dial(&sim).await;
        let cipher = shake_hands(&mut socket, registration()).await;
        let mut sealed = BytesMut::new();
        sealed.put_slice(&stanza);
        cipher.encrypt_in_place_with_counter(0, &mut sealed).expect("seals");
        send(&mut socket, framed(&sealed)).await;
        closed(socket).await;
    }
    let mut socket = dial(&sim).await;
    shake_hands(&mut socket, registration()).await;
    send(&mut socket, framed(&[7; 40])).await;
    closed(socket).await;
    let mut socket = dial(&sim).await;
    shake_hands(&mut socket, registration()).await;
    send(&mut socket, vec![255, 255, 255]).await;
    closed(socket).await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_is_let_go() {
    let sim = simulator(|config| config.limits.handshake = std::time::Duration::from_millis(50)).await;
    closed(dial(&sim).await).await;
    let mut socket = dial(&sim).await;
    send(&mut socket, WA_CONN_HEADER[..2].to_vec()).await;
    closed(socket).await;
    sim.stop(PATIENCE).await;
}
