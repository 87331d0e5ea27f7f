//! Files that callers upload, and those that came in.

use std::time::Duration;

use bytes::Bytes;
use kurir_core::domain::{
    Job, MediaContent, MediaDetail, MediaFrom, MediaId, MediaLimits, MediaRecord, MediaState, Secret, SessionId,
    Target, TenantId, media_fits,
};
use kurir_core::port::{IntakeError, MediaIntake, WebError};

use super::{UseCaseError, UseCases};

/// A file that is sent later than this is still there then.
const MARGIN: Duration = Duration::from_hours(1);

/// How files are taken.
#[derive(Clone, Copy, Debug)]
pub struct MediaRules {
    /// How large they may be.
    pub limits: MediaLimits,
    /// How long they are kept.
    pub keep: Duration,
}

/// A file on its way in.
pub struct Upload<'a>(MediaIntake<'a>);

impl Upload<'_> {
    /// Takes the next bytes.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), UseCaseError> {
        Ok(self.0.push(bytes).await?)
    }

    /// SHA-256 of what has come so far.
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest()
    }

    /// Throws away what has come. What can't be removed now expires soon.
    pub async fn discard(self) {
        if let Err(error) = self.0.discard().await {
            tracing::debug!(error = error.chain(), "an upload could not be thrown away");
        }
    }

    /// The end.
    pub async fn finish(self) -> Result<MediaRecord, UseCaseError> {
        Ok(self.0.finish().await?)
    }
}

impl Default for MediaRules {
    /// Small files for a day, a GiB of them at most.
    fn default() -> Self {
        let mib = 1 << 20;
        let limits = MediaLimits { image: mib, video: mib, audio: mib, document: mib, tenant: mib << 10 };
        Self { limits, keep: Duration::from_hours(24) }
    }
}

impl From<IntakeError> for UseCaseError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Empty => Self::field("file", "the file is empty"),
            IntakeError::TooLarge(limit) => Self::MediaTooLarge { limit },
            IntakeError::Full { used, allowed } => Self::MediaQuota { used, allowed },
            IntakeError::Contradicts(contradiction) => Self::MediaContradicts(contradiction),
            IntakeError::Port(error) => Self::Port(error),
        }
    }
}

impl UseCases {
    /// Begins to take a file, for one session or for all of the tenant's.
    pub fn upload(
        &self,
        tenant: &TenantId,
        session: Option<SessionId>,
        declared: Option<String>,
        filename: Option<String>,
    ) -> Upload<'_> {
        let now = self.ports.clock.now();
        let record = MediaRecord {
            id: MediaId::new(self.random_job_id(now)),
            tenant: tenant.clone(),
            session,
            state: MediaState::Filling,
            size: 0,
            created_at: now,
            expires_at: now.plus(self.media.keep),
            detail: MediaDetail {
                mime_type: String::new(),
                filename: filename.map(Secret::new),
                sha256: [0; 32],
                source: None,
            },
        };
        Upload(MediaIntake::new(&*self.ports.media, record, declared, self.media.limits))
    }

    /// A file of the tenant's. One that has expired is not there, whether it was removed yet or not.
    pub async fn file(&self, tenant: &TenantId, id: MediaId) -> Result<MediaRecord, UseCaseError> {
        let media = self.ports.media.media(tenant, id).await?;
        let now = self.ports.clock.now();
        media.filter(|media| media.expires_at > now).ok_or(UseCaseError::NotFound { what: "file", field: None })
    }

    /// A file of the tenant's whose content can be read.
    pub fn readable(media: MediaRecord) -> Result<MediaRecord, UseCaseError> {
        match media.state {
            MediaState::Ready => Ok(media),
            MediaState::Filling | MediaState::Awaited => Err(UseCaseError::MediaNotReady),
            MediaState::Lost => Err(UseCaseError::MediaLost),
            MediaState::Unkept => Err(UseCaseError::MediaUnkept),
        }
    }

    /// A piece of a file; `None` when it was removed meanwhile.
    pub async fn piece(&self, id: MediaId, at: u32) -> Result<Option<Bytes>, UseCaseError> {
        Ok(self.ports.media.piece(id, at).await?)
    }

    /// Removes a file.
    pub async fn remove_file(&self, tenant: &TenantId, id: MediaId) -> Result<(), UseCaseError> {
        let removed = self.ports.media.remove_media(tenant, id).await?;
        if removed { Ok(()) } else { Err(UseCaseError::NotFound { what: "file", field: None }) }
    }

    /// Whether the file that a message is to carry can be sent, and keeps it until then.
    pub(super) async fn check_file(&self, job: &Job, content: &MediaContent) -> Result<(), UseCaseError> {
        let id = match &content.from {
            MediaFrom::Stored(id) => *id,
            MediaFrom::Url(url) => {
                return self.ports.web.check(url.expose()).map_err(|error| match error {
                    WebError::Forbidden(_) => {
                        UseCaseError::field("content.url", "not an address of the public internet")
                    }
                    _ => UseCaseError::field("content.url", "this is no http or https address"),
                });
            }
        };
        let session = if let Target::Session(session) = &job.target { Some(session) } else { None };
        let media = match self.file(&job.tenant, id).await {
            Ok(media) if media.session.is_none() || media.session.as_ref() == session => media,
            Ok(_) | Err(UseCaseError::NotFound { .. }) => {
                // Sent again under its id, when the file has gone.
                if self.entry(&job.key()).await?.is_some() {
                    return Ok(());
                }
                return Err(UseCaseError::field("content.media", "there is no such file"));
            }
            Err(error) => return Err(error),
        };
        let media = Self::readable(media)?;
        if !media_fits(content.kind, &media.detail.mime_type) {
            let message = format!("a file of this type can't be shown as {}", content.kind);
            return Err(UseCaseError::field("content.kind", message));
        }
        let now = self.ports.clock.now();
        let until = job.expires_at.unwrap_or(now).max(now.plus(self.media.keep)).plus(MARGIN);
        Ok(self.ports.media.keep_media(&job.tenant, id, until).await?)
    }
}
