//! What happened at a session of late: kinds and times.

use kurir_core::domain::{EventKind, Timestamp};
use maud::{Markup, html};

use super::words::Words;
use crate::gateway::admin::language::Language;
use crate::gateway::admin::words::moment;

/// How many are shown.
pub(super) const SHOWN: usize = 20;

/// A kind, for people.
const fn named(language: Language, kind: EventKind) -> &'static str {
    match kind {
        EventKind::SessionCreated => language.of_two("dibuat", "created"),
        EventKind::SessionQr => language.of_two("kode QR baru", "new QR code"),
        EventKind::SessionPairingCode => language.of_two("kode pemasangan baru", "new pairing code"),
        EventKind::SessionPaired => language.of_two("tertaut", "linked"),
        EventKind::SessionConnected => language.of_two("terhubung", "connected"),
        EventKind::SessionDisconnected => language.of_two("terputus", "disconnected"),
        EventKind::SessionLoggedOut => language.of_two("keluar dari perangkat", "logged out"),
        EventKind::SessionLimited => language.of_two("dibatasi WhatsApp", "limited by WhatsApp"),
        EventKind::SessionBanned => language.of_two("diblokir WhatsApp", "banned by WhatsApp"),
        other => other.as_str(),
    }
}

/// The latest first.
pub(super) fn table(language: Language, words: &Words, events: &[(EventKind, Timestamp)]) -> Markup {
    html! {
        @if events.is_empty() {
            p .faint { (words.no_events) }
        } @else {
            div .wide tabindex="0" role="region" aria-label=(words.events) id="events" {
                table {
                    caption { (words.events) }
                    thead { tr { th scope="col" { (words.at) } th scope="col" { (words.event) } } }
                    tbody {
                        @for (kind, at) in events {
                            tr { td { (moment(*at)) } td { (named(language, *kind)) } }
                        }
                    }
                }
            }
        }
    }
}
