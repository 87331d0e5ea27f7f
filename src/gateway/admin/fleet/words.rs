//! What the fleet's page says.

use std::time::Duration;

use kurir_core::domain::Lane;

use crate::gateway::admin::language::Language;

/// The words of one language.
pub(super) struct Words {
    pub title: &'static str,
    pub workers: &'static str,
    pub no_workers: &'static str,
    pub workers_unknown: &'static str,
    pub no_worker_yet: &'static str,
    pub held: &'static str,
    pub pinned: &'static str,
    pub yours: &'static str,
    pub no_sessions: &'static str,
    pub wanted_with: &'static str,
    pub more_sessions: &'static str,
    pub running: &'static str,
    pub leaving: &'static str,
    pub drained: &'static str,
    pub gone: &'static str,
    pub drain: &'static str,
    pub resume: &'static str,
    pub drain_title: &'static str,
    pub drain_about: &'static str,
    pub queues: &'static str,
    pub queues_about: &'static str,
    pub queue: &'static str,
    pub lane: &'static str,
    pub depth: &'static str,
    pub waiting: &'static str,
    pub oldest: &'static str,
    pub unknown: &'static str,
    pub all_pools: &'static str,
    pub session: &'static str,
    pub pool: &'static str,
    pub nothing_waits: &'static str,
    pub empty: &'static str,
    pub more_queues: &'static str,
    pub charts: &'static str,
    pub accepted: &'static str,
    pub sent: &'static str,
    pub delivered: &'static str,
    pub rate: &'static str,
    pub numbers: &'static str,
    pub time: &'static str,
    pub hour: ChartWords,
    pub day: ChartWords,
}

/// What two charts of one span are called.
pub(super) struct ChartWords {
    pub messages: &'static str,
    pub messages_about: &'static str,
    pub rate: &'static str,
    pub rate_about: &'static str,
}

const ID: Words = Words {
    title: "Armada",
    workers: "Worker",
    no_workers: "Tidak ada worker yang berjalan. Selama begitu tidak ada yang terkirim.",
    workers_unknown: "Daftar worker sedang tidak dapat dibaca. Yang tampak di sini hanya worker yang disebut oleh sesi.",
    no_worker_yet: "Belum dipegang worker",
    held: "Sesi dipegang",
    pinned: "Diminta di sini",
    yours: "Sesi Anda",
    no_sessions: "Tidak ada sesi Anda di sini.",
    wanted_with: "diminta di",
    more_sessions: "Masih ada sesi lain; yang tampak 500 yang pertama.",
    running: "berjalan",
    leaving: "sedang berhenti",
    drained: "dikosongkan",
    gone: "tidak berjalan",
    drain: "Kosongkan",
    resume: "Pakai lagi",
    drain_title: "Kosongkan worker",
    drain_about: "Semua sesi worker ini dipindahkan ke worker lain, dan ia tidak menerima sesi baru sampai dipakai lagi. Pesan \
                  yang sedang dikirim diselesaikan dulu.",
    queues: "Antrean",
    queues_about: "Isi antrean menurut broker, dan pesan yang menunggu menurut catatan, termasuk yang ditunda.",
    queue: "Antrean",
    lane: "Jalur",
    depth: "Di antrean",
    waiting: "Menunggu",
    oldest: "Tertua menunggu",
    unknown: "belum diketahui",
    all_pools: "semua pool",
    session: "sesi",
    pool: "pool",
    nothing_waits: "Tidak ada yang menunggu.",
    empty: "Antrean yang kosong",
    more_queues: "Masih ada antrean lain yang tidak ditanyakan.",
    charts: "Pesan dari waktu ke waktu",
    accepted: "diterima",
    sent: "terkirim",
    delivered: "sampai",
    rate: "sampai di ponsel",
    numbers: "Angka",
    time: "Mulai (UTC)",
    hour: ChartWords {
        messages: "Pesan per menit, satu jam terakhir",
        messages_about: "Berapa pesan yang diterima, terkirim dan sampai di tiap menit, menurut jam UTC.",
        rate: "Tingkat sampai, satu jam terakhir",
        rate_about: "Dari pesan yang terkirim di tiap menit, berapa persen yang sudah sampai di ponsel, menurut jam UTC.",
    },
    day: ChartWords {
        messages: "Pesan per setengah jam, satu hari terakhir",
        messages_about: "Berapa pesan yang diterima, terkirim dan sampai di tiap setengah jam, menurut jam UTC.",
        rate: "Tingkat sampai, satu hari terakhir",
        rate_about: "Dari pesan yang terkirim di tiap setengah jam, berapa persen yang sudah sampai di ponsel, menurut jam UTC.",
    },
};

const EN: Words = Words {
    title: "Fleet",
    workers: "Workers",
    no_workers: "No worker is running. While that is so, nothing is sent.",
    workers_unknown: "The register of workers can't be read now. Only the workers that sessions name are shown.",
    no_worker_yet: "With no worker yet",
    held: "Sessions held",
    pinned: "Wanted here",
    yours: "Your sessions",
    no_sessions: "None of your sessions is here.",
    wanted_with: "wanted with",
    more_sessions: "There are more sessions; the first 500 are shown.",
    running: "running",
    leaving: "stopping",
    drained: "drained",
    gone: "not running",
    drain: "Drain",
    resume: "Use again",
    drain_title: "Drain worker",
    drain_about: "All of this worker's sessions move to other workers, and it takes no new ones until it is used again. Messages \
                  on the wire are finished first.",
    queues: "Queues",
    queues_about: "What the broker counts in each queue, and what waits by the record of messages, delayed ones included.",
    queue: "Queue",
    lane: "Lane",
    depth: "In the queue",
    waiting: "Waiting",
    oldest: "Oldest waits for",
    unknown: "not known",
    all_pools: "all pools",
    session: "session",
    pool: "pool",
    nothing_waits: "Nothing waits.",
    empty: "Empty queues",
    more_queues: "There are more queues that were not asked for.",
    charts: "Messages over time",
    accepted: "accepted",
    sent: "sent",
    delivered: "delivered",
    rate: "on the phone",
    numbers: "Numbers",
    time: "From (UTC)",
    hour: ChartWords {
        messages: "Messages a minute, last hour",
        messages_about: "How many messages were accepted, sent and delivered in each minute, by UTC.",
        rate: "Delivery rate, last hour",
        rate_about: "Of the messages sent in each minute, how many percent have come to a phone by now, by UTC.",
    },
    day: ChartWords {
        messages: "Messages every half hour, last day",
        messages_about: "How many messages were accepted, sent and delivered in each half hour, by UTC.",
        rate: "Delivery rate, last day",
        rate_about: "Of the messages sent in each half hour, how many percent have come to a phone by now, by UTC.",
    },
};

/// The words of this language.
pub(super) const fn of(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

/// A lane, for people.
pub(super) const fn lane(language: Language, lane: Lane) -> &'static str {
    match lane {
        Lane::Otp => "OTP",
        Lane::Bulk => language.of_two("massal", "bulk"),
    }
}

/// How long something lasts, in its largest unit.
pub(super) fn span(language: Language, span: Duration) -> String {
    let seconds = span.as_secs();
    let (count, id, en) = match seconds {
        0..120 => (seconds, "detik", "s"),
        120..7_200 => (seconds / 60, "menit", "min"),
        7_200..172_800 => (seconds / 3_600, "jam", "h"),
        _ => (seconds / 86_400, "hari", "days"),
    };
    format!("{count} {}", language.of_two(id, en))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        for (seconds, id, en) in [
            (0, "0 detik", "0 s"),
            (119, "119 detik", "119 s"),
            (120, "2 menit", "2 min"),
            (7_200, "2 jam", "2 h"),
            (200_000, "2 hari", "2 days"),
        ] {
            let span_of = |language| span(language, Duration::from_secs(seconds));
            assert_eq!((span_of(Language::Id), span_of(Language::En)), (id.to_owned(), en.to_owned()));
        }
    }
}
