//! Messages that come in: as events, and their files as something to fetch.

use kurir_core::domain::{MediaDetail, MediaId, MediaRecord, MediaState, OutboxEvent, Secret};
use kurir_core::port::{Incoming, IncomingContent, IncomingMedia, PortError};
use kurir_core::wire::{ReceivedContactV1, ReceivedDataV1, ReceivedMediaV1, ReceivedPlaceV1};

use super::Owned;

/// Enters the files of messages as awaited, so that whoever owns the session fetches them. Tells whether there are any.
pub(super) async fn await_files(owned: &Owned, messages: &[Incoming]) -> Result<bool, PortError> {
    let ports = &owned.shared.ports;
    let mut any = false;
    for message in messages {
        let IncomingContent::Media(media) = &message.content else { continue };
        let now = ports.clock.now();
        let record = MediaRecord {
            id: file_of(owned, message),
            tenant: owned.tenant.clone(),
            session: Some(owned.id().clone()),
            state: MediaState::Awaited,
            size: media.size,
            created_at: now,
            expires_at: now.plus(owned.shared.options.media.keep),
            detail: MediaDetail {
                mime_type: media.mime_type.clone(),
                filename: media.filename.clone(),
                sha256: media.sha256,
                source: Some(media.source.clone()),
            },
        };
        // One that is there came with the same message before.
        ports.media.enter_media(&record).await?;
        any = true;
    }
    Ok(any)
}

fn writer(message: &Incoming) -> &str {
    message.from.as_ref().map_or("-", |number| number.digits())
}

fn file_of(owned: &Owned, message: &Incoming) -> MediaId {
    MediaId::of_message(&owned.tenant, owned.id(), &message.id, writer(message))
}

/// The event of a message.
pub(super) fn event(owned: &Owned, message: &Incoming) -> OutboxEvent {
    let plain = |text: &Option<Secret<String>>| text.as_ref().map(|text| text.expose().clone());
    let mut data = ReceivedDataV1 {
        message_id: message.id.to_string(),
        from: message.from.as_ref().map(|number| number.digits().to_owned()),
        text: plain(&message.text),
        group: message.group.as_ref().map(kurir_core::domain::GroupId::address),
        push_name: plain(&message.push_name),
        reply_to: message.quoted.as_ref().map(ToString::to_string),
        ..ReceivedDataV1::default()
    };
    let kind = match &message.content {
        IncomingContent::Text => "text",
        IncomingContent::Media(media) => {
            data.media = Some(told(file_of(owned, message), media));
            "media"
        }
        IncomingContent::Location(place) => {
            let (name, address) = (plain(&place.name), plain(&place.address));
            let (latitude, longitude) = (place.latitude, place.longitude);
            data.location = Some(ReceivedPlaceV1 { latitude, longitude, name, address });
            "location"
        }
        IncomingContent::Contacts(contacts) => {
            let told = contacts.iter();
            let told = told.map(|one| ReceivedContactV1 { name: plain(&one.name), vcard: plain(&one.vcard) });
            data.contacts = told.collect();
            "contact"
        }
        IncomingContent::Reaction { message, emoji } => {
            (data.about, data.emoji) = (Some(message.to_string()), Some(emoji.clone()));
            "reaction"
        }
        IncomingContent::Edit(message) => {
            data.about = Some(message.to_string());
            "edit"
        }
        IncomingContent::Delete(message) => {
            data.about = Some(message.to_string());
            "delete"
        }
        IncomingContent::Other => "other",
    };
    data.kind = Some(kind.to_owned());
    data.event(&owned.tenant, owned.id(), message.at)
}

fn told(id: MediaId, media: &IncomingMedia) -> ReceivedMediaV1 {
    ReceivedMediaV1 {
        id: id.as_uuid(),
        kind: media.kind.to_string(),
        mime_type: media.mime_type.clone(),
        size: media.size,
        sha256: media.sha256.map(|byte| format!("{byte:02x}")).concat(),
        filename: media.filename.as_ref().map(|name| name.expose().clone()),
    }
}
