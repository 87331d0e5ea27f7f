//! `send`: a text, or a file at an address.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use kurir_core::domain::MediaKind;
use kurir_core::wire::ContentV1;
use serde_json::json;

use super::super::send::{Letter, Posted};
use super::super::{Answer, Desk, Fields, Refusal};
use super::{accepted, success};

pub(super) async fn send(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let call = desk.call(request).await?;
    let to = call.fields.needed("number")?;
    let content = content(&call.fields)?;
    let session = call.instance(&desk).await?;
    Ok(told(&desk.post(&call.guest, &session, Letter { to, content, lane: None, ttl: None }).await?))
}

fn told(posted: &Posted) -> Response {
    let (entry, sent) = posted.entry();
    let mut answer =
        json!({"message_id": posted.id(), "job": entry.key.job.to_string(), "state": entry.state.as_str()});
    if sent {
        return success(answer, "Success");
    }
    answer["status"] = json!("accepted");
    answer["message"] = json!("The message is waiting to be sent; what becomes of it is told to the webhook");
    accepted(answer)
}

fn content(fields: &Fields) -> Result<ContentV1, Refusal> {
    let message = fields.verbatim("message").map(str::to_owned);
    let Some(url) = fields.text("media_url") else {
        return match fields.text("type").as_deref() {
            Some("media") => Err(Refusal::Missing("media_url")),
            _ => Ok(ContentV1::Text { text: message.ok_or(Refusal::Missing("message"))?, reply_to: None }),
        };
    };
    let filename = fields.text("filename");
    let kind = kind_of(filename.as_deref().unwrap_or(&url));
    let caption = message.filter(|_| !matches!(kind, MediaKind::Audio));
    Ok(ContentV1::Media { kind, media: None, url: Some(url), caption, filename, reply_to: None })
}

/// What a file is shown as, by the ending of its name: this system's callers say no more of it. What it really is, is looked at
/// when it is fetched.
fn kind_of(name: &str) -> MediaKind {
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit('/').next().unwrap_or_default().rsplit_once('.').map(|(_, ending)| ending);
    match ending.unwrap_or_default().to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "png" | "gif" | "webp" => MediaKind::Image,
        "mp4" | "3gp" | "mov" | "webm" => MediaKind::Video,
        "mp3" | "wav" | "ogg" | "m4a" | "aac" | "opus" => MediaKind::Audio,
        _ => MediaKind::Document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_ending_says_how_it_is_shown() {
        for (name, kind) in [
            ("https://x.test/a/b.PNG?v=1.pdf", MediaKind::Image),
            ("film.mp4", MediaKind::Video),
            ("https://x.test/voice.ogg#t", MediaKind::Audio),
            ("https://x.test/invoice", MediaKind::Document),
            ("https://x.png/", MediaKind::Document),
            ("", MediaKind::Document),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }
}
