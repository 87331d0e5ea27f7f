//! Refusals in Indonesian, for the dialects whose users read it.

use kurir_core::domain::{FailReason, MessageState};

use super::Refusal;

/// What a refusal is called.
pub(super) fn words(refusal: &Refusal) -> String {
    let plain = match refusal {
        Refusal::SessionExists(id) if !id.is_empty() => return format!("Session {id} sudah ada"),
        Refusal::FileType(kind) => return format!("Tipe file {kind} tidak didukung"),
        Refusal::TooSoon(wait) => {
            let seconds = wait.as_millis().div_ceil(1000);
            return format!("OTP sudah dikirim ke nomor ini, coba lagi dalam {seconds} detik");
        }
        Refusal::SessionExists(_) => "Session sudah ada",
        Refusal::NoKey => "API key diperlukan",
        Refusal::BadKey => "API key tidak valid",
        Refusal::NotAllowed => "API key ini tidak memiliki izin untuk permintaan ini",
        Refusal::TooFast(_) => "Terlalu banyak permintaan, coba lagi nanti",
        Refusal::BadBody => "Format permintaan tidak valid",
        Refusal::BodyTooLarge => "Permintaan terlalu besar",
        Refusal::Missing("to") => "Nomor telepon diperlukan",
        Refusal::Missing("message") => "Pesan diperlukan",
        Refusal::Missing("sessionId") => "Session ID diperlukan",
        Refusal::Missing("name") => "Nama session diperlukan",
        Refusal::Missing("file") => "File diperlukan",
        Refusal::Missing(_) => "Parameter tidak lengkap",
        Refusal::Bad { field: "sessionId" | "id", .. } => {
            "Session ID tidak valid: gunakan huruf, angka, '-' dan '_' (maksimal 64 karakter)"
        }
        Refusal::Bad { .. } => "Parameter tidak valid",
        Refusal::BadNumber => "Nomor telepon tidak valid, gunakan format 08123456789 atau 628123456789",
        Refusal::FileTooLarge => "Ukuran file terlalu besar",
        Refusal::NoSession => "Session tidak ditemukan",
        Refusal::NoMessage => "Pesan tidak ditemukan",
        Refusal::NotConnected(_) => "Session tidak terhubung",
        Refusal::Linked => "Session sudah terhubung",
        Refusal::NoQr => "QR code belum tersedia, coba lagi sebentar",
        Refusal::NotSent { reason: Some(FailReason::NotOnWhatsapp), .. } => "Nomor tidak terdaftar di WhatsApp",
        Refusal::NotSent { state: MessageState::Expired, .. } => "Pesan kedaluwarsa sebelum terkirim",
        Refusal::NotSent { .. } => "Pesan gagal dikirim",
        Refusal::Full => "Antrean penuh, coba lagi nanti",
        Refusal::TookTooLong | Refusal::Unavailable => "Layanan sedang tidak tersedia, coba lagi nanti",
        Refusal::NoSuchPath => "Endpoint tidak ditemukan",
        Refusal::WrongMethod => "Metode tidak diizinkan",
    };
    plain.to_owned()
}
