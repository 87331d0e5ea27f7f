//! The tenant's users: list, add, change, remove. For admins.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use kurir_core::domain::{UserName, UserRecord, UserRole};
use maud::{Markup, html};

use super::desk::{By, NewUser, UserFault};
use super::form::Fields;
use super::guard::{MayChange, SignedIn};
use super::language::Language;
use super::page::{Frame, Section};
use super::turned_away::TurnedAway;
use crate::gateway::app::App;

struct Words {
    title: &'static str,
    name: &'static str,
    role: &'static str,
    since: &'static str,
    actions: &'static str,
    admin: &'static str,
    viewer: &'static str,
    you: &'static str,
    add: &'static str,
    password: &'static str,
    set_role: &'static str,
    new_password: &'static str,
    set_password: &'static str,
    remove: &'static str,
    remove_sure: &'static str,
    added: &'static str,
    role_set: &'static str,
    password_set: &'static str,
    removed: &'static str,
    bad_name: &'static str,
    bad_role: &'static str,
    name_taken: &'static str,
    no_such_user: &'static str,
    too_short: &'static str,
    too_long: &'static str,
    is_the_name: &'static str,
    wrong_password: &'static str,
    last_admin: &'static str,
    oneself: &'static str,
    busy: &'static str,
    store_down: &'static str,
}

const ID: Words = Words {
    title: "Pengguna",
    name: "Nama",
    role: "Peran",
    since: "Sejak",
    actions: "Tindakan",
    admin: "Admin: boleh semua",
    viewer: "Pengamat: hanya melihat",
    you: "Anda",
    add: "Tambah pengguna",
    password: "Kata sandi (paling sedikit 10 karakter)",
    set_role: "Ubah peran",
    new_password: "Kata sandi baru",
    set_password: "Beri kata sandi baru",
    remove: "Hapus…",
    remove_sure: "Ya, hapus",
    added: "Pengguna sudah ditambahkan.",
    role_set: "Peran sudah diubah.",
    password_set: "Kata sandi sudah diganti, dan semua perambannya sudah keluar.",
    removed: "Pengguna sudah dihapus.",
    bad_name: "Nama terdiri dari 1 sampai 64 huruf tanpa aksen, angka, titik, garis bawah, tanda hubung dan @, diawali huruf atau angka.",
    bad_role: "Pilih salah satu peran.",
    name_taken: "Nama ini sudah dipakai. Pilih nama lain.",
    no_such_user: "Pengguna ini tidak ada.",
    too_short: "Kata sandi paling sedikit 10 karakter.",
    too_long: "Kata sandi terlalu panjang.",
    is_the_name: "Kata sandi tidak boleh sama dengan nama pengguna.",
    wrong_password: "Kata sandi lama salah.",
    last_admin: "Ini satu-satunya admin. Jadikan orang lain admin dulu.",
    oneself: "Anda tidak dapat menghapus diri sendiri atau mengubah peran sendiri. Mintalah admin lain.",
    busy: "Terlalu banyak permintaan. Coba lagi beberapa detik lagi.",
    store_down: "Basis data tidak menjawab. Coba lagi sebentar lagi.",
};

const EN: Words = Words {
    title: "Users",
    name: "Name",
    role: "Role",
    since: "Since",
    actions: "Actions",
    admin: "Admin: may do everything",
    viewer: "Viewer: may only look",
    you: "you",
    add: "Add a user",
    password: "Password (at least 10 characters)",
    set_role: "Change role",
    new_password: "New password",
    set_password: "Give a new password",
    remove: "Remove…",
    remove_sure: "Yes, remove",
    added: "The user has been added.",
    role_set: "The role has been changed.",
    password_set: "The password has been changed, and all their browsers have been signed out.",
    removed: "The user has been removed.",
    bad_name: "A name has 1 to 64 letters without accents, digits, dots, underscores, hyphens and @, and begins with a letter or a digit.",
    bad_role: "Choose one of the roles.",
    name_taken: "This name is taken. Choose another one.",
    no_such_user: "There is no such user.",
    too_short: "A password has at least 10 characters.",
    too_long: "The password is too long.",
    is_the_name: "The password must not be the user's name.",
    wrong_password: "The old password is wrong.",
    last_admin: "This is the only admin. Make somebody else an admin first.",
    oneself: "You can't remove yourself or change your own role. Ask another admin.",
    busy: "Too many requests. Try again in a few seconds.",
    store_down: "The database does not answer. Try again soon.",
};

fn words(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

/// Why something was not done with a user.
pub(super) fn fault_words(language: Language, fault: &UserFault) -> &'static str {
    let words = words(language);
    match fault {
        UserFault::NameTaken => words.name_taken,
        UserFault::NoSuchUser => words.no_such_user,
        UserFault::TooShort => words.too_short,
        UserFault::TooLong => words.too_long,
        UserFault::IsTheName => words.is_the_name,
        UserFault::WrongPassword => words.wrong_password,
        UserFault::LastAdmin => words.last_admin,
        UserFault::Oneself => words.oneself,
        UserFault::Busy(_) => words.busy,
        UserFault::Store(_) => words.store_down,
    }
}

/// The page and its forms.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/users", get(list).post(add))
        .route("/admin/users/{name}/role", post(set_role))
        .route("/admin/users/{name}/password", post(set_password))
        .route("/admin/users/{name}/remove", post(remove))
}

fn role_field(words: &Words, chosen: UserRole) -> Markup {
    let name = |role| match role {
        UserRole::Admin => words.admin,
        UserRole::Viewer => words.viewer,
    };
    html! {
        select name="role" aria-label=(words.role) {
            @for role in UserRole::ALL {
                option value=(role.as_str()) selected[role == chosen] { (name(role)) }
            }
        }
    }
}

fn row(words: &Words, signed_in: &SignedIn, user: &UserRecord) -> Markup {
    let oneself = user.name == signed_in.user.name;
    let place = format!("/admin/users/{}", user.name);
    let since = user.created_at.to_rfc3339();
    html! {
        tr {
            th scope="row" { (user.name) @if oneself { " (" (words.you) ")" } }
            td {
                @if oneself {
                    (match user.role { UserRole::Admin => words.admin, UserRole::Viewer => words.viewer })
                } @else {
                    form .search method="post" action={ (place) "/role" } {
                        (signed_in.csrf_field()) (role_field(words, user.role))
                        button type="submit" { (words.set_role) }
                    }
                }
            }
            td { (since.get(..10).unwrap_or_default()) }
            td {
                @if !oneself {
                    form .search method="post" action={ (place) "/password" } {
                        (signed_in.csrf_field())
                        input type="password" name="password" required minlength="10" autocomplete="new-password"
                            aria-label=(words.new_password) placeholder=(words.new_password);
                        button type="submit" { (words.set_password) }
                    }
                    details {
                        summary { (words.remove) }
                        form method="post" action={ (place) "/remove" } {
                            (signed_in.csrf_field())
                            button type="submit" { (words.remove_sure) }
                        }
                    }
                }
            }
        }
    }
}

async fn shown(app: &App, signed_in: &SignedIn, frame: &Frame, said: (StatusCode, Option<&str>)) -> Response {
    let (words, (status, notice)) = (words(frame.language()), said);
    let users = match app.door.desk.list(Some(signed_in.tenant())).await {
        Ok(users) => users,
        Err(error) => return TurnedAway::of_store(error).page(frame),
    };
    let body = html! {
        @if let Some(notice) = notice { p .notice role="status" { (notice) } }
        div .wide tabindex="0" role="region" aria-label=(words.title) {
            table {
                caption { (words.title) }
                thead { tr {
                    @for head in [words.name, words.role, words.since, words.actions] { th scope="col" { (head) } }
                } }
                tbody { @for user in &users { (row(words, signed_in, user)) } }
            }
        }
        h2 { (words.add) }
        form .fields method="post" action="/admin/users" {
            (signed_in.csrf_field())
            label { (words.name) input name="name" required maxlength="64" autocapitalize="none" autocomplete="off"; }
            label { (words.role) (role_field(words, UserRole::Viewer)) }
            label { (words.password)
                input type="password" name="password" required minlength="10" autocomplete="new-password";
            }
            button type="submit" { (words.add) }
        }
    };
    let mut response = frame.page(signed_in, Some(Section::Users), words.title, &body);
    *response.status_mut() = status;
    response
}

async fn list(State(app): State<Arc<App>>, MayChange(signed_in): MayChange, headers: HeaderMap, uri: Uri) -> Response {
    let frame = Frame::of(&headers, &uri);
    let words = words(frame.language());
    let notice = match uri.query() {
        Some("done=added") => Some(words.added),
        Some("done=role") => Some(words.role_set),
        Some("done=password") => Some(words.password_set),
        Some("done=removed") => Some(words.removed),
        _ => None,
    };
    shown(&app, &signed_in, &frame, (StatusCode::OK, notice)).await
}

/// What an order comes to: where to go on, or why not.
enum Wrong {
    Refused(TurnedAway),
    Fault(UserFault),
    Said(&'static str),
}

impl From<TurnedAway> for Wrong {
    fn from(refused: TurnedAway) -> Self {
        Self::Refused(refused)
    }
}

impl From<UserFault> for Wrong {
    fn from(fault: UserFault) -> Self {
        match fault {
            UserFault::Busy(_) => Self::Refused(TurnedAway::Busy),
            UserFault::Store(error) => Self::Refused(TurnedAway::of_store(error)),
            fault => Self::Fault(fault),
        }
    }
}

async fn answered(app: &App, signed_in: &SignedIn, frame: &Frame, done: Result<&'static str, Wrong>) -> Response {
    match done {
        Ok(done) => Redirect::to(&format!("/admin/users?done={done}")).into_response(),
        Err(Wrong::Refused(refused)) => refused.page(frame),
        Err(Wrong::Said(said)) => shown(app, signed_in, frame, (StatusCode::UNPROCESSABLE_ENTITY, Some(said))).await,
        Err(Wrong::Fault(fault)) => {
            let status = match fault {
                UserFault::NoSuchUser => StatusCode::NOT_FOUND,
                UserFault::NameTaken | UserFault::LastAdmin | UserFault::Oneself => StatusCode::CONFLICT,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            shown(app, signed_in, frame, (status, Some(fault_words(frame.language(), &fault)))).await
        }
    }
}

fn role_of(fields: &Fields, language: Language) -> Result<UserRole, Wrong> {
    UserRole::parse(fields.text("role")).ok_or_else(|| Wrong::Said(words(language).bad_role))
}

/// What is no name is nobody's.
fn named(name: &str) -> Result<UserName, Wrong> {
    UserName::new(name).map_err(|_| Wrong::Fault(UserFault::NoSuchUser))
}

async fn add(State(app): State<Arc<App>>, MayChange(signed_in): MayChange, request: Request) -> Response {
    let frame = Frame::of_headers(request.headers());
    let language = frame.language();
    let done = async {
        let fields = Fields::read(&app, request).await?;
        let name = UserName::new(fields.text("name").trim()).map_err(|_| Wrong::Said(words(language).bad_name))?;
        let (role, password) = (role_of(&fields, language)?, fields.secret("password"));
        app.door.desk.add(NewUser { name, tenant: signed_in.tenant().clone(), role, password }).await?;
        Ok("added")
    };
    let done = done.await;
    answered(&app, &signed_in, &frame, done).await
}

async fn set_role(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let frame = Frame::of_headers(request.headers());
    let language = frame.language();
    let done = async {
        let fields = Fields::read(&app, request).await?;
        let role = role_of(&fields, language)?;
        app.door.desk.set_role(By::User(&signed_in.user), &named(&name)?, role).await?;
        Ok("role")
    };
    let done = done.await;
    answered(&app, &signed_in, &frame, done).await
}

async fn set_password(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let frame = Frame::of_headers(request.headers());
    let done = async {
        let fields = Fields::read(&app, request).await?;
        let name = named(&name)?;
        // One's own takes the old one.
        if name == signed_in.user.name {
            return Err(Wrong::Fault(UserFault::Oneself));
        }
        app.door.desk.set_password(By::User(&signed_in.user), &name, fields.secret("password")).await?;
        Ok("password")
    };
    let done = done.await;
    answered(&app, &signed_in, &frame, done).await
}

async fn remove(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let frame = Frame::of_headers(request.headers());
    let done = async {
        app.door.desk.remove(By::User(&signed_in.user), &named(&name)?).await?;
        Ok("removed")
    };
    let done = done.await;
    answered(&app, &signed_in, &frame, done).await
}
