//! What a session may still send today, and what holds it back, in words.

use kurir_core::domain::Timestamp;
use maud::{Markup, html};

use super::words::{self, span};
use crate::gateway::admin::language::Language;
use crate::gateway::admin::words::moment;
use crate::gateway::usecase::{Hold, Standing};

/// Whether something keeps a session from sending anything, keeps it from some of it, or is as it should be on the way.
const fn weight(hold: &Hold) -> &'static str {
    match hold {
        Hold::Starting | Hold::Connecting | Hold::AwaitsScan | Hold::BulkOver(_) | Hold::NobodyNewInBulk(_) => "wait",
        _ => "bad",
    }
}

/// What holds a session back, and why; or that nothing does.
pub(super) fn holds(language: Language, standing: &Standing) -> Markup {
    html! {
        @if standing.holds.is_empty() {
            p .holds .good { (language.of_two("Dapat mengirim sekarang.", "It can send now.")) }
        } @else {
            ul .holds {
                @for hold in &standing.holds {
                    li class=(weight(hold)) { (said(language, hold)) }
                }
            }
        }
        @if let Some(day) = standing.day.warm_up {
            p .wait { (warm_up(language, day, standing.day.left.cap)) }
        }
    }
}

fn warm_up(language: Language, day: u32, cap: Option<u32>) -> String {
    let cap = cap.unwrap_or_default();
    match language {
        Language::Id => format!("Pemanasan nomor baru, hari ke-{day}: paling banyak {cap} pesan hari ini."),
        Language::En => format!("Warm-up of a new number, day {day}: at most {cap} messages today."),
    }
}

fn said(language: Language, hold: &Hold) -> Markup {
    let plain = |id, en| html! { (language.of_two(id, en)) };
    let until = |id, en, at: Timestamp| html! { (language.of_two(id, en)) " " (moment(at)) "." };
    match hold {
        Hold::Deleted => plain("Sedang dihapus.", "It is being deleted."),
        Hold::LoggingOut => plain("Sedang keluar dari WhatsApp.", "It is being logged out of WhatsApp."),
        Hold::Stopped => {
            plain("Dihentikan. Pesan menunggu sampai dijalankan.", "Stopped. Messages wait until it is started.")
        }
        Hold::NoWorker => plain(
            "Tidak ada worker yang memegang sesi ini sekarang. Pesan menunggu.",
            "No worker has this session now. Messages wait.",
        ),
        Hold::Starting => plain("Worker sedang menyiapkannya.", "Its worker is starting it."),
        Hold::AwaitsScan => plain("Menunggu kode QR dipindai.", "It waits for its QR code to be scanned."),
        Hold::NotScanned => plain(
            "Kode QR tidak dipindai. Minta kode baru untuk menghubungkannya.",
            "Nobody scanned the QR codes. Ask for new ones to connect it.",
        ),
        Hold::LoggedOut => plain(
            "Sudah keluar dari WhatsApp. Hubungkan lagi agar dapat mengirim.",
            "It was logged out of WhatsApp. Connect it again so that it can send.",
        ),
        Hold::Connecting => plain("Sedang menyambung ke WhatsApp.", "It is connecting to WhatsApp."),
        Hold::Banned(None) => plain("Akun diblokir WhatsApp.", "WhatsApp bans the account."),
        Hold::Banned(Some(at)) => until("Akun diblokir WhatsApp sampai", "WhatsApp bans the account until", *at),
        Hold::Outdated => plain(
            "WhatsApp menolak versi klien ini. Perbarui kurir.",
            "WhatsApp refuses this version of the client. Update kurir.",
        ),
        Hold::Rests(rest) => html! {
            (language.of_two("Beristirahat sampai", "It rests until")) " " (moment(rest.until))
            (language.of_two(", karena ", ", because ")) (words::why(language, rest.reason)) "."
        },
        Hold::DayOver { until: at, warm_up: None } => {
            until("Batas harian tercapai. Lanjut", "The day's cap is reached. It goes on", *at)
        }
        Hold::DayOver { until: at, warm_up: Some(_) } => until(
            "Batas hari ini selama pemanasan tercapai. Lanjut",
            "Today's cap of the warm-up is reached. It goes on",
            *at,
        ),
        Hold::BulkOver(at) => until(
            "Jatah pesan massal hari ini habis; OTP tetap terkirim. Massal lanjut",
            "Today's share of bulk messages is used up; OTPs still go. Bulk goes on",
            *at,
        ),
        Hold::NobodyNew(at) => until(
            "Jatah penerima baru hari ini habis; penerima lama tetap dapat dikirimi. Lanjut",
            "Today's new recipients are used up; known ones still get messages. It goes on",
            *at,
        ),
        Hold::NobodyNewInBulk(at) => until(
            "Jatah penerima baru untuk pesan massal hari ini habis. Lanjut",
            "Today's new recipients of bulk messages are used up. It goes on",
            *at,
        ),
    }
}

/// Today's numbers: the pace, what was sent, what is left. Pairs of `dt` and `dd`.
pub(super) fn numbers(language: Language, standing: &Standing) -> Markup {
    let day = &standing.day;
    let left = |left: Option<u32>| {
        left.map_or_else(|| language.of_two("tanpa batas", "no limit").to_owned(), |left| left.to_string())
    };
    let bulk = language.of_two("massal", "bulk");
    html! {
        dt { (language.of_two("Tempo", "Pace")) }
        dd { (pace(language, standing)) }
        dt { (language.of_two("Terkirim hari ini", "Sent today")) }
        dd { (day.spent.sent()) " (OTP " (day.spent.otp) ", " (bulk) " " (day.spent.bulk) ")" }
        dt { (language.of_two("Batas hari ini", "Cap today")) }
        dd { (left(day.left.cap)) }
        dt { (language.of_two("Sisa hari ini", "Left today")) }
        dd { "OTP " (left(day.left.otp)) ", " (bulk) " " (left(day.left.bulk)) }
        dt { (language.of_two("Sisa penerima baru", "New recipients left")) }
        dd { "OTP " (left(day.left.cold_otp)) ", " (bulk) " " (left(day.left.cold_bulk)) }
    }
}

fn pace(language: Language, standing: &Standing) -> String {
    let (every, burst) = (standing.pace.every, standing.pace.burst);
    if every.is_zero() {
        return language.of_two("tanpa batas", "no limit").to_owned();
    }
    let every = span(language, every);
    match language {
        Language::Id => format!("1 pesan tiap {every}, paling banyak {burst} sekaligus"),
        Language::En => format!("1 message every {every}, at most {burst} at once"),
    }
}

/// The day itself, for a session's own page. Pairs of `dt` and `dd`.
pub(super) fn day(language: Language, standing: &Standing) -> Markup {
    let day = &standing.day;
    html! {
        dt { (language.of_two("Penerima baru hari ini", "New recipients today")) }
        dd { (day.spent.cold()) " (OTP " (day.spent.cold_otp) ", " (language.of_two("massal", "bulk")) " " (day.spent.cold_bulk) ")" }
        dt { (language.of_two("Zona waktu", "Time zone")) }
        dd { (day.zone.to_string()) }
        dt { (language.of_two("Hari berikutnya", "Next day")) }
        dd { (moment(day.next_day)) }
        @if let Some(linked) = day.linked {
            dt { (language.of_two("Nomor ini sejak", "Has its number since")) }
            dd { (moment(linked)) }
        }
    }
}
