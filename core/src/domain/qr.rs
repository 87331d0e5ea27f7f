//! A pairing code and its drawings.

use qrcode::render::{svg, unicode};
use serde::{Deserialize, Serialize};

use super::{Secret, Timestamp};

/// Pixels per module in a PNG, and the quiet zone around it in modules; a phone reads it from a screen at arm's length.
const SCALE: usize = 6;
const QUIET: usize = 4;

/// A QR code that waits to be scanned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrCode {
    /// What the code says. Whoever scans it links the session to a phone, so it is secret.
    pub text: Secret<String>,
    /// When WhatsApp stops taking it.
    pub expires_at: Timestamp,
}

/// Why a text can't be drawn.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// Too long for a QR code.
    #[error("a text of {len} bytes does not fit into a QR code")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The picture could not be written.
    #[error("the QR code could not be written as PNG")]
    Png(#[from] png::EncodingError),
}

impl QrCode {
    fn matrix(&self) -> Result<qrcode::QrCode, QrError> {
        let text = self.text.expose();
        qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L)
            .map_err(|_| QrError::TooLong { len: text.len() })
    }

    /// A drawing for a terminal, two modules a character. The light modules are drawn in the colour of the text, so
    /// that the code is dark on light on terminals with light text on a dark ground, as nearly all are.
    pub fn terminal(&self) -> Result<String, QrError> {
        use unicode::Dense1x2::{Dark, Light};
        let matrix = self.matrix()?;
        Ok(matrix.render::<unicode::Dense1x2>().dark_color(Light).light_color(Dark).quiet_zone(true).build())
    }

    /// A drawing for a web page.
    pub fn svg(&self) -> Result<String, QrError> {
        Ok(self.matrix()?.render::<svg::Color<'_>>().min_dimensions(256, 256).quiet_zone(true).build())
    }

    /// A black and white PNG.
    pub fn png(&self) -> Result<Vec<u8>, QrError> {
        let code = self.matrix()?;
        let modules = code.width();
        let side = (modules + 2 * QUIET) * SCALE;
        let stride = side.div_ceil(8);
        // One bit a pixel, 1 is white.
        let mut pixels = vec![0xffu8; stride * side];
        for y in 0..modules * SCALE {
            for x in 0..modules * SCALE {
                if code[(x / SCALE, y / SCALE)] == qrcode::Color::Dark {
                    let (px, py) = (x + QUIET * SCALE, y + QUIET * SCALE);
                    pixels[py * stride + px / 8] &= !(0x80 >> (px % 8));
                }
            }
        }
        let mut out = Vec::new();
        // A QR code has at most 177 modules, so its side fits easily.
        let side = u32::try_from(side).unwrap_or(u32::MAX);
        let mut encoder = png::Encoder::new(&mut out, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        encoder.write_header()?.write_image_data(&pixels)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> QrCode {
        QrCode { text: Secret::new(text.to_owned()), expires_at: Timestamp::from_millis(0) }
    }

    #[test]
    fn the_png_has_the_modules_where_the_code_has_them() {
        let code = code("2@abc,def,ghi,jkl");
        let bytes = code.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let matrix = code.matrix().unwrap();
        for y in 0..matrix.width() {
            for x in 0..matrix.width() {
                let (px, py) = ((x + QUIET) * SCALE + 2, (y + QUIET) * SCALE + 3);
                let white = pixels[py * info.line_size + px / 8] & (0x80 >> (px % 8)) != 0;
                assert_eq!(white, matrix[(x, y)] == qrcode::Color::Light, "module {x},{y}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_an_error() {
        assert!(matches!(code(&"x".repeat(4000)).svg(), Err(QrError::TooLong { len: 4000 })));
        assert!(code("short").svg().unwrap().contains("<svg"));
        assert!(code("short").terminal().unwrap().lines().count() > 10);
    }
}
