//! Words by which recipients stop bulk messages, among what they write.

use kurir_core::domain::{EventKind, Initiator, OptOut, Release, Suppression};
use kurir_core::policy::Heard;
use kurir_core::port::Incoming;
use kurir_core::wire::RecipientDataV1;

use super::Owned;

/// What of these messages concerns the list of those who want no bulk messages. Whoever writes without a number that is
/// known can't be meant.
pub(super) fn opt_outs(owned: &Owned, messages: &[Incoming]) -> Vec<OptOut> {
    messages.iter().filter_map(|message| opt_out(owned, message)).collect()
}

fn opt_out(owned: &Owned, message: &Incoming) -> Option<OptOut> {
    let (number, text) = (message.from.as_ref()?, message.text.as_ref()?);
    let heard = owned.shared.options.opt_out.heard(text.expose())?;
    let by = Initiator::Reply(owned.id().clone());
    let event =
        |kind, word| RecipientDataV1::event(kind, &owned.tenant, owned.id(), (&message.id, number), word, message.at);
    Some(match heard {
        Heard::Stop(word) => {
            let wish = Suppression { number: number.clone(), by, note: Some(word.to_owned()), since: message.at };
            OptOut::Stop(wish, event(EventKind::RecipientSuppressed, word))
        }
        Heard::Resume(word) => {
            let release = Release { number: number.clone(), by, note: Some(word.to_owned()), at: message.at };
            OptOut::Resume(release, event(EventKind::RecipientResumed, word))
        }
    })
}
