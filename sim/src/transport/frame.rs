//! Frames: a 3-byte big-endian length and that many bytes. They are laid over WebSocket messages
//! without regard to their borders. In front of the first frame stands the intro.

use bytes::{Buf, BytesMut};
use wacore_binary::consts::WA_CONN_HEADER;

const LENGTH_BYTES: usize = 3;
const EDGE_ROUTING: [u8; 4] = [b'E', b'D', 0, 1];

/// Why a byte stream is not one of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the connection does not begin with the protocol's intro")]
    Intro,
    #[error("a frame of {size} bytes is over the limit of {limit}")]
    TooLarge { size: usize, limit: usize },
}

/// Cuts a client's bytes into frames.
#[derive(Debug)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
    intro_seen: bool,
    limit: usize,
}

impl FrameReader {
    /// Frames larger than `limit` bytes are an error.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), intro_seen: false, limit }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame.
    pub(crate) fn next_frame(&mut self) -> Result<Option<BytesMut>, FrameError> {
        if !self.intro_seen && !self.take_intro()? {
            return Ok(None);
        }
        let Some(size) = length(&self.buffer) else {
            return Ok(None);
        };
        if size > self.limit {
            return Err(FrameError::TooLarge { size, limit: self.limit });
        }
        if self.buffer.len() < LENGTH_BYTES + size {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(self.buffer.split_to(size)))
    }

    /// The intro is an optional block of routing data (`ED 00 01`, a length, the data), then `WA`,
    /// the protocol's version and the version of the token dictionary.
    fn take_intro(&mut self) -> Result<bool, FrameError> {
        let mut at = 0;
        if !starts_like(&self.buffer, &EDGE_ROUTING) && !starts_like(&self.buffer, &WA_CONN_HEADER) {
            return Err(FrameError::Intro);
        }
        if self.buffer.starts_with(&EDGE_ROUTING) {
            let Some(size) = length(&self.buffer[EDGE_ROUTING.len()..]) else {
                return Ok(false);
            };
            if size > self.limit {
                return Err(FrameError::TooLarge { size, limit: self.limit });
            }
            at = EDGE_ROUTING.len() + LENGTH_BYTES + size;
        }
        let rest = self.buffer.get(at..).unwrap_or_default();
        if !starts_like(rest, &WA_CONN_HEADER) {
            return Err(FrameError::Intro);
        }
        if rest.len() < WA_CONN_HEADER.len() {
            return Ok(false);
        }
        self.buffer.advance(at + WA_CONN_HEADER.len());
        self.intro_seen = true;
        Ok(true)
    }
}

/// Whether `bytes` is the beginning of `pattern` or goes on after it.
fn starts_like(bytes: &[u8], pattern: &[u8]) -> bool {
    let common = bytes.len().min(pattern.len());
    bytes[..common] == pattern[..common]
}

fn length(bytes: &[u8]) -> Option<usize> {
    let [a, b, c] = *bytes.first_chunk::<LENGTH_BYTES>()?;
    Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
}

/// Puts a frame's length in front of what is about to be written.
pub(crate) fn push_length(size: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
    const LIMIT: usize = (1 << 24) - 1;
    match u32::try_from(size) {
        Ok(short) if size <= LIMIT => {
            out.extend_from_slice(&short.to_be_bytes()[1..]);
            Ok(())
        }
        _ => Err(FrameError::TooLarge { size, limit: LIMIT }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn stream(edge: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        if edge {
            bytes.extend_from_slice(&EDGE_ROUTING);
            bytes.extend_from_slice(&[0, 0, 5, 1, 2, 3, 4, 5]);
        }
        bytes.extend_from_slice(&WA_CONN_HEADER);
        for frame in [&b"first"[..], b"", b"third"] {
            push_length(frame.len(), &mut bytes).expect("short");
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    fn read_all(chunks: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        let mut reader = FrameReader::new(100);
        let mut frames = Vec::new();
        for chunk in chunks {
            reader.push(&chunk);
            while let Some(frame) = reader.next_frame().expect("good frames") {
                frames.push(frame.to_vec());
            }
        }
        frames
    }

    #[test]
    fn frames_come_out_however_the_bytes_are_cut() {
        for edge in [false, true] {
            let bytes = stream(edge);
            for size in 1..=bytes.len() {
                let frames = read_all(bytes.chunks(size).map(<[u8]>::to_vec));
                assert_eq!(frames, [b"first".to_vec(), Vec::new(), b"third".to_vec()], "edge {edge}, cut by {size}");
            }
        }
    }

    #[test]
    fn another_protocol_is_refused_at_its_first_bytes() {
        for start in [&b"GET / HTTP/1.1"[..], b"WA\x06\x02", b"ED\x00\x02", b"W\x00"] {
            let mut reader = FrameReader::new(100);
            reader.push(start);
            assert_eq!(reader.next_frame(), Err(FrameError::Intro), "{start:?}");
        }
    }

    #[test]
    fn an_oversized_frame_is_refused_before_it_arrives() {
        let mut reader = FrameReader::new(100);
        reader.push(&WA_CONN_HEADER);
        reader.push(&[0, 0, 101]);
        assert_eq!(reader.next_frame(), Err(FrameError::TooLarge { size: 101, limit: 100 }));
        let mut reader = FrameReader::new(100);
        reader.push(&EDGE_ROUTING);
        reader.push(&[255, 255, 255]);
        assert_eq!(reader.next_frame(), Err(FrameError::TooLarge { size: 0xFF_FFFF, limit: 100 }));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut rng = StdRng::seed_from_u64(5);
        for round in 0..2000_u32 {
            let mut reader = FrameReader::new(1000);
            if round % 2 == 0 {
                reader.push(&WA_CONN_HEADER);
            }
            let mut bytes = vec![0; (round % 97) as usize];
            rng.fill_bytes(&mut bytes);
            for chunk in bytes.chunks(7) {
                reader.push(chunk);
                while let Ok(Some(_)) = reader.next_frame() {}
            }
        }
    }
}
