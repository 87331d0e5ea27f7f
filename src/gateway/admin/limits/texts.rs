//! What the limits' page says.
//!
//! The table's own texts come from the configuration, in English; here they are in Indonesian. One that is not here stays
//! English.

use crate::gateway::admin::language::Language;

/// The words of one language.
pub(super) struct Words {
    pub title: &'static str,
    pub how: &'static str,
    pub or_else: &'static str,
    pub then: &'static str,
    pub all: &'static str,
    pub limit: &'static str,
    pub value: &'static str,
    pub set_in: &'static str,
    pub over: &'static str,
    pub down: &'static str,
    pub is_default: &'static str,
    pub default: &'static str,
    pub not_set: &'static str,
    pub sessions: &'static str,
    pub sessions_about: &'static str,
    pub session: &'static str,
    pub cap: &'static str,
    pub warm_up: &'static str,
    pub sent: &'static str,
    pub left: &'static str,
    pub new_left: &'static str,
    pub next_day: &'static str,
    pub rests: &'static str,
    pub alone: &'static str,
    pub as_all: &'static str,
    pub no_limit: &'static str,
    pub bulk: &'static str,
}

const ID: Words = Words {
    title: "Batas",
    how: "Batas satu sesi diubah di halamannya (klik namanya di bawah). Batas untuk semua ditetapkan di berkas konfigurasi: semua \
          worker dan gateway harus memakai nilai yang sama. Tulis pengaturannya di berkas itu, misalnya:",
    or_else: "Atau sebagai variabel lingkungan:",
    then: "Lalu mulai ulang worker dan gateway satu per satu. Yang tampak di bawah adalah nilai yang dipakai gateway ini.",
    all: "Semua batas",
    limit: "Batas",
    value: "Nilai",
    set_in: "Pengaturan",
    over: "Kalau terlampaui",
    down: "Kalau tempat menghitungnya mati",
    is_default: "bawaan",
    default: "bawaan",
    not_set: "tidak diatur di sini",
    sessions: "Per sesi, hari ini",
    sessions_about: "Menurut pesan terakhir tiap sesi. Hari dimulai tengah malam di zona waktu nomornya.",
    session: "Sesi",
    cap: "Batas hari ini",
    warm_up: "pemanasan hari ke-",
    sent: "Terkirim",
    left: "Sisa",
    new_left: "Sisa penerima baru",
    next_day: "Hari berikutnya",
    rests: "istirahat sampai",
    alone: "Khusus sesi ini",
    as_all: "seperti yang lain",
    no_limit: "tanpa batas",
    bulk: "massal",
};

const EN: Words = Words {
    title: "Limits",
    how: "The limits of one session are changed on its own page (follow its name below). Those of all are set in the configuration \
          file, since all workers and gateways must go by the same values. Write the setting into that file, like this:",
    or_else: "Or as a variable of the environment:",
    then: "Then restart workers and gateways one by one. What is shown below is what this gateway goes by.",
    all: "All limits",
    limit: "Limit",
    value: "Value",
    set_in: "Settings",
    over: "Over it",
    down: "While its place is down",
    is_default: "the default",
    default: "default",
    not_set: "not set here",
    sessions: "By session, today",
    sessions_about: "As of each session's last message. Days begin at midnight in the time zone of the number.",
    session: "Session",
    cap: "Cap today",
    warm_up: "warm-up, day",
    sent: "Sent",
    left: "Left",
    new_left: "New recipients left",
    next_day: "Next day",
    rests: "rests until",
    alone: "For it alone",
    as_all: "like the others",
    no_limit: "no limit",
    bulk: "bulk",
};

/// The words of this language.
pub(super) const fn of(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

/// A text of the table in this language; `None`: there is only the English one.
pub(super) fn translated(language: Language, text: &str) -> Option<&str> {
    match language {
        Language::En => Some(text),
        Language::Id => INDONESIAN.iter().find(|(english, _)| *english == text).map(|(_, indonesian)| *indonesian),
    }
}

const INDONESIAN: &[(&str, &str)] = &[
    // What is limited.
    ("sender: pace and burst", "pengirim: laju dan lonjakan"),
    ("sender: daily cap", "pengirim: batas harian"),
    ("sender: warm-up of a new number", "pengirim: pemanasan nomor baru"),
    ("sender: new recipients", "pengirim: penerima baru"),
    ("sender: share of the day kept for OTPs", "pengirim: jatah harian yang disimpan untuk OTP"),
    ("recipient: one OTP per span", "penerima: satu OTP per jangka waktu"),
    ("recipient: OTPs in 24 hours", "penerima: OTP dalam 24 jam"),
    ("number checks of a session", "pemeriksaan nomor oleh satu sesi"),
    (
        "WhatsApp: no new chats (463, 475, timelock, quota)",
        "WhatsApp: tidak boleh memulai chat baru (463, 475, timelock, kuota)",
    ),
    ("WhatsApp: too fast (429)", "WhatsApp: terlalu cepat (429)"),
    ("attempts on the wire", "percobaan kirim"),
    ("gateway: requests of an API key", "gateway: permintaan satu kunci API"),
    ("gateway: messages that wait in a queue", "gateway: pesan yang menunggu di satu antrean"),
    ("gateway: size of a request, connections", "gateway: ukuran permintaan, koneksi"),
    ("gateway: streams of events", "gateway: aliran kejadian"),
    ("admin page: wrong passwords", "halaman admin: kata sandi salah"),
    ("admin page: a sign-in", "halaman admin: waktu masuk"),
    ("size of a file", "ukuran berkas"),
    ("what a tenant's files take together", "semua berkas satu penyewa"),
    ("jobs in a queue", "isi satu antrean"),
    ("deliveries of a job", "penyerahan satu pekerjaan"),
    ("verification: codes given back", "verifikasi: kode yang dicoba"),
    ("verification: sendings of its code", "verifikasi: pengiriman kodenya"),
    ("codes to a number", "kode ke satu nomor"),
    ("codes to a prefix", "kode ke satu awalan nomor"),
    ("codes to a country", "kode ke satu negara"),
    ("codes asked for by an address", "kode yang diminta satu alamat IP"),
    ("countries that get codes", "negara yang boleh menerima kode"),
    ("prefixes whose codes never come back", "awalan yang kodenya tidak pernah kembali"),
    // What happens over it.
    (
        "waits in line, OTPs first; `expired` as soon as its turn would come after its deadline; a pool's goes to another sender",
        "menunggu giliran, OTP dulu; `expired` begitu gilirannya akan lewat batas waktunya; pesan sebuah pool pindah ke pengirim lain",
    ),
    (
        "parked until the sender's next day; waits if that is within `worker.max_wait`",
        "diparkir sampai hari pengirim berikutnya; menunggu kalau masih dalam `worker.max_wait`",
    ),
    (
        "bulk jobs meet the caps above earlier by this share",
        "pesan massal mencapai batas di atas lebih awal sebesar jatah ini",
    ),
    (
        "parked until it may go; `expired` if that is past the deadline",
        "diparkir sampai boleh jalan; `expired` kalau lewat batas waktunya",
    ),
    ("waits for its turn", "menunggu giliran"),
    (
        "429 with `Retry-After`: 2s, doubled with each further one, at most 5m; forgotten after 30m",
        "429 dengan `Retry-After`: 2s, lalu dua kali lipat tiap kali, paling lama 5m; dilupakan setelah 30m",
    ),
    ("back to the sign-in", "kembali ke halaman masuk"),
    ("503: nobody comes in", "503: tidak ada yang dapat masuk"),
    (
        "the sender rests, `session.limited`; jobs are parked until the end of the rest",
        "pengirim beristirahat, `session.limited`; pesan diparkir sampai istirahat selesai",
    ),
    (
        "the sender rests, `session.limited`; jobs wait or are parked until the end of the rest",
        "pengirim beristirahat, `session.limited`; pesan menunggu atau diparkir sampai istirahat selesai",
    ),
    ("`failed`, or `uncertain`", "`failed`, atau `uncertain`"),
    ("429 with `Retry-After`", "429 dengan `Retry-After`"),
    (
        "429 `queue_full` with `Retry-After`; rows of a batch beyond it are refused",
        "429 `queue_full` dengan `Retry-After`; baris kiriman massal selebihnya ditolak",
    ),
    (
        "413; the longest idle connection ends for a new one, else that waits",
        "413; koneksi yang paling lama diam diakhiri demi yang baru, kalau tidak ada yang baru menunggu",
    ),
    (
        "413 `media_too_large`; one that comes in is not kept, one at an address is not sent",
        "413 `media_too_large`; yang masuk tidak disimpan, yang di suatu alamat tidak dikirim",
    ),
    (
        "413 `media_quota`; one that comes in is not kept, one at an address is tried again",
        "413 `media_quota`; yang masuk tidak disimpan, yang di suatu alamat dicoba lagi",
    ),
    ("the broker refuses the publish; the gateway answers 503", "broker menolak; gateway menjawab 503"),
    ("dead letters, by the broker: without an event", "ke gagal diproses oleh broker, tanpa kejadian"),
    ("the verification ends as `max_attempts_reached`", "verifikasi berakhir sebagai `max_attempts_reached`"),
    ("429 `max_send_attempts_reached`, `resend_too_soon`", "429 `max_send_attempts_reached`, `resend_too_soon`"),
    ("429 `recipient_limit_reached`", "429 `recipient_limit_reached`"),
    ("429 `prefix_limit_reached`", "429 `prefix_limit_reached`"),
    ("429 `country_limit_reached`", "429 `country_limit_reached`"),
    ("429 `ip_limit_reached`", "429 `ip_limit_reached`"),
    ("403 `country_not_allowed`", "403 `country_not_allowed`"),
    ("403 `prefix_blocked`, `verification.prefix_blocked`", "403 `prefix_blocked`, `verification.prefix_blocked`"),
    // What happens while its place is down.
    ("no intents, nothing is sent", "tidak ada yang terkirim"),
    (
        "`wait`: OTPs wait and ask again every second, until they expire",
        "`wait`: OTP menunggu dan bertanya lagi tiap detik, sampai kedaluwarsa",
    ),
    (
        "`allow`: OTPs go without it, until the workers give their sessions up",
        "`allow`: OTP jalan tanpa batas ini, sampai worker melepas sesinya",
    ),
    ("WhatsApp does not answer: parked (`no_answer`)", "WhatsApp tidak menjawab: diparkir (`no_answer`)"),
    (
        "WhatsApp does not say until when: the span on the left",
        "WhatsApp tidak menyebut sampai kapan: selama nilai di kolom nilai",
    ),
    ("no such cap", "tanpa batas ini"),
    ("503: no files are taken", "503: berkas tidak diterima"),
    ("nothing is published, taken or sent", "tidak ada yang diterima atau terkirim"),
    ("503: no codes are sent or compared", "503: kode tidak dikirim dan tidak diperiksa"),
];
