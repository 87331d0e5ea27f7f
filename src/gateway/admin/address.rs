//! Where a request comes from: the address, and whether it came encrypted.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::gateway::server::Peer;

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Whose request it is. Behind a proxy that is trusted, what that one says; a client may have written the entries before
    /// the last itself.
    pub fn of(parts: &Parts, trust_proxy: bool) -> Self {
        let told = if trust_proxy { last(&parts.headers, "x-forwarded-for").and_then(address) } else { None };
        let peer = || parts.extensions.get::<Peer>().map(|peer| peer.0);
        Self(told.or_else(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    /// For logs: the network, not the client.
    pub fn masked(self) -> String {
        match self.0.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.x")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:x")
            }
        }
    }
}

/// An address, as proxies write it: some with the port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|at| at.ip()))
}

/// The last entry of a header that proxies append to.
pub(super) fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.next_back()?.rsplit(',').next().map(str::trim).filter(|entry| !entry.is_empty())
}

/// Whether the browser spoke HTTPS. The gateway itself does not, so only a proxy that is trusted can tell.
pub(super) fn is_https(headers: &HeaderMap, trust_proxy: bool) -> bool {
    trust_proxy && last(headers, "x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&'static str, &str)]) -> Parts {
        let mut request = axum::http::Request::get("/admin");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(Peer("10.0.0.1".parse().unwrap()));
        parts
    }

    #[test]
    fn only_a_trusted_proxy_says_who_it_is_and_only_its_own_word_counts() {
        for (told, of_proxy) in [
            ("203.0.113.9", "203.0.113.9"),
            ("1.2.3.4, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:5511", "203.0.113.9"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("1.2.3.4, nonsense", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            let parts = parts(&[("x-forwarded-for", told)]);
            assert_eq!(ClientAddress::of(&parts, true).0, of_proxy.parse::<IpAddr>().unwrap(), "{told}");
            assert_eq!(ClientAddress::of(&parts, false).0, "10.0.0.1".parse::<IpAddr>().unwrap());
        }
        let twice = parts(&[("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")]);
        assert!(is_https(&twice.headers, true) && !is_https(&twice.headers, false));
        assert!(!is_https(&parts(&[("x-forwarded-proto", "https, http")]).headers, true));
    }

    #[test]
    fn logs_see_the_network_only() {
        for (address, seen) in
            [("203.0.113.9", "203.0.113.x"), ("::ffff:203.0.113.9", "203.0.113.x"), ("2001:db8:7:8::9", "2001:db8:7:x")]
        {
            assert_eq!(ClientAddress(address.parse().unwrap()).masked(), seen);
        }
    }
}
