//! The check of WhatsApp's certificate: on in the build that talks to WhatsApp, off only in the one with the simulator.
//!
//! And what else only the test build may have.
//!
//! The same handshake runs in both builds, against the same simulator. `make test` runs this file twice: with the feature
//! `simulator` among all other tests, and without it, where `KURIR_TEST_SIMULATOR` names a program that has the simulator.

mod crash_points;

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_websockets::{ClientBuilder, Message};
use whatsapp_rust::wacore::libsignal::protocol::KeyPair;
use whatsapp_rust::wacore::noise::{HandshakeError, XxHandshakeState};

/// What every connection of the protocol begins with; the last byte is the version of the dictionary.
const INTRO: [u8; 4] = [b'W', b'A', 6, 3];

const PATIENCE: Duration = Duration::from_mins(1);

/// A running simulator and where its clients connect.
struct Simulator {
    _process: Child,
    endpoint: String,
}

/// The program that has the simulator.
#[cfg(feature = "simulator")]
fn program() -> OsString {
    env!("CARGO_BIN_EXE_kurir").into()
}

/// The program that has the simulator.
#[cfg(not(feature = "simulator"))]
fn program() -> OsString {
    std::env::var_os("KURIR_TEST_SIMULATOR").expect("KURIR_TEST_SIMULATOR is not set: run the tests with `make test`")
}

impl Simulator {
    async fn start() -> Self {
        let arguments = ["sim", "--set", "simulator.listen=127.0.0.1:0", "--set", "simulator.control=127.0.0.1:0"];
        let mut process = Command::new(program())
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the simulator starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let said = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if let Some((_, rest)) = line.split_once("clients connect to ") {
                    return rest.split([',', ' ']).next().expect("split gives one").to_owned();
                }
            }
            panic!("the simulator ended before it told its address");
        };
        let endpoint = tokio::time::timeout(PATIENCE, said).await.expect("the simulator tells its address");
        Self { _process: process, endpoint }
    }
}

/// A client's handshake, up to what it makes of the server's certificate.
async fn shake_hands(endpoint: &str) -> Result<(), HandshakeError> {
    let key = KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>());
    let mut state = XxHandshakeState::new(key, b"payload".to_vec(), &INTRO)?;
    let hello = state.build_client_hello()?;
    let length = u32::try_from(hello.len()).expect("short").to_be_bytes();
    let first = [&INTRO[..], &length[1..], &hello].concat();

    let uri = endpoint.parse().expect("the simulator's address");
    let (mut socket, _) = ClientBuilder::from_uri(uri).connect().await.expect("the simulator listens");
    socket.send(Message::binary(first)).await.expect("sent");
    let answer = loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("an answer in time");
        let message = message.expect("an answer").expect("a readable answer");
        if message.is_binary() {
            break message.into_payload();
        }
    };
    state.read_server_hello_and_build_client_finish(&answer[3..]).map(drop)
}

#[cfg(feature = "simulator")]
#[tokio::test]
async fn the_build_with_the_simulator_takes_the_simulators_certificate() {
    let simulator = Simulator::start().await;
    shake_hands(&simulator.endpoint).await.expect("this build does not check the certificate");
}

#[cfg(not(feature = "simulator"))]
#[tokio::test]
async fn the_build_for_whatsapp_refuses_the_simulators_certificate() {
    let simulator = Simulator::start().await;
    let refused = shake_hands(&simulator.endpoint).await.expect_err("the root is not WhatsApp's");
    assert!(matches!(refused, HandshakeError::CertVerification(_)), "another error: {refused:?}");
}
