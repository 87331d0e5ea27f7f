//! What the verifications' page says.

use kurir_core::domain::VerificationStatus;

use crate::gateway::admin::language::Language;

/// The words of one language.
pub(super) struct Words {
    pub title: &'static str,
    pub last_day: &'static str,
    pub list: &'static str,
    pub number: &'static str,
    pub status: &'static str,
    pub any: &'static str,
    pub search: &'static str,
    pub sends: &'static str,
    pub checks: &'static str,
    pub channel: &'static str,
    pub made: &'static str,
    pub ended: &'static str,
    pub conversion: &'static str,
    pub conversion_about: &'static str,
    pub by_country: &'static str,
    pub country: &'static str,
    pub no_country: &'static str,
    pub by_prefix: &'static str,
    pub prefix: &'static str,
    pub begun: &'static str,
    pub approved: &'static str,
    pub lost: &'static str,
    pub share: &'static str,
    pub blocked: &'static str,
    pub blocked_prefixes: &'static str,
    pub blocked_about: &'static str,
    pub none_blocked: &'static str,
    pub until: &'static str,
    pub unblock: &'static str,
    pub more_prefixes: &'static str,
}

const ID: Words = Words {
    title: "Verifikasi",
    last_day: "24 jam terakhir",
    list: "Daftar verifikasi",
    number: "Nomor",
    status: "Keadaan",
    any: "semua",
    search: "Cari",
    sends: "Dikirim",
    checks: "Dicoba",
    channel: "Lewat",
    made: "Dibuat",
    ended: "Selesai",
    conversion: "Kode yang kembali",
    conversion_about: "Berapa kode yang dimasukkan kembali oleh penerima. Tiap awalan dihitung sejak hitungannya dimulai lagi.",
    by_country: "Per negara",
    country: "Negara",
    no_country: "tidak dikenal",
    by_prefix: "Per awalan nomor, yang tersibuk",
    prefix: "Awalan",
    begun: "Dimulai",
    approved: "Disetujui",
    lost: "Tidak kembali",
    share: "Kembali",
    blocked: "Awalan diblokir",
    blocked_prefixes: "Awalan yang diblokir",
    blocked_about: "Kode ke awalan ini tidak pernah kembali, jadi untuk sementara tidak dikirim.",
    none_blocked: "Tidak ada awalan yang diblokir.",
    until: "Sampai",
    unblock: "Buka blokir",
    more_prefixes: "Masih ada awalan lain yang tidak ikut dihitung di sini.",
};

const EN: Words = Words {
    title: "Verifications",
    last_day: "Last 24 hours",
    list: "List of verifications",
    number: "Number",
    status: "Status",
    any: "any",
    search: "Search",
    sends: "Sent",
    checks: "Tried",
    channel: "By",
    made: "Made",
    ended: "Ended",
    conversion: "Codes that come back",
    conversion_about: "How many codes recipients give back. Each prefix counts since its count began anew.",
    by_country: "By country",
    country: "Country",
    no_country: "unknown",
    by_prefix: "By prefix of the number, the busiest",
    prefix: "Prefix",
    begun: "Begun",
    approved: "Approved",
    lost: "Lost",
    share: "Came back",
    blocked: "Blocked prefixes",
    blocked_prefixes: "Prefixes that are blocked",
    blocked_about: "Codes to these prefixes never came back, so none are sent for a while.",
    none_blocked: "No prefix is blocked.",
    until: "Until",
    unblock: "Unblock",
    more_prefixes: "There are more prefixes that are not counted here.",
};

/// The words of this language.
pub(super) const fn of(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

/// A verification's status, for people, and how it is coloured.
pub(super) const fn status(language: Language, status: VerificationStatus) -> (&'static str, &'static str) {
    let (id, en, colour) = match status {
        VerificationStatus::Pending => ("menunggu kode", "waits for the code", "wait"),
        VerificationStatus::Approved => ("disetujui", "approved", "good"),
        VerificationStatus::Expired => ("kedaluwarsa", "expired", "bad"),
        VerificationStatus::MaxAttemptsReached => ("terlalu banyak salah", "too many wrong codes", "bad"),
        VerificationStatus::Canceled => ("dibatalkan", "canceled", "faint"),
    };
    (language.of_two(id, en), colour)
}
