//! The server's side of the Noise handshake.
//!
//! A client that does not know the server starts XX: three messages. One that remembers the
//! server's key starts IK and puts its login into the first message. When the server can not open
//! that message (its key changed), it answers as in XX under the name XXfallback and the client
//! carries on without another connection. The order of the steps was seen with whatsapp-rust 0.7.

use rand::rngs::StdRng;
use wacore::handshake::NoiseHandshake;
use wacore::libsignal::protocol::KeyPair;
use wacore::noise::NoiseCipher;
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK, WA_CONN_HEADER};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp as wa;
use waproto::whatsapp::handshake_message::{ClientHello, ServerHello};

use super::cert::{ServerKeys, public_bytes};

/// Why a handshake ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the {0} does not parse")]
    Parse(&'static str),
    #[error("the {0} lacks {1}")]
    Missing(&'static str, &'static str),
    #[error("the {what} can't be opened: {reason}")]
    Crypto { what: &'static str, reason: String },
}

fn crypto(what: &'static str) -> impl Fn(wacore::noise::HandshakeError) -> HandshakeError {
    move |error| HandshakeError::Crypto { what, reason: error.to_string() }
}

/// The result of a handshake.
pub(crate) struct Established {
    /// Opens what the client sends.
    pub reader: NoiseCipher,
    /// Seals what the server sends.
    pub writer: NoiseCipher,
    /// The client's key: its credential.
    pub client_static: [u8; 32],
    /// The encoded client payload.
    pub payload: Vec<u8>,
}

/// What the server does about a client's first message.
pub(crate) enum Answer {
    /// IK: send the reply and go on.
    Done { reply: Vec<u8>, established: Box<Established> },
    /// XX or XXfallback: send the reply and wait for the client's second message.
    AwaitFinish { reply: Vec<u8>, pending: Box<PendingFinish> },
}

/// A handshake that waits for the client's second message.
pub(crate) struct PendingFinish {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

fn key(bytes: &[u8], message: &'static str, what: &'static str) -> Result<[u8; 32], HandshakeError> {
    bytes.try_into().map_err(|_| HandshakeError::Missing(message, what))
}

/// Answers a client's first message.
pub(crate) fn answer_hello(keys: &ServerKeys, hello: &[u8], rng: &mut StdRng) -> Result<Answer, HandshakeError> {
    const HELLO: &str = "client hello";
    let message = wa::HandshakeMessage::decode_from_slice(hello).map_err(|_| HandshakeError::Parse(HELLO))?;
    let hello = message.client_hello.into_option().ok_or(HandshakeError::Missing(HELLO, "its content"))?;
    let client = key(hello.ephemeral.as_deref().unwrap_or_default(), HELLO, "a 32-byte ephemeral key")?;
    let ephemeral = KeyPair::generate(rng);
    if hello.r#static.is_none() || hello.payload.is_none() {
        return answer_xx(keys, NOISE_PATTERN_XX, &client, ephemeral);
    }
    match open_ik(keys, &client, &hello) {
        Ok(opened) => finish_ik(keys, opened, &client, &ephemeral),
        Err(_) => answer_xx(keys, NOISE_PATTERN_XXFALLBACK, &client, ephemeral),
    }
}

fn server_hello(ephemeral: &KeyPair, encrypted_static: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    wa::HandshakeMessage {
        server_hello: MessageField::some(ServerHello {
            ephemeral: Some(public_bytes(ephemeral).to_vec()),
            r#static: encrypted_static,
            payload: Some(payload),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode_to_vec()
}

fn answer_xx(
    keys: &ServerKeys,
    pattern: &str,
    client: &[u8; 32],
    ephemeral: KeyPair,
) -> Result<Answer, HandshakeError> {
    let failed = crypto("server hello");
    let mut noise = NoiseHandshake::new(pattern, &WA_CONN_HEADER).map_err(&failed)?;
    noise.authenticate(client);
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client).map_err(&failed)?;
    let encrypted_static = noise.encrypt(keys.noise().public_key.public_key_bytes()).map_err(&failed)?;
    noise.mix_shared_secret(keys.noise().private_key.serialize(), client).map_err(&failed)?;
    let payload = noise.encrypt(keys.chain()).map_err(&failed)?;
    let reply = server_hello(&ephemeral, Some(encrypted_static), payload);
    Ok(Answer::AwaitFinish { reply, pending: Box::new(PendingFinish { noise, ephemeral }) })
}

struct OpenedIk {
    noise: NoiseHandshake,
    client_static: [u8; 32],
    payload: Vec<u8>,
}

fn open_ik(keys: &ServerKeys, client: &[u8; 32], hello: &ClientHello) -> Result<OpenedIk, HandshakeError> {
    const HELLO: &str = "IK client hello";
    let failed = crypto(HELLO);
    let own = keys.noise();
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER).map_err(&failed)?;
    noise.authenticate(own.public_key.public_key_bytes());
    noise.authenticate(client);
    noise.mix_shared_secret(own.private_key.serialize(), client).map_err(&failed)?;
    let opened = noise.decrypt(hello.r#static.as_deref().unwrap_or_default()).map_err(&failed)?;
    let client_static = key(&opened, HELLO, "a 32-byte static key")?;
    noise.mix_shared_secret(own.private_key.serialize(), &client_static).map_err(&failed)?;
    let payload = noise.decrypt(hello.payload.as_deref().unwrap_or_default()).map_err(&failed)?;
    Ok(OpenedIk { noise, client_static, payload })
}

fn finish_ik(
    keys: &ServerKeys,
    opened: OpenedIk,
    client: &[u8; 32],
    ephemeral: &KeyPair,
) -> Result<Answer, HandshakeError> {
    let failed = crypto("IK server hello");
    let OpenedIk { mut noise, client_static, payload } = opened;
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client).map_err(&failed)?;
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_static).map_err(&failed)?;
    let certificate = noise.encrypt(keys.chain()).map_err(&failed)?;
    let (reader, writer) = noise.finish().map_err(&failed)?;
    Ok(Answer::Done {
        reply: server_hello(ephemeral, None, certificate),
        established: Box::new(Established { reader, writer, client_static, payload }),
    })
}

impl PendingFinish {
    /// Takes the client's second message.
    pub(crate) fn finish(mut self, message: &[u8]) -> Result<Established, HandshakeError> {
        const FINISH: &str = "client finish";
        let failed = crypto(FINISH);
        let message = wa::HandshakeMessage::decode_from_slice(message).map_err(|_| HandshakeError::Parse(FINISH))?;
        let finish = message.client_finish.into_option().ok_or(HandshakeError::Missing(FINISH, "its content"))?;
        let sealed = finish.r#static.ok_or(HandshakeError::Missing(FINISH, "a static key"))?;
        let client_static = key(&self.noise.decrypt(&sealed).map_err(&failed)?, FINISH, "a 32-byte static key")?;
        self.noise.mix_shared_secret(self.ephemeral.private_key.serialize(), &client_static).map_err(&failed)?;
        let sealed = finish.payload.ok_or(HandshakeError::Missing(FINISH, "a payload"))?;
        let payload = self.noise.decrypt(&sealed).map_err(&failed)?;
        let (reader, writer) = self.noise.finish().map_err(&failed)?;
        Ok(Established { reader, writer, client_static, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use wacore::noise::{IkHandshakeState, IkServerHelloOutcome, XxFallbackHandshakeState, XxHandshakeState};

    fn keys(seed: u64) -> ServerKeys {
        ServerKeys::generate(&mut StdRng::seed_from_u64(seed), 1_700_000_000).expect("keys")
    }

    fn client() -> KeyPair {
        KeyPair::generate(&mut StdRng::seed_from_u64(99))
    }

    fn talk(established: &Established, client_writer: &NoiseCipher, client_reader: &NoiseCipher) {
        let up = client_writer.encrypt_with_counter(0, b"from the client").expect("seals");
        let mut opened = up.clone();
        established.reader.decrypt_in_place_with_counter(0, &mut opened).expect("opens");
        assert_eq!(opened, b"from the client");
        let mut down = established.writer.encrypt_with_counter(0, b"from the server").expect("seals");
        client_reader.decrypt_in_place_with_counter(0, &mut down).expect("opens");
        assert_eq!(down, b"from the server");
    }

    fn await_finish(answer: Answer) -> (Vec<u8>, Box<PendingFinish>) {
        match answer {
            Answer::AwaitFinish { reply, pending } => (reply, pending),
            Answer::Done { .. } => panic!("expected XX"),
        }
    }

    #[test]
    fn a_new_client_gets_through_by_xx() {
        let keys = keys(1);
        let mut state = XxHandshakeState::new(client(), b"payload".to_vec(), &WA_CONN_HEADER).expect("client");
        let hello = state.build_client_hello().expect("hello");
        let (reply, pending) =
            await_finish(answer_hello(&keys, &hello, &mut StdRng::seed_from_u64(2)).expect("answers"));
        let finish = state.read_server_hello_and_build_client_finish(&reply).expect("client accepts");
        let established = pending.finish(&finish).expect("finishes");
        let outcome = state.finish().expect("client is done");
        assert_eq!(established.payload, b"payload");
        assert_eq!(established.client_static, public_bytes(&client()));
        assert_eq!(outcome.server_cert_chain.leaf_key, public_bytes(keys.noise()));
        talk(&established, &outcome.write_cipher, &outcome.read_cipher);
    }

    #[test]
    fn a_returning_client_gets_through_by_ik() {
        let keys = keys(1);
        let mut state = IkHandshakeState::new(client(), public_bytes(keys.noise()), b"login".to_vec(), &WA_CONN_HEADER)
            .expect("client");
        let hello = state.build_client_hello().expect("hello");
        let Answer::Done { reply, established } =
            answer_hello(&keys, &hello, &mut StdRng::seed_from_u64(2)).expect("answers")
        else {
            panic!("expected IK");
        };
        let IkServerHelloOutcome::Continue(outcome) = state.read_server_hello(&reply).expect("client reads") else {
            panic!("the client fell back");
        };
        assert_eq!(established.payload, b"login");
        talk(&established, &outcome.write_cipher, &outcome.read_cipher);
    }

    #[test]
    fn a_client_with_an_old_server_key_falls_back_on_the_same_connection() {
        let keys = keys(1);
        let old = public_bytes(super::tests::keys(7).noise());
        let mut state = IkHandshakeState::new(client(), old, b"login".to_vec(), &WA_CONN_HEADER).expect("client");
        let hello = state.build_client_hello().expect("hello");
        let (reply, pending) =
            await_finish(answer_hello(&keys, &hello, &mut StdRng::seed_from_u64(2)).expect("answers"));
        let IkServerHelloOutcome::Fallback(inputs) = state.read_server_hello(&reply).expect("client reads") else {
            panic!("the client did not notice");
        };
        let mut state = XxFallbackHandshakeState::from_ik_failure(*inputs, &WA_CONN_HEADER).expect("fallback");
        let finish = state.build_client_finish().expect("finish");
        let established = pending.finish(&finish).expect("finishes");
        let outcome = state.finish().expect("client is done");
        assert_eq!(established.payload, b"login");
        talk(&established, &outcome.write_cipher, &outcome.read_cipher);
    }

    #[test]
    fn nonsense_is_refused_without_a_panic() {
        let keys = keys(1);
        let mut rng = StdRng::seed_from_u64(3);
        for length in 0..200 {
            let mut bytes = vec![0; length];
            rng.fill_bytes(&mut bytes);
            assert!(answer_hello(&keys, &bytes, &mut rng).is_err());
        }
    }

    #[test]
    fn a_truncated_or_altered_second_message_is_refused() {
        let keys = keys(1);
        for cut in 0..40 {
            let mut state = XxHandshakeState::new(client(), b"payload".to_vec(), &WA_CONN_HEADER).expect("client");
            let hello = state.build_client_hello().expect("hello");
            let (reply, pending) =
                await_finish(answer_hello(&keys, &hello, &mut StdRng::seed_from_u64(2)).expect("answers"));
            let mut finish = state.read_server_hello_and_build_client_finish(&reply).expect("client accepts");
            if cut % 2 == 0 {
                finish.truncate(finish.len() - 1 - cut);
            } else {
                let at = finish.len() - cut;
                finish[at] ^= 1;
            }
            assert!(pending.finish(&finish).is_err(), "cut {cut}");
        }
    }
}
