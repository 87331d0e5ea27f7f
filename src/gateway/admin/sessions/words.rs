//! The words of the sessions' pages.

use std::time::Duration;

use kurir_core::domain::FailReason;

use crate::gateway::admin::language::Language;

/// The words of one language.
pub(super) struct Words {
    pub sessions: &'static str,
    pub cards: &'static str,
    pub add: &'static str,
    pub find: &'static str,
    pub find_hint: &'static str,
    pub state: &'static str,
    pub any_state: &'static str,
    pub search: &'static str,
    pub nothing_found: &'static str,
    pub default: &'static str,
    pub since: &'static str,
    pub created: &'static str,
    pub number: &'static str,
    pub device: &'static str,
    pub not_linked: &'static str,
    pub worker: &'static str,
    pub no_worker: &'static str,
    pub wished_worker: &'static str,
    pub pool: &'static str,
    pub no_pool: &'static str,
    pub labels: &'static str,
    pub no_labels: &'static str,
    pub wanted: &'static str,
    pub id: &'static str,
    pub name: &'static str,
    pub no_name: &'static str,
    pub connect: &'static str,
    pub details: &'static str,
    pub facts: &'static str,
    pub limits: &'static str,
    pub events: &'static str,
    pub event: &'static str,
    pub at: &'static str,
    pub no_events: &'static str,
    pub settings: &'static str,
    pub start: &'static str,
    pub stop: &'static str,
    pub restart: &'static str,
    pub log_out: &'static str,
    pub delete: &'static str,
    pub save_name: &'static str,
    pub save_labels: &'static str,
    pub labels_hint: &'static str,
    pub save_pool: &'static str,
    pub pool_hint: &'static str,
    pub save_limits: &'static str,
    pub move_to: &'static str,
    pub any_worker: &'static str,
    pub move_hint: &'static str,
    pub holds_sessions: &'static str,
    pub make_default: &'static str,
    pub default_hint: &'static str,
    pub is_default: &'static str,
    pub back_to_list: &'static str,
    pub close: &'static str,
}

const ID: Words = Words {
    sessions: "Sesi",
    cards: "Daftar sesi",
    add: "Tambah sesi",
    find: "Nama atau ID",
    find_hint: "persis seperti tertulis",
    state: "Status",
    any_state: "semua",
    search: "Cari",
    nothing_found: "Tidak ada sesi yang cocok.",
    default: "bawaan",
    since: "Sejak",
    created: "Dibuat",
    number: "Nomor",
    device: "perangkat ke-",
    not_linked: "belum tertaut",
    worker: "Worker",
    no_worker: "belum ada",
    wished_worker: "Diminta pindah ke",
    pool: "Pool",
    no_pool: "tidak ada",
    labels: "Label",
    no_labels: "tidak ada",
    wanted: "Diminta",
    id: "ID",
    name: "Nama",
    no_name: "tanpa nama",
    connect: "Hubungkan WhatsApp",
    details: "Rincian",
    facts: "Keadaan",
    limits: "Batas hari ini",
    events: "Kejadian terakhir",
    event: "Kejadian",
    at: "Waktu",
    no_events: "Tidak ada kejadian dalam tujuh hari terakhir.",
    settings: "Pengaturan",
    start: "Jalankan",
    stop: "Hentikan",
    restart: "Sambungkan ulang",
    log_out: "Keluar dari WhatsApp",
    delete: "Hapus sesi",
    save_name: "Simpan nama",
    save_labels: "Simpan label",
    labels_hint: "Satu label per baris, misalnya kota: bandung. Paling banyak 16.",
    save_pool: "Simpan pool",
    pool_hint: "Sesi dalam satu pool berbagi antrean. Kosongkan untuk keluar dari pool.",
    save_limits: "Simpan batas sesi ini",
    move_to: "Pindahkan ke worker",
    any_worker: "worker mana saja",
    move_hint: "Sesi tetap di worker ini selama worker itu hidup.",
    holds_sessions: "sesi",
    make_default: "Jadikan sesi bawaan",
    default_hint: "Sesi bawaan mengirim pesan yang tidak menyebut sesi.",
    is_default: "Ini sesi bawaan: mengirim pesan yang tidak menyebut sesi.",
    back_to_list: "Semua sesi",
    close: "Tutup",
};

const EN: Words = Words {
    sessions: "Sessions",
    cards: "List of sessions",
    add: "Add a session",
    find: "Name or ID",
    find_hint: "exactly as it is written",
    state: "State",
    any_state: "all",
    search: "Search",
    nothing_found: "No session fits.",
    default: "default",
    since: "Since",
    created: "Created",
    number: "Number",
    device: "device ",
    not_linked: "not linked yet",
    worker: "Worker",
    no_worker: "none yet",
    wished_worker: "Is to move to",
    pool: "Pool",
    no_pool: "none",
    labels: "Labels",
    no_labels: "none",
    wanted: "Wanted",
    id: "ID",
    name: "Name",
    no_name: "no name",
    connect: "Connect WhatsApp",
    details: "Details",
    facts: "How it does",
    limits: "Limits today",
    events: "Latest events",
    event: "Event",
    at: "Time",
    no_events: "Nothing happened in the last seven days.",
    settings: "Settings",
    start: "Start",
    stop: "Stop",
    restart: "Restart",
    log_out: "Log out of WhatsApp",
    delete: "Delete the session",
    save_name: "Save the name",
    save_labels: "Save the labels",
    labels_hint: "One label a line, like city: bandung. At most 16.",
    save_pool: "Save the pool",
    pool_hint: "Sessions of one pool share a queue. Leave it empty to take the session out of its pool.",
    save_limits: "Save its limits",
    move_to: "Move to a worker",
    any_worker: "any worker",
    move_hint: "The session stays with this worker as long as it lives.",
    holds_sessions: "sessions",
    make_default: "Make it the default session",
    default_hint: "The default session sends messages that name no session.",
    is_default: "This is the default session: it sends messages that name none.",
    back_to_list: "All sessions",
    close: "Close",
};

/// The words of this language.
pub(super) const fn of(language: Language) -> &'static Words {
    language.of_two(&ID, &EN)
}

/// A span of time, for people.
pub(super) fn span(language: Language, span: Duration) -> String {
    let millis = span.as_millis();
    let (count, id, en) = match millis {
        0..1000 => (millis, "milidetik", "ms"),
        1000..120_000 if millis.is_multiple_of(1000) => (millis / 1000, "detik", "s"),
        _ if millis.is_multiple_of(60_000) => (millis / 60_000, "menit", "min"),
        _ => return format!("{:.1} {}", span.as_secs_f64(), language.of_two("detik", "s")),
    };
    format!("{count} {}", language.of_two(id, en))
}

/// Why a session rests or is not connected, for people.
pub(super) const fn why(language: Language, reason: FailReason) -> &'static str {
    match reason {
        FailReason::RateLimited => {
            language.of_two("WhatsApp meminta pengiriman diperlambat", "WhatsApp told it to slow down")
        }
        FailReason::SenderRestricted => language.of_two(
            "WhatsApp membatasi akun ini untuk memulai percakapan baru",
            "WhatsApp keeps this account from opening new chats",
        ),
        FailReason::SenderBanned => language.of_two("akun diblokir WhatsApp", "WhatsApp bans the account"),
        FailReason::SenderLoggedOut => {
            language.of_two("perangkat dikeluarkan dari ponsel", "the device was logged out on the phone")
        }
        FailReason::SenderDisconnected => language.of_two("sambungan terputus", "the connection is gone"),
        FailReason::NoAnswer => language.of_two("WhatsApp tidak menjawab", "WhatsApp did not answer"),
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        for (millis, id, en) in [
            (200, "200 milidetik", "200 ms"),
            (3000, "3 detik", "3 s"),
            (60_000, "60 detik", "60 s"),
            (180_000, "3 menit", "3 min"),
            (1500, "1.5 detik", "1.5 s"),
        ] {
            let given = Duration::from_millis(millis);
            assert_eq!((span(Language::Id, given).as_str(), span(Language::En, given).as_str()), (id, en));
        }
    }
}
