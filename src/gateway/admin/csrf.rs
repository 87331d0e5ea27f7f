//! Whether a request was meant by the page that it seems to come from.
//!
//! Two checks, each enough by itself: the browser's own word on where a request comes from (`Sec-Fetch-Site`, `Origin`), and
//! a token in the page that another site can't read. The token is derived from the secret of the sign-in, so nothing is kept
//! for it and it ends with the sign-in.

use axum::http::{HeaderMap, Method, header};
use hmac::{Hmac, KeyInit, Mac as _};
use kurir_core::domain::SignInToken;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::address::last;

/// The field of a form that has the token.
pub(super) const FIELD: &str = "csrf";

/// The header that has it, where a script asks.
pub(super) const HEADER: &str = "x-csrf-token";

/// What the token is derived for; another purpose has another word.
const CONTEXT: &[u8] = b"kurir/admin/csrf/v1";

/// The token of a sign-in's pages: 64 hexadecimal digits.
pub(super) fn token(sign_in: &SignInToken) -> String {
    use std::fmt::Write as _;
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(sign_in.bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of every length"));
    mac.update(CONTEXT);
    let mut text = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        // Writing into a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether this is the token, in constant time.
pub(super) fn holds(token: &str, given: &str) -> bool {
    bool::from(token.as_bytes().ct_eq(given.as_bytes()))
}

/// Whether requests of this method may change something.
pub(super) fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the browser says that the request comes from a page of ours. What says nothing of it is no browser of these years;
/// it has no cookie of somebody else's to misuse.
pub(super) fn is_of_ours(headers: &HeaderMap, trust_proxy: bool) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some((_, origin)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return false };
    // A proxy that gives us another `Host` than the browser asked for says so.
    let forwarded = if trust_proxy { last(headers, "x-forwarded-host") } else { None };
    let host = forwarded.or_else(|| headers.get(header::HOST)?.to_str().ok());
    host.is_some_and(|host| host.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        given.iter().map(pair).collect()
    }

    #[test]
    fn each_sign_in_has_its_token() {
        let (one, other) = (token(&SignInToken::new([1; 32])), token(&SignInToken::new([2; 32])));
        assert_eq!(one.len(), 64);
        assert!(holds(&one, &one) && !holds(&one, &other) && !holds(&one, "") && !holds(&one, &one[..63]));
        assert_ne!(&one, SignInToken::new([1; 32]).text().expose(), "it does not betray what it is derived from");
    }

    #[test]
    fn what_comes_from_elsewhere_is_not_ours() {
        let at = ("host", "kurir.example:8080");
        for (given, ours) in [
            (&[at][..], true),
            (&[at, ("sec-fetch-site", "same-origin")], true),
            (&[at, ("sec-fetch-site", "none")], true),
            (&[at, ("sec-fetch-site", "same-site")], false),
            (&[at, ("sec-fetch-site", "cross-site")], false),
            (&[at, ("sec-fetch-site", "cross-site"), ("origin", "http://kurir.example:8080")], false),
            (&[at, ("origin", "http://kurir.example:8080")], true),
            (&[at, ("origin", "https://KURIR.example:8080")], true),
            (&[at, ("origin", "http://kurir.example")], false),
            (&[at, ("origin", "http://kurir.example:8080.evil.example")], false),
            (&[at, ("origin", "null")], false),
            (&[at, ("origin", "")], false),
            (&[("origin", "http://kurir.example")], false),
        ] {
            assert_eq!(is_of_ours(&headers(given), false), ours, "{given:?}");
        }
        let proxied = headers(&[at, ("x-forwarded-host", "admin.example"), ("origin", "https://admin.example")]);
        assert!(is_of_ours(&proxied, true) && !is_of_ours(&proxied, false));
        assert!(is_unsafe(&Method::POST) && is_unsafe(&Method::DELETE) && !is_unsafe(&Method::GET));
    }
}
