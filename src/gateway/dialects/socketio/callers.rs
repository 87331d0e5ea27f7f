//! Who calls: by a key where there is one, and as the configured tenant from pages of this very address.

use axum::http::{HeaderMap, Uri, header};

use super::super::desk::key_in;
use super::super::{Desk, Fields, Guest, Refusal};

/// A caller's key: what came with the greeting of a socket, else in the head, else as `key` or `token` in the query.
fn key<'a>(greeted: Option<&'a str>, headers: &'a HeaderMap, asked: Option<&'a str>) -> Option<&'a [u8]> {
    let given = |text: Option<&'a str>| text.map(str::as_bytes).filter(|key| !key.is_empty());
    given(greeted).or_else(|| key_in(headers)).or_else(|| given(asked))
}

impl Desk {
    /// The caller of a request, or of a socket that greets with a key or without one.
    ///
    /// Callers without a key are whoever can reach this machine's own address, and that is every page that a browser on it
    /// shows. So such a caller has to come from here: not from a page of another site, and not under a name that another
    /// site may have given to this address.
    pub async fn caller(&self, greeted: Option<&str>, headers: &HeaderMap, uri: &Uri) -> Result<Guest, Refusal> {
        let query = Fields::of_query(uri)?;
        let asked = query.text("key").or_else(|| query.text("token"));
        let guest = self.guest(key(greeted, headers, asked.as_deref())).await?;
        if guest.is_stranger() && !(is_near(headers) && is_own_page(headers)) {
            return Err(Refusal::NoKey);
        }
        Ok(guest)
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Whether the request comes from a page of the host that it was sent to, or from no page at all.
fn is_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = text(headers, header::ORIGIN) else { return true };
    let site = origin.split_once("://").map(|(_, site)| site);
    site.zip(text(headers, header::HOST)).is_some_and(|(site, host)| site.eq_ignore_ascii_case(host))
}

/// Whether the host that was asked for is one that only this machine or its network can mean: an address, or a name without
/// a dot or below `localhost`.
fn is_near(headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, header::HOST) else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<std::net::IpAddr>().is_ok()
        || name.ends_with(".localhost")
        || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn pages_of_other_sites_are_told_apart() {
        let host = ("host", "127.0.0.1:3002");
        assert!(is_own_page(&headers(&[host])));
        assert!(is_own_page(&headers(&[host, ("origin", "http://127.0.0.1:3002")])));
        assert!(is_own_page(&headers(&[("host", "LOCALHOST"), ("origin", "http://localhost")])));
        for origin in ["null", "", "http://127.0.0.1:3003", "http://evil.example", "http://127.0.0.1:3002.evil.example"]
        {
            assert!(!is_own_page(&headers(&[host, ("origin", origin)])), "{origin}");
        }
    }

    #[test]
    fn names_that_another_site_may_give_to_this_address_are_told_apart() {
        for host in [
            "127.0.0.1:3002",
            "127.0.0.1",
            "[::1]:80",
            "[::1]",
            "localhost:3002",
            "a.LOCALHOST",
            "kurir",
            "10.0.0.7:80",
        ] {
            assert!(is_near(&headers(&[("host", host)])), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:3002",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "a b",
            ":1",
        ] {
            assert!(!is_near(&headers(&[("host", host)])), "{host}");
        }
    }

    #[test]
    fn a_key_may_stand_in_three_places() {
        let head = headers(&[("x-api-key", "head")]);
        assert_eq!(key(Some("greeted"), &head, Some("asked")), Some(&b"greeted"[..]));
        assert_eq!(key(None, &head, Some("asked")), Some(&b"head"[..]));
        assert_eq!(key(None, &HeaderMap::new(), Some("asked")), Some(&b"asked"[..]));
        assert_eq!(key(Some(""), &HeaderMap::new(), None), None);
    }
}
