//! Reading a QR code from a picture.

use png::{BitDepth, ColorType, Transformations};

use crate::error::SimError;

/// Pixels of the largest picture: a screen of 4K, with room.
const PIXELS: usize = 16_000_000;

/// The text of the first code in a PNG picture that reads as text.
///
/// It takes some milliseconds per megapixel, so call it where blocking is allowed.
pub(super) fn read(png: &[u8]) -> Result<String, SimError> {
    let bad = |reason| SimError::BadPicture { reason };
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|_| bad("it is not a PNG"))?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.saturating_mul(height) > PIXELS {
        return Err(bad("it has more than 16 million pixels"));
    }
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(bad("it is too large"))?];
    let frame = reader.next_frame(&mut pixels).map_err(|_| bad("the PNG is damaged"))?;
    if frame.bit_depth != BitDepth::Eight {
        return Err(bad("it has an unusual depth of colours"));
    }
    let samples = match frame.color_type {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err(bad("its palette is missing")),
    };
    let grey = |x: usize, y: usize| shade(&pixels[y * frame.line_size + x * samples..][..samples]);
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    picture
        .detect_grids()
        .iter()
        .find_map(|grid| grid.decode().ok())
        .map(|(_, text)| text)
        .ok_or(bad("there is no readable QR code in it; give one that is sharp and whole, with its white margin"))
}

/// How bright a pixel is, on white where it is transparent.
fn shade(pixel: &[u8]) -> u8 {
    let mean = |colours: &[u8]| {
        let sum: usize = colours.iter().map(|&colour| usize::from(colour)).sum();
        sum / colours.len()
    };
    let (colours, opacity) = match pixel.len() {
        2 | 4 => (&pixel[..pixel.len() - 1], usize::from(pixel[pixel.len() - 1])),
        _ => (pixel, 255),
    };
    let shade = (mean(colours) * opacity + 255 * (255 - opacity)) / 255;
    u8::try_from(shade).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of a code with `scale` pixels per module and a margin of four modules.
    fn picture(text: &str, scale: usize, colour: ColorType) -> Vec<u8> {
        let code = qrcode::QrCode::new(text).expect("fits");
        let side = (code.width() + 8) * scale;
        let dark = |x: usize, y: usize| {
            let module = |at: usize| (at / scale).checked_sub(4).filter(|at| *at < code.width());
            matches!((module(x), module(y)), (Some(x), Some(y)) if code[(x, y)] == qrcode::Color::Dark)
        };
        let mut pixels = Vec::new();
        for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
            match colour {
                ColorType::Rgba => pixels.extend(if dark(x, y) { [0, 0, 0, 255] } else { [0, 0, 0, 0] }),
                _ => pixels.push(if dark(x, y) { 20 } else { 240 }),
            }
        }
        let mut png = Vec::new();
        let length = u32::try_from(side).expect("small");
        let mut encoder = png::Encoder::new(&mut png, length, length);
        encoder.set_color(colour);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header().expect("a header").write_image_data(&pixels).expect("pixels");
        png
    }

    #[test]
    fn codes_are_read_grey_or_on_a_transparent_ground() {
        let text = format!("2@{},{}", "abcdEFGH/+".repeat(12), "x".repeat(140));
        for (scale, colour) in [(2, ColorType::Grayscale), (4, ColorType::Grayscale), (3, ColorType::Rgba)] {
            assert_eq!(read(&picture(&text, scale, colour)).expect("readable"), text);
        }
    }

    #[test]
    fn other_pictures_are_refused_with_a_reason() {
        let good = picture("hello", 3, ColorType::Grayscale);
        let mut huge = good.clone();
        huge[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        for picture in [&b"GIF89a"[..], &[], &good[..good.len() / 2], &huge] {
            assert!(matches!(read(picture), Err(SimError::BadPicture { .. })));
        }
    }
}
