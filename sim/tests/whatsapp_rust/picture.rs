//! Pictures of QR codes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A picture of a code, as a screenshot would have it: in base64, PNG.
pub fn picture(text: &str) -> String {
    const SCALE: usize = 4;
    const MARGIN: usize = 30;
    let code = qrcode::QrCode::new(text).expect("fits");
    let side = code.width() * SCALE + 2 * MARGIN;
    let module = |at: usize| at.checked_sub(MARGIN).map(|at| at / SCALE).filter(|at| *at < code.width());
    let shade = |x: usize, y: usize| match (module(x), module(y)) {
        (Some(x), Some(y)) if code[(x, y)] == qrcode::Color::Dark => 0,
        _ => 255,
    };
    let pixels: Vec<u8> = (0..side * side).map(|at| shade(at % side, at / side)).collect();
    let mut png = Vec::new();
    let side = u32::try_from(side).expect("small");
    let mut encoder = png::Encoder::new(&mut png, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().expect("a header").write_image_data(&pixels).expect("pixels");
    STANDARD.encode(png)
}
