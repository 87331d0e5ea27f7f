//! From an accepted socket to an encrypted connection whose client has said who it is.

use bytes::Bytes;
use rand::rngs::StdRng;
use tokio::net::TcpStream;
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use crate::transport::{Answer, Wire, WireError, answer_hello};
use crate::world::World;

/// What a finished handshake leaves.
pub(super) struct Opened {
    pub wire: Wire,
    pub client_static: [u8; 32],
    pub payload: wa::ClientPayload,
}

/// Takes a new connection to where its stanzas begin.
pub(super) async fn handshake(world: &World, stream: TcpStream, mut rng: StdRng) -> Result<Opened, String> {
    let wire_error = |error: WireError| error.to_string();
    let mut wire = Wire::accept(stream, world.config.limits.frame_bytes).await.map_err(wire_error)?;
    let hello = next_plain(&mut wire).await?;
    let answer = answer_hello(&world.keys, &hello, &mut rng).map_err(|error| error.to_string())?;
    let established = match answer {
        Answer::Done { reply, established } => {
            wire.push_plain(&reply).map_err(wire_error)?;
            world.journal.count_resumed();
            *established
        }
        Answer::AwaitFinish { reply, pending } => {
            wire.push_plain(&reply).map_err(wire_error)?;
            wire.flush().await.map_err(wire_error)?;
            let finish = next_plain(&mut wire).await?;
            pending.finish(&finish).map_err(|error| error.to_string())?
        }
    };
    wire.flush().await.map_err(wire_error)?;
    let (client_static, payload) = wire.secure(established);
    let payload = wa::ClientPayload::decode_from_slice(&payload)
        .map_err(|error| format!("the client payload does not parse: {error}"))?;
    Ok(Opened { wire, client_static, payload })
}

async fn next_plain(wire: &mut Wire) -> Result<Bytes, String> {
    loop {
        if let Some(frame) = wire.next_plain().map_err(|error| error.to_string())? {
            return Ok(frame.freeze());
        }
        if !wire.receive().await.map_err(|error| error.to_string())? {
            return Err("the client closed".into());
        }
    }
}
