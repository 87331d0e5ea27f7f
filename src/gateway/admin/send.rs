//! Sending a test message.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use kurir_core::domain::{FailReason, JobId, LedgerEntry};
use maud::html;

use super::change::Change;
use super::guard::{MayChange, SignedIn};
use super::language::Language;
use super::page::{Frame, Section};
use super::refusal::{Answer, Refused};
use super::send_form::{Offer, Typed, form};
use super::words::Notice;
use crate::gateway::app::App;
use crate::gateway::native::ApiError;
use crate::gateway::usecase::{Enqueue, Receipt, Search, UseCaseError};

/// Deadline of a one-time password that is sent from here, in seconds.
const OTP_TTL: u32 = 300;

/// How long somebody waits at most.
const LONGEST: Duration = Duration::from_secs(10);

/// How long before it would be cut off the request is answered.
const MARGIN: Duration = Duration::from_secs(3);

/// Sessions and templates that the form offers.
const OFFERED: u32 = 200;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/send", get(page).post(send))
}

const fn title(language: Language) -> &'static str {
    language.of_two("Kirim pesan uji", "Send a test message")
}

async fn offer(app: &App, signed_in: &SignedIn) -> Result<Offer, Refused> {
    let tenant = signed_in.tenant();
    let sessions = app.cases.sessions(tenant, Search::default(), None, OFFERED).await?.sessions;
    let templates = app.cases.templates(tenant, None, OFFERED).await?.templates;
    let with_code = templates.iter().filter(|template| template.texts().placeholders().contains("code"));
    Ok(Offer {
        sessions: sessions.iter().map(|session| session.id.to_string()).collect(),
        default: app.cases.default_session(tenant).await?.map(|session| session.to_string()),
        templates: with_code.map(|template| template.name().to_string()).collect(),
    })
}

/// The form, fresh: what is sent from it is another message than before.
async fn page(State(app): State<Arc<App>>, MayChange(signed_in): MayChange, frame: Frame) -> Answer {
    let typed = Typed { id: fresh(&app), ..Typed::default() };
    shown(&app, &frame, &signed_in, &typed, None).await
}

fn fresh(app: &App) -> String {
    app.cases.random_job_id(app.clock.now()).to_string()
}

async fn shown(
    app: &App,
    frame: &Frame,
    signed_in: &SignedIn,
    typed: &Typed,
    problem: Option<(StatusCode, String)>,
) -> Answer {
    let (language, offer) = (frame.language(), offer(app, signed_in).await?);
    let (status, text) = problem.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let body = html! {
        @if let Some(text) = text {
            p .problem role="alert" { (text) }
        }
        (form(language, signed_in, &offer, typed))
    };
    Ok((status, frame.page(signed_in, Section::Messages, title(language), &body)).into_response())
}

async fn send(State(app): State<Arc<App>>, frame: Frame, Change(signed_in, mut typed): Change<Typed>) -> Answer {
    let Some(job) = typed.job() else { return Err(Refused::BadForm) };
    let error = match carry_out(&app, &signed_in, &typed, job).await {
        Ok(entry) => return Ok(done(&entry)),
        Err(error) => error,
    };
    // Only where nobody knows whether it was queued it must stay the same message.
    if !matches!(error, Failed::UseCase(UseCaseError::Unsettled)) {
        typed.id = fresh(&app);
    }
    shown(&app, &frame, &signed_in, &typed, Some(error.told(frame.language()))).await
}

fn done(entry: &LedgerEntry) -> Response {
    // What was ended at once says why on its page.
    let told = if entry.state.is_never_sent() { String::new() } else { format!("?done={}", Notice::Sent.as_str()) };
    Redirect::to(&format!("/admin/messages/{}{told}", entry.key.job)).into_response()
}

async fn carry_out(app: &App, signed_in: &SignedIn, typed: &Typed, job: JobId) -> Result<LedgerEntry, Failed> {
    let tenant = signed_in.tenant().clone();
    let session = match Some(typed.session.trim()).filter(|session| !session.is_empty()) {
        Some(session) => session.to_owned(),
        None => app.cases.default_session(&tenant).await?.ok_or(Failed::NoSession)?.to_string(),
    };
    if typed.is_otp() && typed.code.trim().is_empty() {
        return Err(Failed::NoCode);
    }
    if !typed.is_otp() && typed.text.trim().is_empty() {
        return Err(Failed::NoText);
    }
    let wording = typed.wording().ok_or(Failed::BadValues)?;
    let lane = wording.lane();
    let enqueue = Enqueue {
        id: Some(job),
        session: Some(session),
        pool: None,
        to: typed.to.trim().to_owned(),
        lane,
        content: app.cases.content_of(&tenant, wording).await?,
        expires_at: None,
        ttl: typed.is_otp().then_some(OTP_TTL),
        metadata: [("from".to_owned(), "admin".to_owned())].into(),
        traceparent: None,
        batch: None,
    };
    let cases = app.cases.clone();
    // In a task of its own: between the ledger and the queue nothing may stop because a caller hangs up.
    let taken = app.tasks.spawn(async move { cases.enqueue(&tenant, enqueue).await });
    let (Receipt::Accepted(entry) | Receipt::Known(entry)) = taken.await.map_err(|_| UseCaseError::Unsettled)??;
    let Some(goal) = typed.goal() else { return Ok(entry) };
    let limit = LONGEST.min(app.request_timeout.saturating_sub(MARGIN));
    Ok(app.waits.until(entry.key.clone(), goal, limit).await.unwrap_or(entry))
}

/// Why nothing was sent.
enum Failed {
    NoSession,
    NoText,
    NoCode,
    BadValues,
    UseCase(UseCaseError),
}

impl From<UseCaseError> for Failed {
    fn from(error: UseCaseError) -> Self {
        Self::UseCase(error)
    }
}

impl Failed {
    /// Status, and in words.
    fn told(self, language: Language) -> (StatusCode, String) {
        let bad = StatusCode::UNPROCESSABLE_ENTITY;
        let (status, id, en) = match self {
            Self::NoSession => (
                bad,
                "Belum ada sesi utama. Isi sesi yang akan mengirim.",
                "There is no default session. Name the session that is to send.",
            ),
            Self::NoText => (bad, "Teks pesannya masih kosong.", "The text is empty."),
            Self::NoCode => (bad, "Kode OTP masih kosong.", "The one-time password is empty."),
            Self::BadValues => (
                bad,
                "Isian templat ditulis satu per baris, seperti name=Sari.",
                "Values stand one in each line, like name=Sari.",
            ),
            Self::UseCase(UseCaseError::Field { reason: FailReason::BadNumber, .. }) => (
                bad,
                "Nomor ini tidak benar. Tulis seperti 0812-3456-7890 atau +62 812-3456-7890.",
                "This is not a number. Write it like 0812-3456-7890 or +62 812-3456-7890.",
            ),
            Self::UseCase(
                UseCaseError::NotFound { what: "session", .. } | UseCaseError::Field { field: "session", .. },
            ) => (bad, "Tidak ada sesi dengan nama ini.", "There is no session of this name."),
            Self::UseCase(UseCaseError::SessionDeleted) => {
                (StatusCode::CONFLICT, "Sesi ini sedang dihapus.", "The session is being deleted.")
            }
            Self::UseCase(UseCaseError::QueueFull) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Antrean sesi ini penuh. Tidak ada yang dikirim; coba lagi nanti.",
                "The session's queue is full. Nothing was sent; try again later.",
            ),
            Self::UseCase(UseCaseError::NotQueued) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Antrean tidak menjawab. Pesan dibatalkan dan tidak akan dikirim; coba lagi.",
                "The queue did not answer. The message was cancelled and is not sent; try again.",
            ),
            Self::UseCase(UseCaseError::Unsettled) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Belum pasti pesan masuk antrean. Kirim formulir ini lagi tanpa mengubahnya: pesannya tetap terkirim sekali.",
                "Whether the message was queued is not known. Send this form again unchanged: the message goes out once.",
            ),
            // What is left is English, like all that programs are told.
            Self::UseCase(error) => {
                let error = ApiError::from(error);
                let field = error.field.map(|field| format!("{field}: ")).unwrap_or_default();
                return (error.status, format!("{field}{}", error.detail));
            }
        };
        (status, language.of_two(id, en).to_owned())
    }
}
