//! Signing in and out.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use kurir_core::domain::{SignInToken, UserName};
use maud::html;

use super::address::{ClientAddress, is_https};
use super::guard::{MayLook, at_the_door};
use super::language::Language;
use super::local_path::LocalPath;
use super::page::Frame;
use super::turned_away::TurnedAway;
use super::{cookie, csrf, form};
use crate::gateway::app::App;

struct Words {
    title: &'static str,
    user: &'static str,
    password: &'static str,
    submit: &'static str,
    wrong: &'static str,
    wait: &'static str,
    seconds: &'static str,
    first: &'static str,
}

const ID: Words = Words {
    title: "Masuk",
    user: "Nama pengguna",
    password: "Kata sandi",
    submit: "Masuk",
    wrong: "Nama pengguna atau kata sandi salah.",
    wait: "Terlalu banyak percobaan. Coba lagi dalam",
    seconds: "detik.",
    first: "Belum punya akun? Operator menambahkannya dengan: kurir users add <nama>",
};

const EN: Words = Words {
    title: "Sign in",
    user: "User name",
    password: "Password",
    submit: "Sign in",
    wrong: "The user name or the password is wrong.",
    wait: "Too many attempts. Try again in",
    seconds: "seconds.",
    first: "No account yet? The operator adds one with: kurir users add <name>",
};

/// The page to sign in at, which is open to everybody.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/sign-in", get(show).post(enter))
}

/// What needs somebody who is signed in.
pub(super) fn inside() -> Router<Arc<App>> {
    Router::new().route("/admin/sign-out", post(leave))
}

/// Why the form is shown.
enum Why {
    /// Somebody opened it.
    Asked,
    /// Name or password were wrong; which one is nobody's business.
    Wrong,
    /// There were too many attempts.
    Wait(Duration),
}

fn shown(frame: &Frame, why: &Why, user: &str, next: &LocalPath) -> Response {
    let words = match frame.language() {
        Language::Id => &ID,
        Language::En => &EN,
    };
    let (status, seconds) = match why {
        Why::Asked => (StatusCode::OK, None),
        Why::Wrong => (StatusCode::UNAUTHORIZED, None),
        Why::Wait(wait) => (StatusCode::TOO_MANY_REQUESTS, Some(wait.as_millis().div_ceil(1000))),
    };
    let body = html! {
        @match why {
            Why::Asked => {},
            Why::Wrong => p .problem role="alert" { (words.wrong) },
            Why::Wait(_) => p .problem role="alert" { (words.wait) " " (seconds.unwrap_or_default()) " " (words.seconds) },
        }
        form .fields method="post" action="/admin/sign-in" {
            input type="hidden" name="next" value=(next.as_str());
            label { (words.user)
                input name="user" value=(user) required autofocus autocapitalize="none" spellcheck="false"
                    autocomplete="username";
            }
            label { (words.password)
                input type="password" name="password" required autocomplete="current-password";
            }
            button type="submit" { (words.submit) }
        }
        p { small { (words.first) } }
    };
    let mut response = frame.bare(words.title, &body);
    *response.status_mut() = status;
    if let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Where to go on to, as the address has it.
fn next_of(uri: &Uri) -> LocalPath {
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default();
    let next = query.iter().find(|(name, _)| name == "next");
    next.and_then(|(_, path)| LocalPath::parse(path)).unwrap_or_default()
}

async fn show(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Response {
    let (frame, next) = (Frame::of(&headers, &uri), next_of(&uri));
    match at_the_door(&app.door, &headers).await {
        Ok(Some(_)) => Redirect::to(next.as_str()).into_response(),
        Ok(None) => shown(&frame, &Why::Asked, "", &next),
        Err(refused) => refused.page(&frame),
    }
}

async fn enter(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let frame = Frame::of(&parts.headers, &parts.uri);
    match attempt(&app, &parts, body).await {
        Ok(Attempt::Entered { token, next }) => {
            let https = is_https(&parts.headers, app.door.options.trust_proxy);
            let cookie = cookie::set(&token, app.door.options.session_max, https);
            ([(header::SET_COOKIE, cookie)], Redirect::to(next.as_str())).into_response()
        }
        Ok(Attempt::Failed { why, user, next }) => shown(&frame, &why, &user, &next),
        Err(refused) => refused.page(&frame),
    }
}

/// What became of an attempt.
enum Attempt {
    /// They are in.
    Entered { token: SignInToken, next: LocalPath },
    /// They are not, and see the form again.
    Failed { why: Why, user: String, next: LocalPath },
}

async fn attempt(app: &App, parts: &Parts, body: Body) -> Result<Attempt, TurnedAway> {
    let door = &app.door;
    // Or another site could sign somebody in as somebody else, and see what they then do there.
    if !csrf::is_of_ours(&parts.headers, door.options.trust_proxy) {
        return Err(TurnedAway::FromElsewhere);
    }
    if !form::is_form(&parts.headers) {
        return Err(TurnedAway::BadForm);
    }
    let fields = form::Fields::parse(&form::collect(app, &parts.headers, body).await?).await?;
    let (user, next) =
        (fields.text("user").trim().to_owned(), LocalPath::parse(fields.text("next")).unwrap_or_default());
    let name = UserName::new(&user).ok();
    let client = ClientAddress::of(parts, door.options.trust_proxy);
    if let Err(wait) = door.throttle.admit(name.as_ref(), client.0, door.now()) {
        return Ok(Attempt::Failed { why: Why::Wait(wait), user, next });
    }
    let not_tried = || door.throttle.not_tried(name.as_ref(), client.0);
    let known = match &name {
        Some(name) => door.desk.named(name).await.map_err(|error| {
            not_tried();
            TurnedAway::of_store(error)
        })?,
        None => None,
    };
    let hash = known.as_ref().map(|user| user.password.clone());
    let right = door.desk.passwords.matches(fields.secret("password"), hash).await.map_err(|_| {
        not_tried();
        TurnedAway::Busy
    })?;
    let entered = match known.as_ref().filter(|_| right) {
        Some(user) => door.begin(user).await.map_err(TurnedAway::of_store)?.map(|token| (user, token)),
        None => None,
    };
    let Some((record, token)) = entered else {
        // What is nobody's name may be a password in the wrong field.
        let who = known.as_ref().map_or("(no user of this name)", |user| user.name.as_str());
        tracing::warn!(user = who, from = client.masked(), "a sign-in to the admin page failed");
        return Ok(Attempt::Failed { why: Why::Wrong, user, next });
    };
    door.throttle.succeeded(&record.name, client.0);
    tracing::info!(user = %record.name, tenant = %record.tenant, from = client.masked(), "signed in to the admin page");
    // The browser forgets the one that it had.
    if let Some(old) = cookie::read(&parts.headers, is_https(&parts.headers, door.options.trust_proxy)) {
        door.end(&old).await.map_err(TurnedAway::of_store)?;
    }
    Ok(Attempt::Entered { token, next })
}

async fn leave(State(app): State<Arc<App>>, MayLook(signed_in): MayLook, headers: HeaderMap) -> Response {
    if let Err(error) = app.door.end(signed_in.token()).await {
        return TurnedAway::of_store(error).page(&Frame::of_headers(&headers));
    }
    tracing::info!(user = %signed_in.user.name, "signed out of the admin page");
    let cookie = cookie::clear(is_https(&headers, app.door.options.trust_proxy));
    ([(header::SET_COOKIE, cookie)], Redirect::to("/admin/sign-in")).into_response()
}
