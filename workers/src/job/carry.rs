//! The file that a message carries: fetched, if the job names an address, read, and brought to WhatsApp.
//!
//! What is fetched is kept under an id that follows from the job, and an attempt finds what an earlier one fetched: every
//! repetition sends the same bytes, whoever makes it. That is why the worker fetches and not the gateway: jobs that come
//! by AMQP have the same promise, and a caller of the gateway doesn't wait for somebody else's server.

use std::time::Duration;

use kurir_core::domain::{
    FailReason, Job, MediaContent, MediaDetail, MediaFrom, MediaId, MediaRecord, MediaState, Secret, media_fits,
};
use kurir_core::port::{
    Body, IntakeError, MediaBody, MediaIntake, MessengerError, PortError, WebError, WebMethod, WebRequest, read_media,
};

use crate::session::Owned;

/// Why there is no file to send.
pub(super) enum NoFile {
    /// It will not be there later either.
    Never(FailReason),
    /// It may be there later.
    NotNow(FailReason),
    /// WhatsApp can't be reached.
    Messenger(MessengerError),
}

impl From<PortError> for NoFile {
    fn from(error: PortError) -> Self {
        tracing::warn!(error = %error.chain(), "the store of files failed");
        Self::NotNow(FailReason::MediaUnavailable)
    }
}

/// Makes the file ready to be named in a message. `left`: until the last moment to send it.
pub(super) async fn carry(owned: &Owned, job: &Job, content: &MediaContent, left: Duration) -> Result<Body, NoFile> {
    let shared = &owned.shared;
    let store = &*shared.ports.media;
    let media = match &content.from {
        MediaFrom::Stored(id) => stored(owned, job, *id).await?,
        MediaFrom::Url(url) => fetched(owned, job, url, left).await?,
    };
    let limits = &shared.options.media.limits;
    if !media_fits(content.kind, &media.detail.mime_type) || media.size > limits.of(&media.detail.mime_type) {
        return Err(NoFile::Never(FailReason::MediaUnsuitable));
    }
    // As it is, and encrypted.
    let _room = shared.room.enter(media.size * 2).await;
    let bytes = read_media(store, &media).await?.ok_or(NoFile::Never(FailReason::MediaUnavailable))?;
    let patience = shared.options.media.transfer_timeout.min(left);
    let file = owned.sender.upload(content.kind, bytes, patience).await.map_err(NoFile::Messenger)?;
    Ok(Body::Media(MediaBody {
        kind: content.kind,
        file,
        mime_type: media.detail.mime_type,
        caption: content.caption.clone(),
        filename: content.filename.clone().or(media.detail.filename),
    }))
}

async fn stored(owned: &Owned, job: &Job, id: MediaId) -> Result<MediaRecord, NoFile> {
    let media = owned.shared.ports.media.media(&job.tenant, id).await?;
    // Nothing that came in with one session goes out through another.
    let media = media.filter(|media| media.session.as_ref().is_none_or(|session| session == owned.id()));
    match media {
        Some(media) if media.state == MediaState::Ready => Ok(media),
        Some(media) if !media.state.is_final() => Err(NoFile::NotNow(FailReason::MediaUnavailable)),
        _ => Err(NoFile::Never(FailReason::MediaUnavailable)),
    }
}

async fn fetched(owned: &Owned, job: &Job, url: &Secret<String>, left: Duration) -> Result<MediaRecord, NoFile> {
    let (ports, options) = (&owned.shared.ports, &owned.shared.options.media);
    let id = MediaId::of_job(&job.key());
    if let Some(media) = ports.media.media(&job.tenant, id).await?
        && media.state == MediaState::Ready
    {
        return Ok(media);
    }
    let request = WebRequest {
        method: WebMethod::Get,
        url: url.clone(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        patience: options.transfer_timeout.min(left),
        body_limit: options.limits.largest(),
    };
    let mut response = ports.web.ask(request).await.map_err(of_web)?;
    match response.status {
        200 => {}
        408 | 425 | 429 | 500.. => return Err(NoFile::NotNow(FailReason::MediaUnavailable)),
        _ => return Err(NoFile::Never(FailReason::MediaUnavailable)),
    }
    let now = ports.clock.now();
    let record = MediaRecord {
        id,
        tenant: job.tenant.clone(),
        session: None,
        state: MediaState::Filling,
        size: 0,
        created_at: now,
        expires_at: now.plus(options.keep),
        detail: MediaDetail { mime_type: String::new(), filename: None, sha256: [0; 32], source: None },
    };
    let mut intake = MediaIntake::new(&*ports.media, record, response.content_type.clone(), options.limits);
    while let Some(piece) = response.body.chunk().await.map_err(of_web)? {
        intake.push(&piece).await.map_err(of_intake)?;
    }
    intake.finish().await.map_err(of_intake)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn of_web(error: WebError) -> NoFile {
    tracing::debug!(%error, "a file could not be fetched");
    match error {
        WebError::BadAddress(_) | WebError::Forbidden(_) => NoFile::Never(FailReason::MediaUnavailable),
        WebError::TooLarge(_) => NoFile::Never(FailReason::MediaUnsuitable),
        WebError::NoSuchHost | WebError::NotConnected | WebError::TimedOut(_) | WebError::Broken => {
            NoFile::NotNow(FailReason::MediaUnavailable)
        }
    }
}

fn of_intake(error: IntakeError) -> NoFile {
    match error {
        IntakeError::Port(error) => error.into(),
        // Others of the tenant's expire.
        IntakeError::Full { .. } => NoFile::NotNow(FailReason::MediaUnavailable),
        IntakeError::Empty | IntakeError::TooLarge(_) | IntakeError::Contradicts(_) => {
            NoFile::Never(FailReason::MediaUnsuitable)
        }
    }
}
