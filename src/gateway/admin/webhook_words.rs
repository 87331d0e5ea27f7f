//! What the pages of webhooks say.

use kurir_core::domain::{DeliveryState, DisabledReason};

use super::language::Language;

/// The words of one language.
pub(super) struct Words {
    pub title: &'static str,
    pub label: &'static str,
    pub url: &'static str,
    pub types: &'static str,
    pub types_hint: &'static str,
    pub sessions: &'static str,
    pub sessions_hint: &'static str,
    pub all: &'static str,
    pub state: &'static str,
    pub told: &'static str,
    pub failing: &'static str,
    pub failures: &'static str,
    pub since: &'static str,
    pub until: &'static str,
    pub disabled: &'static str,
    pub made: &'static str,
    pub old_secret: &'static str,
    pub add: &'static str,
    pub save: &'static str,
    pub settings: &'static str,
    pub secret: &'static str,
    pub once: &'static str,
    pub test: &'static str,
    pub enable: &'static str,
    pub disable: &'static str,
    pub rotate: &'static str,
    pub rotate_ask: &'static str,
    pub remove: &'static str,
    pub remove_ask: &'static str,
    pub replay: &'static str,
    pub replay_hint: &'static str,
    pub deliveries: &'static str,
    pub event: &'static str,
    pub attempts: &'static str,
    pub again: &'static str,
    by_request: &'static str,
    gone: &'static str,
    too_long: &'static str,
    pending: &'static str,
    delivered: &'static str,
    failed: &'static str,
}

const ID: Words = Words {
    title: "Webhook",
    label: "Nama",
    url: "Alamat",
    types: "Peristiwa",
    types_hint: "misalnya message.* session.disconnected; * untuk semua",
    sessions: "Sesi",
    sessions_hint: "ID sesi dipisah spasi; kosong: semua",
    all: "semua",
    state: "Keadaan",
    told: "aktif",
    failing: "gagal",
    failures: "kali gagal",
    since: "sejak",
    until: "sampai",
    disabled: "nonaktif",
    made: "Dibuat",
    old_secret: "Rahasia lama berlaku sampai",
    add: "Tambah webhook",
    save: "Simpan",
    settings: "Pengaturan",
    secret: "Rahasia webhook",
    once: "Rahasia ini hanya ditampilkan sekali. Salin sekarang untuk memeriksa tanda tangan.",
    test: "Kirim percobaan",
    enable: "Aktifkan",
    disable: "Nonaktifkan",
    rotate: "Ganti rahasia",
    rotate_ask: "Rahasia baru dibuat. Rahasia lama ikut menandatangani selama satu hari.",
    remove: "Hapus webhook",
    remove_ask: "Webhook dan catatan pengirimannya dihapus.",
    replay: "Kirim ulang peristiwa",
    replay_hint: "waktu UTC",
    deliveries: "Pengiriman",
    event: "Peristiwa",
    attempts: "Percobaan",
    again: "Coba lagi",
    by_request: "atas permintaan",
    gone: "alamat menjawab 410",
    too_long: "gagal terlalu lama",
    pending: "menunggu",
    delivered: "terkirim",
    failed: "gagal",
};

const EN: Words = Words {
    title: "Webhooks",
    label: "Name",
    url: "Address",
    types: "Events",
    types_hint: "like message.* session.disconnected; * for all",
    sessions: "Sessions",
    sessions_hint: "ids with spaces between; empty: all",
    all: "all",
    state: "State",
    told: "active",
    failing: "failing",
    failures: "failures",
    since: "since",
    until: "until",
    disabled: "disabled",
    made: "Made",
    old_secret: "The old secret signs until",
    add: "Add a webhook",
    save: "Save",
    settings: "Settings",
    secret: "The webhook's secret",
    once: "The secret is shown this once. Copy it now, to check signatures with.",
    test: "Send a test",
    enable: "Enable",
    disable: "Disable",
    rotate: "Replace the secret",
    rotate_ask: "A new secret is made. The old one signs as well for a day.",
    remove: "Remove the webhook",
    remove_ask: "The webhook and the log of its deliveries are removed.",
    replay: "Tell events again",
    replay_hint: "UTC",
    deliveries: "Deliveries",
    event: "Event",
    attempts: "Attempts",
    again: "Try again",
    by_request: "by request",
    gone: "it answered 410",
    too_long: "it failed for too long",
    pending: "waiting",
    delivered: "delivered",
    failed: "failed",
};

/// The words of this language.
pub(super) const fn of(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

impl Words {
    /// Why a webhook is told nothing.
    pub const fn reason(&self, reason: DisabledReason) -> &'static str {
        match reason {
            DisabledReason::ByRequest => self.by_request,
            DisabledReason::Gone => self.gone,
            DisabledReason::Failing => self.too_long,
        }
    }

    /// Where a delivery stands, and the colour of that.
    pub const fn delivery(&self, state: DeliveryState) -> (&'static str, &'static str) {
        match state {
            DeliveryState::Pending => (self.pending, "badge wait"),
            DeliveryState::Delivered => (self.delivered, "badge good"),
            DeliveryState::Failed => (self.failed, "badge bad"),
        }
    }
}
