//! What is seen of one message: its facts, what can be done, and its whole history on a time line.

use kurir_core::domain::{HistoryStep, LedgerEntry};
use maud::{Markup, html};

use super::language::Language;
use super::message_words as said;
use super::words::moment;
use crate::gateway::native::message_steps;

/// The words of the page.
pub(super) struct Words {
    pub title: &'static str,
    pub back: &'static str,
    pub id: &'static str,
    pub to: &'static str,
    pub state: &'static str,
    pub deadline: &'static str,
    pub cancel: &'static str,
    pub cancel_explained: &'static str,
    pub reschedule: &'static str,
    pub reschedule_explained: &'static str,
    pub moment: &'static str,
    pub bad_moment: &'static str,
    facts: &'static str,
    history: &'static str,
    whatsapp_id: &'static str,
    session: &'static str,
    no_session: &'static str,
    lane: &'static str,
    reason: &'static str,
    code: &'static str,
    attempts: &'static str,
    taken: &'static str,
    not_before: &'static str,
    sent: &'static str,
    delivered: &'static str,
    read: &'static str,
    ended: &'static str,
    batch: &'static str,
    metadata: &'static str,
    after: &'static str,
}

const ID: Words = Words {
    title: "Satu pesan",
    back: "Semua pesan",
    id: "ID",
    to: "Penerima",
    state: "Status",
    deadline: "Batas waktu",
    cancel: "Batalkan pesan",
    cancel_explained: "Pesan ini tidak akan pernah dikirim. Pembatalan tidak dapat ditarik kembali.",
    reschedule: "Jadwalkan ulang",
    reschedule_explained: "Pesan menunggu sampai waktu ini, lalu dikirim begitu pengirimnya bisa.",
    moment: "Tidak sebelum (UTC)",
    bad_moment: "Waktu ini tidak bisa dipakai: harus sebelum batas waktu pesan dan paling lama 30 hari dari sekarang.",
    facts: "Keterangan",
    history: "Perjalanan pesan",
    whatsapp_id: "ID WhatsApp",
    session: "Sesi",
    no_session: "belum ada",
    lane: "Jalur",
    reason: "Alasan",
    code: "kode WhatsApp",
    attempts: "Percobaan kirim",
    taken: "Diterima",
    not_before: "Menunggu sampai",
    sent: "Terkirim",
    delivered: "Tiba",
    read: "Dibaca",
    ended: "Berakhir",
    batch: "Kelompok",
    metadata: "Catatan pengirim tugas",
    after: "setelah",
};

const EN: Words = Words {
    title: "One message",
    back: "All messages",
    id: "Id",
    to: "Recipient",
    state: "State",
    deadline: "Deadline",
    cancel: "Cancel the message",
    cancel_explained: "The message is never sent. This can't be taken back.",
    reschedule: "Reschedule",
    reschedule_explained: "The message waits until this moment, and goes as soon as its sender may then.",
    moment: "Not before (UTC)",
    bad_moment: "This moment does not fit: it has to be before the message's deadline, and at most 30 days from now.",
    facts: "Facts",
    history: "The message's way",
    whatsapp_id: "WhatsApp's id",
    session: "Session",
    no_session: "none yet",
    lane: "Lane",
    reason: "Reason",
    code: "WhatsApp's code",
    attempts: "Attempts",
    taken: "Taken",
    not_before: "Waits until",
    sent: "Sent",
    delivered: "Delivered",
    read: "Read",
    ended: "Ended",
    batch: "Batch",
    metadata: "The producer's own words",
    after: "after",
};

/// The words of this language.
pub(super) const fn words(language: Language) -> &'static Words {
    language.of_two(&ID, &EN)
}

/// A message and its reader.
pub(super) struct View<'a> {
    pub language: Language,
    pub entry: &'a LedgerEntry,
    pub may_change: bool,
}

/// The part of the page that stays fresh.
pub(super) fn view(view: &View<'_>) -> Markup {
    let View { language, entry, may_change, .. } = *view;
    let words = words(language);
    let place = format!("/admin/messages/{}", entry.key.job);
    html! {
        p {
            span .badge .(said::class(entry.state)) { (said::state(language, entry.state)) } " "
            (said::meaning(language, entry.state))
        }
        @if may_change && entry.state.is_waiting() {
            div .actions {
                a #reschedule .button .quiet href=(format!("{place}/reschedule")) { (words.reschedule) }
                a #cancel .button .danger href=(format!("{place}/cancel")) { (words.cancel) }
            }
        }
        h2 { (words.history) }
        (timeline(view))
        h2 { (words.facts) }
        (facts(language, entry))
        @if !entry.metadata.is_empty() {
            h2 { (words.metadata) }
            dl .facts {
                @for (name, value) in &entry.metadata { dt { (name) } dd { (value) } }
            }
        }
    }
}

fn facts(language: Language, entry: &LedgerEntry) -> Markup {
    let words = words(language);
    let moments = [
        (words.taken, Some(entry.enqueued_at)),
        (words.deadline, entry.expires_at),
        (words.not_before, entry.not_before),
        (words.sent, entry.sent_at),
        (words.delivered, entry.delivered_at),
        (words.read, entry.read_at),
        (words.ended, entry.ended_at),
    ];
    html! {
        dl .facts {
            dt { (words.id) } dd .code { (entry.key.job) }
            dt { (words.whatsapp_id) } dd .code { (entry.message_id) }
            dt { (words.session) }
            dd {
                @if let Some(session) = &entry.session {
                    a #session href=(format!("/admin/sessions/{session}")) { (session) }
                } @else { (words.no_session) }
            }
            dt { (words.lane) } dd { (said::lane(language, entry.lane)) }
            dt { (words.to) } dd .code { (entry.recipient) }
            dt { (words.attempts) } dd { (entry.attempts) }
            @if let Some(reason) = entry.reason {
                dt { (words.reason) } dd { (said::reason(language, reason)) " " code { (reason.as_str()) } }
            }
            @if let Some(code) = entry.code {
                dt { (words.code) } dd { (code) }
            }
            @for (name, at) in moments {
                @if let Some(at) = at {
                    dt { (name) } dd { (moment(at)) }
                }
            }
            @if let Some(batch) = entry.batch {
                dt { (words.batch) } dd .code { (batch) }
            }
        }
    }
}

fn timeline(view: &View<'_>) -> Markup {
    let steps = message_steps(view.entry);
    let gaps = std::iter::once(None).chain(steps.windows(2).map(|pair| Some(pair[1].at.since(pair[0].at))));
    let words = words(view.language);
    html! {
        ol .timeline aria-label=(words.history) {
            @for (step, gap) in steps.iter().zip(gaps) {
                li {
                    (head(view.language, step))
                    @if let Some(gap) = gap {
                        " " span .faint { "(" (words.after) " " (said::span(view.language, gap)) ")" }
                    }
                    @if let Some(reason) = step.reason {
                        br; (said::reason(view.language, reason))
                        @if let Some(code) = step.code { " (" (words.code) " " (code) ")" }
                    }
                    br; span .faint { (said::meaning(view.language, step.state)) }
                }
            }
        }
    }
}

fn head(language: Language, step: &HistoryStep) -> Markup {
    html! {
        strong .(said::class(step.state)) { (said::state(language, step.state)) } " · " (moment(step.at))
    }
}
