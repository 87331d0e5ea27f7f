//! What really reached the phones, read from their decrypted inboxes: not from our own counters.

use kurir_core::domain::PhoneNumber;
use kurir_sim::InboxMessage;

use super::Enqueued;

/// What the phones say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Texts that their phone shows, and that arrived there once.
    pub once: usize,
    /// Texts that arrived more often than once on the wire, or are shown more often than once.
    pub repeated: usize,
    /// Rows whose number is one, whose job did not fail, and whose text its phone does not show.
    pub missing: usize,
    /// Messages on the phones that no row asked for.
    pub unasked: usize,
}

/// Compares the rows that were to be sent with the inboxes of their phones. `failed` tells whether a row's job ended
/// without being sent.
pub fn arrivals(
    rows: &[Enqueued],
    country: Option<&str>,
    failed: impl Fn(&Enqueued) -> bool,
    inbox: impl Fn(&PhoneNumber) -> anyhow::Result<Vec<InboxMessage>>,
) -> anyhow::Result<Arrivals> {
    let mut arrivals = Arrivals::default();
    let mut expected: std::collections::BTreeMap<PhoneNumber, Vec<&str>> = std::collections::BTreeMap::new();
    for row in rows {
        if let Ok(number) = PhoneNumber::parse(&row.number, country) {
            let texts = expected.entry(number).or_default();
            if !failed(row) {
                texts.push(&row.text);
            }
        }
    }
    for (number, texts) in expected {
        let mut shown = inbox(&number)?;
        for text in texts {
            let same = |message: &InboxMessage| message.text.as_deref() == Some(text);
            match shown.iter().filter(|message| same(message)).count() {
                0 => arrivals.missing += 1,
                1 if shown.iter().any(|message| same(message) && message.arrivals == 1) => arrivals.once += 1,
                _ => arrivals.repeated += 1,
            }
            shown.retain(|message| !same(message));
        }
        arrivals.unasked += shown.len();
    }
    Ok(arrivals)
}
