//! Changing one's own password, which everybody who is signed in may.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use maud::html;

use super::address::{ClientAddress, is_https};
use super::desk::UserFault;
use super::guard::{MayLook, SignedIn};
use super::language::Language;
use super::page::Frame;
use super::turned_away::TurnedAway;
use super::users::fault_words;
use super::{cookie, form};
use crate::gateway::app::App;

struct Words {
    title: &'static str,
    old: &'static str,
    new: &'static str,
    again: &'static str,
    submit: &'static str,
    ends: &'static str,
    done: &'static str,
    differ: &'static str,
    wait: &'static str,
}

const ID: Words = Words {
    title: "Ganti kata sandi",
    old: "Kata sandi lama",
    new: "Kata sandi baru (paling sedikit 10 karakter)",
    again: "Kata sandi baru sekali lagi",
    submit: "Ganti",
    ends: "Semua peramban lain yang masuk dengan akun Anda akan keluar.",
    done: "Kata sandi sudah diganti. Peramban lain sudah keluar.",
    differ: "Kedua kata sandi baru tidak sama.",
    wait: "Terlalu banyak percobaan. Coba lagi beberapa saat lagi.",
};

const EN: Words = Words {
    title: "Change password",
    old: "Old password",
    new: "New password (at least 10 characters)",
    again: "New password once more",
    submit: "Change",
    ends: "All other browsers that are signed in with your account will be signed out.",
    done: "The password has been changed. Other browsers have been signed out.",
    differ: "The two new passwords differ.",
    wait: "Too many attempts. Try again in a while.",
};

fn words(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

/// The page and its form.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/password", get(show).post(change))
}

fn shown(frame: &Frame, signed_in: &SignedIn, status: StatusCode, notice: Option<&str>) -> Response {
    let words = words(frame.language());
    let body = html! {
        @if let Some(notice) = notice { p .notice role="status" { (notice) } }
        form .fields method="post" action="/admin/password" {
            (signed_in.csrf_field())
            // For password managers, which keep it with the name.
            input type="hidden" name="user" value=(signed_in.user.name) autocomplete="username";
            label { (words.old) input type="password" name="old" required autocomplete="current-password"; }
            label { (words.new)
                input type="password" name="new" required minlength="10" autocomplete="new-password";
            }
            label { (words.again) input type="password" name="again" required autocomplete="new-password"; }
            p { (words.ends) }
            button type="submit" { (words.submit) }
        }
    };
    let mut response = frame.page(signed_in, None, words.title, &body);
    *response.status_mut() = status;
    response
}

async fn show(MayLook(signed_in): MayLook, headers: HeaderMap, uri: Uri) -> Response {
    let frame = Frame::of(&headers, &uri);
    let done = uri.query() == Some("done");
    shown(&frame, &signed_in, StatusCode::OK, done.then_some(words(frame.language()).done))
}

async fn change(State(app): State<Arc<App>>, MayLook(signed_in): MayLook, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let frame = Frame::of(&parts.headers, &parts.uri);
    let language = frame.language();
    let again = |status, notice: &str| shown(&frame, &signed_in, status, Some(notice));
    let fields = match form::Fields::read(&app, Request::from_parts(parts.clone(), body)).await {
        Ok(fields) => fields,
        Err(refused) => return refused.page(&frame),
    };
    if fields.text("new") != fields.text("again") {
        return again(StatusCode::UNPROCESSABLE_ENTITY, words(language).differ);
    }
    let (door, user) = (&app.door, &signed_in.user);
    // Or whoever finds a browser open could try all passwords here.
    let client = ClientAddress::of(&parts, door.options.trust_proxy);
    if door.throttle.admit(Some(&user.name), client.0, door.now()).is_err() {
        return again(StatusCode::TOO_MANY_REQUESTS, words(language).wait);
    }
    let changed = door.desk.change_own(user, fields.secret("old"), fields.secret("new")).await;
    let changed = match changed {
        Ok(changed) => changed,
        Err(UserFault::WrongPassword) => {
            tracing::warn!(user = %user.name, from = client.masked(), "a wrong password was given to change it");
            return again(StatusCode::UNPROCESSABLE_ENTITY, fault_words(language, &UserFault::WrongPassword));
        }
        Err(fault) => {
            door.throttle.not_tried(Some(&user.name), client.0);
            return match fault {
                UserFault::Busy(_) => TurnedAway::Busy.page(&frame),
                UserFault::Store(error) => TurnedAway::of_store(error).page(&frame),
                fault => again(StatusCode::UNPROCESSABLE_ENTITY, fault_words(language, &fault)),
            };
        }
    };
    door.throttle.succeeded(&user.name, client.0);
    // This browser's sign-in has ended with the others; it gets a new one.
    match door.begin(&changed).await {
        Ok(Some(token)) => {
            let cookie =
                cookie::set(&token, door.options.session_max, is_https(&parts.headers, door.options.trust_proxy));
            ([(header::SET_COOKIE, cookie)], Redirect::to("/admin/password?done")).into_response()
        }
        Ok(None) => Redirect::to("/admin/sign-in").into_response(),
        Err(error) => TurnedAway::of_store(error).page(&frame),
    }
}
