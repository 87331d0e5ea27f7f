//! Stands before every page but the sign-in: who is not signed in does not come in, who may only look changes nothing, and a
//! request that another site has made up is refused.
//!
//! [`protect`] is laid around the routes; handlers then ask for [`MayLook`] or [`MayChange`].

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use kurir_core::domain::{SignInToken, TenantId, UserRecord};
use maud::{Markup, html};

use super::address::is_https;
use super::door::Door;
use super::form;
use super::local_path::LocalPath;
use super::page::Frame;
use super::reader::asks_for_a_part;
use super::turned_away::TurnedAway;
use super::{cookie, csrf};
use crate::gateway::app::App;

/// What somebody who may only look may do all the same: it concerns nobody but themselves.
const OWN: [&str; 2] = ["/admin/sign-out", "/admin/password"];

/// Somebody who is signed in; put into the request by [`protect`].
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    /// Who, as the store has them now.
    pub user: UserRecord,
    /// The token for forms and requests that change something.
    pub csrf: String,
    token: SignInToken,
}

impl SignedIn {
    /// Whoever shows this token.
    pub fn new(user: UserRecord, token: &SignInToken) -> Self {
        Self { user, csrf: csrf::token(token), token: token.clone() }
    }

    /// Whose sessions, messages and so on they see.
    pub const fn tenant(&self) -> &TenantId {
        &self.user.tenant
    }

    /// Whether they may change anything.
    pub const fn may_change(&self) -> bool {
        self.user.role.may_change()
    }

    /// The hidden field that every form with `method="post"` needs.
    pub fn csrf_field(&self) -> Markup {
        html! { input type="hidden" name=(csrf::FIELD) value=(self.csrf); }
    }

    /// The mark that the sign-in is kept under.
    pub fn mark(&self) -> [u8; 32] {
        self.token.mark()
    }

    /// Whether the sign-in still stands. While the store does not answer, what was known counts.
    pub async fn still(&self, app: &App) -> bool {
        !matches!(app.door.known(&self.token).await, Ok(None))
    }

    /// What the browser shows.
    pub(super) const fn token(&self) -> &SignInToken {
        &self.token
    }
}

/// Somebody who may look.
pub(super) struct MayLook(pub SignedIn);

/// Somebody who may change things.
pub(super) struct MayChange(pub SignedIn);

impl<S: Sync> FromRequestParts<S> for MayLook {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        // Put there by `protect`, which stands before every route that asks for it.
        let found = parts.extensions.get::<SignedIn>().cloned();
        found.map(Self).ok_or_else(|| unsigned(parts))
    }
}

impl<S: Sync> FromRequestParts<S> for MayChange {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let MayLook(signed_in) = MayLook::from_request_parts(parts, state).await?;
        if signed_in.may_change() {
            return Ok(Self(signed_in));
        }
        Err(TurnedAway::OnlyLooking.page(&Frame::of_headers(&parts.headers)))
    }
}

/// Lets a request pass whose sender is signed in and, if it may change something, has meant it.
pub(super) async fn protect(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let door = &app.door;
    let (parts, body) = request.into_parts();
    let frame = Frame::of_headers(&parts.headers);
    let refuse = |refused: TurnedAway| refused.page(&frame);
    let changes = csrf::is_unsafe(&parts.method);
    if changes && !csrf::is_of_ours(&parts.headers, door.options.trust_proxy) {
        return refuse(TurnedAway::FromElsewhere);
    }
    let signed_in = match at_the_door(door, &parts.headers).await {
        Ok(Some(signed_in)) => signed_in,
        Ok(None) => return unsigned(&parts),
        Err(refused) => return refuse(refused),
    };
    tracing::Span::current().record("tenant", tracing::field::display(signed_in.tenant()));
    let mut request = if changes {
        if !signed_in.may_change() && !OWN.contains(&parts.uri.path()) {
            return refuse(TurnedAway::OnlyLooking);
        }
        match meant(&app, &signed_in, parts, body).await {
            Ok(request) => request,
            Err(refused) => return refuse(refused),
        }
    } else {
        Request::from_parts(parts, body)
    };
    request.extensions_mut().insert(signed_in);
    next.run(request).await
}

/// Who shows a sign-in that is good.
pub(super) async fn at_the_door(door: &Door, headers: &HeaderMap) -> Result<Option<SignedIn>, TurnedAway> {
    let https = is_https(headers, door.options.trust_proxy);
    let Some(token) = cookie::read(headers, https) else { return Ok(None) };
    door.known(&token).await.map_err(TurnedAway::of_store)
}

/// The request, if it has the sign-in's token: in the header, or in the field of a form, whose body is read for that.
async fn meant(app: &App, signed_in: &SignedIn, parts: Parts, body: Body) -> Result<Request, TurnedAway> {
    if let Some(given) = parts.headers.get(csrf::HEADER) {
        let holds = given.to_str().is_ok_and(|given| csrf::holds(&signed_in.csrf, given));
        return if holds { Ok(Request::from_parts(parts, body)) } else { Err(TurnedAway::Stale) };
    }
    if !form::is_form(&parts.headers) {
        return Err(TurnedAway::Stale);
    }
    let bytes = form::collect(app, &parts.headers, body).await?;
    let fields = form::Fields::parse(&bytes).await?;
    if !csrf::holds(&signed_in.csrf, fields.text(csrf::FIELD)) {
        return Err(TurnedAway::Stale);
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Whether a script asks, which can't do anything with a page to sign in at.
fn is_script(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let events = accepts.into_iter().any(|accept| accept.contains("text/event-stream"));
    // What a browser opens as a page, and not for a script on one.
    let page = headers.get("sec-fetch-dest").is_none_or(|dest| dest == "document" || dest == "iframe");
    events || !page || asks_for_a_part(headers)
}

/// Sends whoever is not signed in to where they can be.
fn unsigned(parts: &Parts) -> Response {
    if is_script(&parts.headers) {
        return TurnedAway::NotSignedIn.page(&Frame::of_headers(&parts.headers));
    }
    // A form that was sent can't be sent again by opening its address.
    let asked = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    let path = asked.path_and_query().map(axum::http::uri::PathAndQuery::as_str).unwrap_or_default();
    let back = Some(path).filter(|_| parts.method == Method::GET).and_then(LocalPath::parse).unwrap_or_default();
    Redirect::to(&sign_in_at(&back)).into_response()
}

/// The address of the sign-in, from where it goes on to a page.
pub(super) fn sign_in_at(next: &LocalPath) -> String {
    if *next == LocalPath::default() {
        return "/admin/sign-in".to_owned();
    }
    format!("/admin/sign-in?next={}", next.escaped())
}
