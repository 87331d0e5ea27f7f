//! What the use cases of sessions refuse, in the reader's language.

use axum::http::StatusCode;

use super::own_limits;
use crate::gateway::admin::language::Language;
use crate::gateway::admin::refusal::Refused;
use crate::gateway::usecase::UseCaseError;

/// What is said of a refusal.
pub(super) struct Problem {
    pub status: StatusCode,
    pub text: String,
}

impl Problem {
    /// In words of ours where there are some, else in the use case's.
    pub fn of(language: Language, error: UseCaseError) -> Self {
        let own = in_words(language, &error);
        let (status, text) = Refused::UseCase(error).told(language);
        Self { status, text: own.map_or(text, str::to_owned) }
    }

    /// A form that is not filled in as it should be.
    pub fn form(text: &str) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, text: text.to_owned() }
    }
}

fn in_words(language: Language, error: &UseCaseError) -> Option<&'static str> {
    let (id, en) = match error {
        UseCaseError::SessionExists(_) => ("Sudah ada sesi dengan ID ini.", "There is a session of this ID already."),
        UseCaseError::SessionIdTaken => (
            "ID ini sudah dipakai. Pilih yang lain, atau kosongkan.",
            "This ID is taken. Choose another one, or leave it empty.",
        ),
        UseCaseError::PoolTaken => {
            ("Nama pool ini sudah dipakai. Pilih yang lain.", "This pool's name is taken. Choose another one.")
        }
        UseCaseError::SessionDeleted => {
            ("Sesi ini sedang keluar atau dihapus.", "The session is being logged out or deleted.")
        }
        UseCaseError::NotDeclared => (
            "Sesi dibuat, tetapi antrean tidak menjawab. Kirim formulir ini sekali lagi.",
            "The session was created, but the queue did not answer. Send this form once more.",
        ),
        UseCaseError::NotConnected { soon: true, .. } => {
            ("Sesi belum siap. Coba lagi sebentar.", "The session is not ready yet. Try again in a moment.")
        }
        UseCaseError::NotConnected { soon: false, .. } => {
            ("Sesi tidak berjalan. Jalankan dulu.", "The session does not run. Start it first.")
        }
        UseCaseError::SessionBusy => (
            "Terlalu banyak permintaan untuk sesi ini. Coba lagi sebentar.",
            "Too much is asked of this session. Try again in a moment.",
        ),
        UseCaseError::NoAnswer => ("Tidak ada jawaban. Coba lagi.", "No answer came. Try again."),
        UseCaseError::Linked { .. } => ("Sesi ini sudah tertaut.", "The session is linked already."),
        UseCaseError::WhatsAppRefused => {
            ("WhatsApp menolak permintaan ini. Coba lagi nanti.", "WhatsApp refused this. Try again later.")
        }
        UseCaseError::Field { field, .. } => match *field {
            "id" => (
                "ID: huruf, angka, - dan _ saja, paling banyak 64; bukan “default”.",
                "ID: letters, digits, - and _ only, at most 64; not “default”.",
            ),
            "name" => (
                "Nama: 1 sampai 100 karakter, tanpa spasi di awal atau akhir.",
                "Name: 1 to 100 characters, no space at its beginning or end.",
            ),
            "labels" => (
                "Label: paling banyak 16; kunci dari huruf kecil, angka, titik, - dan _, nilai paling banyak 64 karakter.",
                "Labels: at most 16; keys of small letters, digits, dots, - and _, values of at most 64 characters.",
            ),
            "pool" => (
                "Pool: huruf, angka, - dan _ saja, paling banyak 64.",
                "Pool: letters, digits, - and _ only, at most 64.",
            ),
            "worker" => ("Ini bukan nama worker.", "This is no worker's name."),
            "number" => (
                "Ini bukan nomor telepon. Contoh: 0812 3456 7890 atau +62 812 3456 7890.",
                "This is no phone number. Examples: 0812 3456 7890 or +62 812 3456 7890.",
            ),
            other => return own_limits::refused(language, other),
        },
        _ => return None,
    };
    Some(language.of_two(id, en))
}
