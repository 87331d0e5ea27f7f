//! What every request must pass: the interface is for this machine's people and programs, not for
//! web sites that somebody's browser visits.
//!
//! A site can make a browser send requests to a loopback address. It is kept out by three checks:
//! the name in `Host` must be one that no stranger can register (else a site could point its own
//! name at this machine and read everything), `Origin` and `Sec-Fetch-Site` must not speak of
//! another site, and a body must be of a type, like JSON, that a browser sends across sites only after asking.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Failure;

/// Lets a request through or refuses it, and sets the headers that every answer has.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let mut response = match judge(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn judge(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let host = text(header::HOST).or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    let Some(host) = host.filter(|host| is_private(host)) else {
        return Err(Failure::new(
            StatusCode::MISDIRECTED_REQUEST,
            "foreign_host",
            "ask by address or as localhost: names that somebody may own are not answered",
        ));
    };
    let foreign = || {
        Failure::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "another web site sent this request; the simulator serves only its own page and programs",
        )
    };
    if let Some(origin) = text(header::ORIGIN) {
        let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            return Err(foreign());
        }
    }
    let fetch = |name| text(header::HeaderName::from_static(name));
    let foreign_site = matches!(fetch("sec-fetch-site"), Some("cross-site" | "same-site"));
    // Following a link to the page is fine, wherever the link is.
    let follows_link = *method == Method::GET && fetch("sec-fetch-mode") == Some("navigate");
    if foreign_site && !follows_link {
        return Err(foreign());
    }
    let writes = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if writes && text(header::CONTENT_TYPE).is_some_and(|kind| !is_data(kind)) {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "send the body as JSON with the content type application/json",
        ));
    }
    Ok(())
}

/// Whether a `Host` can't be a name that a stranger registered: an address, `localhost`, a name
/// without a dot (a machine or container of the own network), or one under `.internal`.
fn is_private(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            return rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        }
        Some(_) => return false,
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if port.is_some_and(|port| !is_port(port)) || name.is_empty() {
        return false;
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let lower = name.to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok()
        || (plain && (!name.contains('.') || lower.ends_with(".localhost") || lower.ends_with(".internal")))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Whether it is a type that only programs send. Forms can't, and scripts of other sites must ask.
fn is_data(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "application/toml")
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, headers: &[(&'static str, &'static str)]) -> Option<StatusCode> {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        judge(method, &Uri::from_static("/scan"), &headers).err().map(|refusal| refusal.into_response().status())
    }

    #[test]
    fn names_that_somebody_may_own_are_refused() {
        for host in
            ["127.0.0.1:9", "127.0.0.1", "[::1]:80", "localhost:9", "LOCALHOST", "sim:80", "10.0.0.7", "a.localhost"]
        {
            assert!(is_private(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org:9",
            "localhost.example.org",
            "[::1].example.org",
            "[x]",
            "a b",
            "localhost:x",
            "sim.",
            "user@sim",
        ] {
            assert!(!is_private(host), "{host}");
        }
        assert_eq!(asked(&Method::GET, &[("host", "evil.example")]), Some(StatusCode::MISDIRECTED_REQUEST));
        assert_eq!(asked(&Method::GET, &[]), Some(StatusCode::MISDIRECTED_REQUEST));
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let host = ("host", "127.0.0.1:9");
        let json = ("content-type", "application/json");
        assert_eq!(asked(&Method::POST, &[host, json]), None);
        assert_eq!(asked(&Method::POST, &[host, json, ("origin", "http://127.0.0.1:9")]), None);
        for origin in ["http://evil.example", "null", "http://127.0.0.1:8", "http://127.0.0.1:9.evil.example"] {
            assert_eq!(asked(&Method::POST, &[host, json, ("origin", origin)]), Some(StatusCode::FORBIDDEN));
        }
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(asked(&Method::GET, &[host, cross]), Some(StatusCode::FORBIDDEN));
        assert_eq!(asked(&Method::GET, &[host, cross, ("sec-fetch-mode", "navigate")]), None);
        assert_eq!(asked(&Method::POST, &[host, cross, ("sec-fetch-mode", "navigate")]), Some(StatusCode::FORBIDDEN));
        assert_eq!(asked(&Method::GET, &[host, ("sec-fetch-site", "same-origin")]), None);
    }

    #[test]
    fn only_types_of_programs_are_taken() {
        let host = ("host", "localhost");
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
            let refused = asked(&Method::POST, &[host, ("content-type", kind)]);
            assert_eq!(refused, Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{kind}");
        }
        assert_eq!(asked(&Method::POST, &[host]), None, "an order without a body needs no type");
        assert_eq!(asked(&Method::PUT, &[host, ("content-type", "application/json; charset=utf-8")]), None);
    }
}
