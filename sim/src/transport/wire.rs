//! One client's connection as a stream of stanzas.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error as WebSocketError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wacore::noise::NoiseCipher;
use wacore_binary::Node;
use wacore_binary::marshal::marshal_to_vec;

use super::frame::{FrameError, FrameReader, push_length};
use super::nesting::{self, NestedAddress};
use super::noise::Established;
use super::quick_ack::QuickAckStream;

const TAG_BYTES: usize = 16;

/// Why a connection can't go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<WebSocketError>),
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame can't be decrypted")]
    Decrypt,
    #[error("a stanza can't be encrypted")]
    Encrypt,
    #[error("a stanza does not decode: {0}")]
    Stanza(String),
    #[error("a stanza holds {0}")]
    Nested(#[from] NestedAddress),
    #[error("a stanza can't be encoded: {0}")]
    Encode(String),
    #[error("the counter of the transport cipher is exhausted")]
    Counter,
}

impl From<WebSocketError> for WireError {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// The transport ciphers with their counters, one per direction.
struct Ciphers {
    reader: NoiseCipher,
    read: u32,
    writer: NoiseCipher,
    written: u32,
}

/// A connection. Before [`Wire::secure`] frames travel in the clear, as the handshake needs.
pub(crate) struct Wire {
    socket: WebSocketStream<QuickAckStream>,
    frames: FrameReader,
    ciphers: Option<Ciphers>,
    /// Frames that wait for the next flush; they leave as one WebSocket message.
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl Wire {
    /// Upgrades a new TCP connection.
    pub(crate) async fn accept(stream: TcpStream, frame_limit: usize) -> Result<Self, WireError> {
        let stream = QuickAckStream::new(stream)?;
        // Small buffers: an idle connection should cost little, and frames are joined here anyway.
        let config = WebSocketConfig::default()
            .read_buffer_size(8 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(frame_limit + 64))
            .max_frame_size(Some(frame_limit + 64));
        let socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
        Ok(Self { socket, frames: FrameReader::new(frame_limit), ciphers: None, out: Vec::new(), scratch: Vec::new() })
    }

    /// Waits for the next WebSocket message and buffers it. `false` when the client closed.
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub(crate) async fn receive(&mut self) -> Result<bool, WireError> {
        let message = self.socket.next().await;
        self.buffer(message)
    }

    /// Buffers a message that is already there. `None` when nothing is.
    pub(crate) fn receive_ready(&mut self) -> Option<Result<bool, WireError>> {
        let message = self.socket.next().now_or_never()?;
        Some(self.buffer(message))
    }

    fn buffer(&mut self, message: Option<Result<Message, WebSocketError>>) -> Result<bool, WireError> {
        match message.transpose() {
            Ok(Some(Message::Binary(bytes))) => self.frames.push(&bytes),
            Ok(None | Some(Message::Close(_))) => return Ok(false),
            Ok(Some(_)) => {}
            Err(WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed) => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// The next buffered frame as it came.
    pub(crate) fn next_plain(&mut self) -> Result<Option<BytesMut>, WireError> {
        Ok(self.frames.next_frame()?)
    }

    /// The next buffered frame, decrypted and unpacked: an encoded stanza.
    pub(crate) fn next_stanza(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(ciphers) = &mut self.ciphers else {
            return Ok(None);
        };
        let Some(mut frame) = self.frames.next_frame()? else {
            return Ok(None);
        };
        ciphers.reader.decrypt_in_place_with_counter(ciphers.read, &mut frame).map_err(|_| WireError::Decrypt)?;
        ciphers.read = ciphers.read.checked_add(1).ok_or(WireError::Counter)?;
        let stanza = wacore_binary::util::unpack_bytes(frame).map_err(|error| WireError::Stanza(error.to_string()))?;
        nesting::check(&stanza)?;
        Ok(Some(stanza))
    }

    /// Adds a handshake message to the next flush.
    pub(crate) fn push_plain(&mut self, message: &[u8]) -> Result<(), WireError> {
        push_length(message.len(), &mut self.out)?;
        self.out.extend_from_slice(message);
        Ok(())
    }

    /// Encrypts everything from here on.
    pub(crate) fn secure(&mut self, established: Established) -> ([u8; 32], Vec<u8>) {
        let Established { reader, writer, client_static, payload } = established;
        self.ciphers = Some(Ciphers { reader, read: 0, writer, written: 0 });
        (client_static, payload)
    }

    /// Adds a stanza to the next flush.
    pub(crate) fn push(&mut self, node: &Node) -> Result<(), WireError> {
        let Some(ciphers) = &mut self.ciphers else {
            return Err(WireError::Encrypt);
        };
        // The encoder puts the flag byte (0: not compressed) in front.
        marshal_to_vec(node, &mut self.scratch).map_err(|error| WireError::Encode(error.to_string()))?;
        push_length(self.scratch.len() + TAG_BYTES, &mut self.out)?;
        ciphers
            .writer
            .encrypt_in_place_with_counter(ciphers.written, &mut self.scratch)
            .map_err(|_| WireError::Encrypt)?;
        ciphers.written = ciphers.written.checked_add(1).ok_or(WireError::Counter)?;
        self.out.extend_from_slice(&self.scratch);
        Ok(())
    }

    /// Bytes that wait for the next flush.
    pub(crate) fn pending(&self) -> usize {
        self.out.len()
    }

    /// Makes the frame that begins at `start` of what waits undecipherable.
    pub(crate) fn spoil_from(&mut self, start: usize) {
        if let Some(last) = self.out.get_mut(start..).and_then(<[u8]>::last_mut) {
            *last ^= 0xFF;
        }
    }

    /// Leaves only the first half of what waits from `start` on.
    pub(crate) fn halve_from(&mut self, start: usize) {
        let rest = self.out.len().saturating_sub(start);
        self.out.truncate(start + rest / 2);
    }

    /// Writes out what was pushed.
    pub(crate) async fn flush(&mut self) -> Result<(), WireError> {
        if self.out.is_empty() {
            return Ok(());
        }
        let message = Message::Binary(std::mem::take(&mut self.out).into());
        self.socket.send(message).await?;
        Ok(())
    }

    /// Waits until the client closes; what it still sends is thrown away.
    pub(crate) async fn until_closed(&mut self) -> Result<(), WireError> {
        while self.receive().await? {
            while self.next_stanza()?.is_some() {}
        }
        Ok(())
    }

    /// Writes out what was pushed, then ends the stream of bytes without a word, in the middle of
    /// whatever it was. What the client still sends is lost.
    pub(crate) async fn cut(mut self) -> Result<(), WireError> {
        self.flush().await?;
        let stream = self.socket.get_mut();
        stream.shutdown().await?;
        let mut lost = [0; 1024];
        // Unread bytes would reset the connection, which takes from the client what it has not read.
        while stream.read(&mut lost).await? > 0 {}
        Ok(())
    }

    /// Says goodbye by a close frame and takes what the client still sends until it closes, too.
    ///
    /// Closing a socket with unread bytes makes the system reset it, and a reset takes from the
    /// client what it has not read yet: the reason for the goodbye.
    pub(crate) async fn close(mut self) -> Result<(), WireError> {
        self.flush().await?;
        match self.socket.close(None).await {
            Ok(()) => while let Some(Ok(_)) = self.socket.next().await {},
            Err(WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
