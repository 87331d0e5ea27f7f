//! The cookie that has a browser's sign-in.
//!
//! It is `SameSite=Lax`: whoever follows a link to the admin page from somewhere else is signed in there as well. Requests
//! that change something come with no such cookie from elsewhere, and are checked twice more (see `csrf`).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use kurir_core::domain::SignInToken;

/// Over HTTPS. Browsers take it only with `Secure`, for the whole host and for no other, so nobody else can set it.
const SECURE: &str = "__Host-kurir";

/// Over plain HTTP, where a browser would not take the other.
const PLAIN: &str = "kurir_admin";

fn line(value: &str, lasts: Duration, https: bool) -> HeaderValue {
    let place = if https { "; Path=/; Secure" } else { "; Path=/admin" };
    let name = if https { SECURE } else { PLAIN };
    let text = format!("{name}={value}{place}; HttpOnly; SameSite=Lax; Max-Age={}", lasts.as_secs());
    // The name and digits are visible ASCII.
    let mut line = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    line.set_sensitive(true);
    line
}

/// Has the browser keep a sign-in for at most so long. It ends earlier if nobody uses it, which is not the browser's to say.
pub(super) fn set(token: &SignInToken, lasts: Duration, https: bool) -> HeaderValue {
    line(token.text().expose(), lasts, https)
}

/// Has the browser forget it.
pub(super) fn clear(https: bool) -> HeaderValue {
    line("", Duration::ZERO, https)
}

/// The value of a cookie.
pub(super) fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// What the browser shows.
pub(super) fn read(headers: &HeaderMap, https: bool) -> Option<SignInToken> {
    SignInToken::parse(value(headers, if https { SECURE } else { PLAIN })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_cookie_and_reads_no_other() {
        let token = SignInToken::new([7; 32]);
        let lasts = Duration::from_hours(12);
        let hex = "07".repeat(32);
        assert_eq!(
            set(&token, lasts, true),
            format!("__Host-kurir={hex}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200").as_str()
        );
        assert_eq!(
            set(&token, lasts, false),
            format!("kurir_admin={hex}; Path=/admin; HttpOnly; SameSite=Lax; Max-Age=43200").as_str()
        );
        assert_eq!(clear(false), "kurir_admin=; Path=/admin; HttpOnly; SameSite=Lax; Max-Age=0");
        assert!(set(&token, lasts, true).is_sensitive());

        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_str(&format!("a=b; kurir_admin={hex}; x")).unwrap());
        assert_eq!(read(&headers, false), Some(token));
        assert_eq!(read(&headers, true), None);
        headers.insert(header::COOKIE, HeaderValue::from_static("kurir_admin=07"));
        assert_eq!(read(&headers, false), None);
    }
}
