//! What is said of messages to people: states, what they mean, reasons, and spans of time.

use std::time::Duration;

use kurir_core::domain::{FailReason, Lane, MessageState};

use super::language::Language;

/// A message's state.
pub(super) const fn state(language: Language, state: MessageState) -> &'static str {
    let (id, en) = match state {
        MessageState::Queued => ("mengantre", "queued"),
        MessageState::Delayed => ("ditunda", "delayed"),
        MessageState::Sending => ("sedang dikirim", "being sent"),
        MessageState::Sent => ("terkirim ke WhatsApp", "sent to WhatsApp"),
        MessageState::Delivered => ("tiba di ponsel", "delivered"),
        MessageState::Read => ("dibaca", "read"),
        MessageState::Failed => ("gagal", "failed"),
        MessageState::Expired => ("kedaluwarsa", "expired"),
        MessageState::Uncertain => ("tidak pasti", "uncertain"),
        MessageState::Cancelled => ("dibatalkan", "cancelled"),
    };
    language.of_two(id, en)
}

/// The class that a state is coloured by; the word beside it says the same.
pub(super) const fn class(state: MessageState) -> &'static str {
    match state {
        MessageState::Queued | MessageState::Delayed | MessageState::Sending => "wait",
        MessageState::Sent | MessageState::Delivered | MessageState::Read => "good",
        MessageState::Failed | MessageState::Expired | MessageState::Uncertain => "bad",
        MessageState::Cancelled => "faint",
    }
}

/// What it means that a message stands there.
pub(super) const fn meaning(language: Language, state: MessageState) -> &'static str {
    let (id, en) = match state {
        MessageState::Queued => (
            "Tersimpan aman di antrean; belum ada pekerja yang mengambilnya.",
            "Kept safely in its queue; no worker has taken it yet.",
        ),
        MessageState::Delayed => (
            "Menunggu waktunya; setelah itu dicoba lagi dengan sendirinya.",
            "Waits for its moment, then it is tried again by itself.",
        ),
        MessageState::Sending => (
            "Sedang dalam perjalanan ke WhatsApp; jawabannya belum datang.",
            "On its way to WhatsApp; the answer has not come yet.",
        ),
        MessageState::Sent => (
            "Server WhatsApp sudah menerimanya; ponsel penerima belum memberi kabar.",
            "WhatsApp's server has it; the recipient's phone has not told of it yet.",
        ),
        MessageState::Delivered => ("Sudah ada di ponsel penerima.", "The recipient's phone has it."),
        MessageState::Read => ("Sudah dibuka penerima.", "The recipient has opened it."),
        MessageState::Failed => (
            "Tidak akan dikirim lagi; alasannya tertulis di sampingnya.",
            "It will not be sent any more; the reason stands beside it.",
        ),
        MessageState::Expired => (
            "Batas waktunya lewat sebelum dikirim; tidak ada yang dikirim.",
            "Its deadline passed before it was sent; nothing went out.",
        ),
        MessageState::Uncertain => (
            "Sudah dikirim, tetapi WhatsApp tidak menjawab sampai batas waktunya. Mungkin tiba, mungkin tidak; tidak dikirim ulang.",
            "It went out, and WhatsApp did not answer by its deadline. It may have arrived or not; it is not sent again.",
        ),
        MessageState::Cancelled => (
            "Ditarik kembali sebelum dikirim; penerima tidak mendapat apa-apa.",
            "Taken back before it was sent; the recipient got nothing.",
        ),
    };
    language.of_two(id, en)
}

/// Why a message failed or waits.
pub(super) const fn reason(language: Language, reason: FailReason) -> &'static str {
    let (id, en) = reason_in_both(reason);
    language.of_two(id, en)
}

const fn reason_in_both(reason: FailReason) -> (&'static str, &'static str) {
    use FailReason as Why;
    match reason {
        Why::BadJson => ("isi tugas bukan JSON", "the job is not JSON"),
        Why::UnknownVersion => ("versi tugas tidak dikenal", "the job's version is not known"),
        Why::BadField => ("ada isian yang kurang atau salah", "a field is missing or wrong"),
        Why::BadNumber => ("bukan nomor telepon", "not a phone number"),
        Why::BodyTooLarge => ("tugas terlalu besar", "the job is too large"),
        Why::MissingDeadline => ("OTP tanpa batas waktu", "a one-time password without a deadline"),
        Why::WrongTarget => {
            ("sesi atau pool tidak cocok dengan antreannya", "its session or pool is not that of its queue")
        }
        Why::WrongTenant => ("pemiliknya tidak cocok", "its tenant is not the right one"),
        Why::NotOnWhatsapp => ("nomor tidak memakai WhatsApp", "the number is not on WhatsApp"),
        Why::RecipientLimited => {
            ("nomor ini baru saja mendapat OTP", "this number had a one-time password too recently")
        }
        Why::SenderLimited => ("menunggu giliran pengirim", "waits for the sender's turn"),
        Why::SenderDailyCap => ("jatah harian pengirim habis", "the sender has sent all that it may today"),
        Why::SenderWarmingUp => {
            ("nomor pengirim masih baru, jatah hari ini habis", "the sender is new and may send no more today")
        }
        Why::SenderColdContacts => {
            ("jatah penerima baru pengirim hari ini habis", "the sender may write to no more new recipients today")
        }
        Why::SenderRestricted => ("WhatsApp membatasi pengirim ini", "WhatsApp restricts this sender"),
        Why::RateLimited => ("WhatsApp meminta pengirim lebih pelan", "WhatsApp told the sender to slow down"),
        Why::RefusedByWhatsapp => ("ditolak WhatsApp", "refused by WhatsApp"),
        Why::SenderDisconnected => ("pengirim tidak terhubung", "the sender is not connected"),
        Why::SenderLoggedOut => ("pengirim keluar dari perangkatnya", "the sender was logged out"),
        Why::SenderBanned => ("pengirim diblokir WhatsApp", "the sender is banned by WhatsApp"),
        Why::Suppressed => ("penerima tidak mau pesan massal", "the recipient wants no bulk messages"),
        Why::SessionDeleted => ("sesinya dihapus", "its session was deleted"),
        Why::SendFailed => ("gagal dikirim oleh klien", "the client could not send it"),
        Why::NoAnswer => ("WhatsApp tidak menjawab", "WhatsApp did not answer"),
        Why::Rescheduled => ("dijadwalkan ulang", "put off by somebody"),
        Why::NotQueued | Why::Cancelled => ("tidak sampai ke antrean", "it did not get into its queue"),
        Why::MessageNotSent => ("pesan yang dirujuknya belum terkirim", "the message it refers to was not sent"),
        Why::MediaUnavailable => ("berkasnya tidak ada", "its file is not there"),
        Why::MediaUnsuitable => {
            ("berkasnya terlalu besar atau salah jenis", "its file is too large or of the wrong kind")
        }
    }
}

/// Why a dead letter is dead: one of our words, or the broker's.
pub(super) fn death(language: Language, word: &str) -> Option<&'static str> {
    if let Some(known) = FailReason::parse(word) {
        return Some(reason(language, known));
    }
    let (id, en) = match word {
        "delivery_limit" => ("berkali-kali diambil, tidak pernah selesai", "taken again and again, never finished"),
        "unroutable" => ("sesinya sudah tidak ada", "its session is gone"),
        "rejected" => ("ditolak oleh pihak lain", "rejected by somebody else"),
        "expired" => ("kedaluwarsa di broker", "expired in the broker"),
        "maxlen" => ("antreannya penuh", "its queue was full"),
        _ => return None,
    };
    Some(language.of_two(id, en))
}

/// What a lane is called.
pub(super) const fn lane(language: Language, lane: Lane) -> &'static str {
    match lane {
        Lane::Otp => "OTP",
        Lane::Bulk => language.of_two("massal", "bulk"),
    }
}

/// A span of time, to the tenth of a second below a minute, in two units above.
pub(super) fn span(language: Language, span: Duration) -> String {
    let (second, minute, hour, day) = language.of_two(("dtk", "mnt", "jam", "hari"), ("s", "min", "h", "d"));
    let seconds = span.as_secs();
    if seconds < 60 {
        let tenths = span.as_millis().div_euclid(100);
        let point = language.of_two(',', '.');
        return format!("{}{point}{} {second}", tenths / 10, tenths % 10);
    }
    let (large, large_name, small, small_name) = match seconds {
        0..3600 => (seconds / 60, minute, seconds % 60, second),
        3600..86_400 => (seconds / 3600, hour, seconds % 3600 / 60, minute),
        _ => (seconds / 86_400, day, seconds % 86_400 / 3600, hour),
    };
    if small == 0 { format!("{large} {large_name}") } else { format!("{large} {large_name} {small} {small_name}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn spans_are_told_in_words() {
        for (millis, id, en) in [
            (0, "0,0 dtk", "0.0 s"),
            (1_249, "1,2 dtk", "1.2 s"),
            (59_999, "59,9 dtk", "59.9 s"),
            (60_000, "1 mnt", "1 min"),
            (125_000, "2 mnt 5 dtk", "2 min 5 s"),
            (5_400_000, "1 jam 30 mnt", "1 h 30 min"),
            (180_000_000, "2 hari 2 jam", "2 d 2 h"),
        ] {
            let of = Duration::from_millis(millis);
            assert_eq!((span(Language::Id, of).as_str(), span(Language::En, of).as_str()), (id, en));
        }
    }

    #[test]
    fn each_state_has_words_of_its_own() {
        for language in Language::ALL {
            let words: BTreeSet<_> = MessageState::ALL.into_iter().map(|each| state(language, each)).collect();
            let meanings: BTreeSet<_> = MessageState::ALL.into_iter().map(|each| meaning(language, each)).collect();
            assert_eq!((words.len(), meanings.len()), (MessageState::ALL.len(), MessageState::ALL.len()));
        }
    }

    #[test]
    fn both_ours_and_the_brokers_words_are_told() {
        assert_eq!(death(Language::Id, "bad_number"), Some("bukan nomor telepon"));
        assert_eq!(death(Language::En, "unroutable"), Some("its session is gone"));
        assert_eq!(death(Language::En, "<script>"), None);
    }
}
