//! `Idempotency-Key`: a request that is repeated under its key is carried out once, and answered the same each time.
//!
//! The key is entered with a lease before the work begins, and the answer is recorded before it is given. A gateway that
//! dies in between leaves a run whose lease ends; the repetition then goes on with the same seed, so that what it makes of
//! that has the same ids and the ledger recognises what was made already.
//!
//! Recorded is what succeeded. What was refused has done nothing and may be corrected under the same key; of what failed
//! nobody knows how far it came, so the same request may follow at once and no other one.
//!
//! Which requests take a key stands in [`super::repeatable`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{RecordedAnswer, RequestKey, RequestSeed};
use kurir_core::port::{Begun, NewRun, RunEnd};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use super::auth::Caller;
use super::error::{ApiError, Code};
use super::sessions::ended_early;
use super::{App, body, layers};
use crate::gateway::usecase::UseCaseError;

/// The header with the caller's name for the request.
const NAME: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Headers that belong to an answer; all others are made anew for each request.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::LOCATION];

/// How much longer than its request a run is left alone.
const GRACE: Duration = Duration::from_secs(30);

/// Codes of failures that have left nothing behind, though their status is that of a failure.
const LEFT_NOTHING: [&str; 3] = ["not_queued", "not_declared", "contended"];

/// A request that its caller gave a name.
pub(super) struct Named {
    key: RequestKey,
    asked: Asked,
    lasts: Duration,
}

/// Whether a named request is to be carried out.
pub(super) enum Entered {
    /// Yes.
    Run(NewRun),
    /// It was, and this is the answer.
    Known(Response),
}

impl Named {
    /// The request as far as its head tells; `None`: it has no name. What its body asks for is added in parts.
    pub fn of(app: &App, caller: &Caller, request: &Request) -> Result<Option<Self>, ApiError> {
        let Some(name) = name_of(request.headers())? else { return Ok(None) };
        let key =
            RequestKey::new(caller.tenant().clone(), name.as_bytes()).map_err(|error| bad_name(&error.to_string()))?;
        let asked = Asked::of(caller, request.method(), request.uri());
        Ok(Some(Self { key, asked, lasts: layers::lasts_at_most(app, request.uri()) }))
    }

    /// Adds a part of what is asked for.
    pub fn part(&mut self, bytes: &[u8]) {
        self.asked.part(bytes);
    }

    /// Enters the request, all parts of which are known.
    pub async fn enter(self, app: &App) -> Result<Entered, ApiError> {
        let at = app.clock.now();
        let new = NewRun {
            request: self.asked.hash(),
            runner: app.entropy.nonce(),
            seed: RequestSeed(app.entropy.nonce().to_be_bytes()),
            at,
            lease: at.plus(self.lasts.saturating_add(GRACE)),
            keep: at.plus(app.messages.remember),
            key: self.key,
        };
        match app.requests.begin(&new).await.map_err(UseCaseError::from)? {
            Begun::Run(seed) => Ok(Entered::Run(NewRun { seed, ..new })),
            Begun::Answered(answer) => Ok(Entered::Known(replay(answer))),
            Begun::Reused => {
                let detail = "this Idempotency-Key was used for another request; take a new one for each request";
                Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail))
            }
            Begun::Running(until) => {
                let detail = "a request with this Idempotency-Key is being carried out; ask again later";
                let mut error = ApiError::new(StatusCode::CONFLICT, "idempotency_key_in_use", detail);
                // It mostly ends long before its lease does.
                error.retry_after = Some(u32::try_from(until.since(at).as_secs()).unwrap_or(1).clamp(1, 2));
                Err(error)
            }
        }
    }
}

/// Carries out a request, once if it has a name; then its body is taken here, at most `limit` bytes of it, and it is carried
/// out in a task of its own, so that a caller who hangs up finds its answer when it comes again.
pub(super) async fn once(
    app: &Arc<App>,
    caller: &Caller,
    request: Request,
    limit: usize,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(mut named) = Named::of(app, caller, &request)? else { return Ok(next.run(request).await) };
    let (mut parts, body) = request.into_parts();
    let bytes = body::collect(&parts.headers, body, limit).await?;
    match boundary(&parts.headers) {
        // Clients draw a new boundary for each request.
        Some(boundary) => split(&bytes, boundary.as_bytes()).for_each(|part| named.part(part)),
        None => named.part(&bytes),
    }
    let run = match named.enter(app).await? {
        Entered::Known(answer) => return Ok(answer),
        Entered::Run(run) => run,
    };
    parts.extensions.insert(run.seed);
    let request = Request::from_parts(parts, Body::from(bytes));
    let (app, tasks) = (Arc::clone(app), app.tasks.clone());
    let work = async move {
        let answer = next.run(request).await;
        settle(&app, &run, answer).await
    };
    tasks.spawn(work.instrument(tracing::Span::current())).await.map_err(|_| ended_early())
}

/// What the ids of things that a named request makes are to be made of: the same for whoever takes it over.
pub(super) fn seed_of(request: &Request) -> Option<RequestSeed> {
    request.extensions().get().copied()
}

fn bad_name(detail: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", detail)
}

fn name_of(headers: &HeaderMap) -> Result<Option<&HeaderValue>, ApiError> {
    let mut given = headers.get_all(NAME).iter();
    let name = given.next();
    if given.next().is_some() {
        return Err(bad_name("there is more than one Idempotency-Key"));
    }
    Ok(name)
}

/// A hash of all that a request asks for, so far. A key that allows less asks for less, so an answer to the one is no answer
/// to the other: whoever gets a recorded answer may do what it was the answer to.
struct Asked(Sha256);

impl Asked {
    fn of(caller: &Caller, method: &Method, uri: &Uri) -> Self {
        let mut asked = Self(Sha256::new());
        asked.part(b"kurir/request/v1");
        asked.part(method.as_str().as_bytes());
        asked.part(uri.path().as_bytes());
        // How long to wait for the answer is no part of what is asked for.
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_wait(pair)) {
            asked.part(pair.as_bytes());
        }
        let key = caller.key();
        key.sessions.iter().flatten().for_each(|session| asked.part(session.as_str().as_bytes()));
        asked.part(&[u8::from(key.sessions.is_some())]);
        key.scopes.iter().for_each(|scope| asked.part(scope.as_str().as_bytes()));
        asked
    }

    fn part(&mut self, bytes: &[u8]) {
        // With its length before it, no part can pass for the end of another.
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn hash(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

fn is_wait(pair: &str) -> bool {
    matches!(pair.split_once('='), Some(("wait" | "timeout", _)))
}

/// The boundary of a multipart body.
fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, rest) = kind.split_once(';')?;
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let given = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    Some(given.trim_matches('"').to_owned()).filter(|boundary| !boundary.is_empty())
}

/// The pieces of `body` between the places where `mark` stands.
fn split<'a>(body: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let body = rest?;
        let found = body.windows(mark.len()).position(|window| window == mark);
        rest = found.map(|at| &body[at + mark.len()..]);
        Some(found.map_or(body, |at| &body[..at]))
    })
}

/// Records how a run ended, and gives its answer.
pub(super) async fn settle(app: &App, run: &NewRun, answer: Response) -> Response {
    let (end, answer) = if answer.status().is_success() { recorded(answer).await } else { (failed(&answer), answer) };
    match app.requests.end(&run.key, run.runner, &end).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!("a request took longer than its lease, and somebody else has taken it over"),
        // Its lease ends, and the repetition finds by its ids what was made.
        Err(error) => tracing::warn!(error = error.chain(), "the answer to a request could not be recorded"),
    }
    answer
}

/// How far a run came that did not succeed.
fn failed(answer: &Response) -> RunEnd {
    let left_nothing = answer.extensions().get().is_some_and(|Code(code)| LEFT_NOTHING.contains(code));
    if answer.status().is_server_error() && !left_nothing { RunEnd::Unknown } else { RunEnd::Nothing }
}

/// Takes an answer apart to be recorded, and puts it together again.
async fn recorded(response: Response) -> (RunEnd, Response) {
    let (parts, body) = response.into_parts();
    // Answers of ours are made in one piece and never fail.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return (RunEnd::Unknown, ended_early().into_response());
    };
    let kept = KEPT.iter().filter_map(|name| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let answer = RecordedAnswer { status: parts.status.as_u16(), headers: kept.collect(), body: body.to_vec() };
    (RunEnd::Answered(answer), Response::from_parts(parts, Body::from(body)))
}

fn replay(answer: RecordedAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_found_and_taken_out() {
        let kind = |text: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(text).unwrap())]);
        assert_eq!(boundary(&kind("multipart/form-data; boundary=abc")).as_deref(), Some("abc"));
        assert_eq!(boundary(&kind("Multipart/Form-Data; charset=x; boundary=\"a b\"")).as_deref(), Some("a b"));
        assert_eq!(boundary(&kind("application/json; boundary=abc")), None);
        let pieces = |body: &'static [u8]| split(body, b"--x").collect::<Vec<_>>();
        assert_eq!(pieces(b"--xone--xtwo--x--"), [&b""[..], b"one", b"two", b"--"]);
        assert_eq!(pieces(b"none"), [b"none"]);
        assert_eq!(pieces(b""), [b""]);
    }
}
