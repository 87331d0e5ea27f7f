//! Which addresses a caller may have us ask. Whoever can name an address can otherwise read what only we can reach: the
//! metadata of a cloud, the admin page of a broker.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks of version 4 that are not the public internet (IANA's registry of special-purpose addresses, RFC 6890 and its
/// successors), multicast and the reserved last sixteenth.
const INNER_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Of version 6 only what IANA gives out to the public is asked, but for these parts of it: protocols that carry an
/// address of version 4 within, benchmarks, documentation.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const INNER_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address belongs to the public internet.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            !INNER_V4.into_iter().any(|(net, bits)| within(&Ipv4Net::new_assert(net, bits).into(), v4.into()))
        }
        IpAddr::V6(v6) => {
            let v6 = IpAddr::V6(v6);
            let inside = |(net, bits)| within(&Ipv6Net::new_assert(net, bits).into(), v6);
            inside(PUBLIC_V6) && !INNER_V6.into_iter().any(inside)
        }
    }
}

fn within(net: &IpNet, ip: IpAddr) -> bool {
    net.contains(&ip)
}

/// What an operator allows beside the public internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Addresses of this network, whatever name they go by.
    Net(IpNet),
    /// This name, whatever address it has.
    Host(String),
}

/// A text that names neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an address (`10.1.2.3`), nor a network (`10.0.0.0/8`), nor the name of a host (`hooks.internal`)")]
pub struct BadAllowance;

impl FromStr for Allowed {
    type Err = BadAllowance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Net(ip.into()));
        }
        let is_name = !text.is_empty()
            && text.len() <= 253
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
            && text.chars().any(|c| c.is_ascii_alphabetic());
        if is_name { Ok(Self::Host(text.to_ascii_lowercase())) } else { Err(BadAllowance) }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Host(name) => f.write_str(name),
        }
    }
}

/// The addresses that may be asked.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    allowed: Vec<Allowed>,
}

impl Reach {
    /// The public internet and what is allowed beside it.
    pub const fn new(allowed: Vec<Allowed>) -> Self {
        Self { allowed }
    }

    /// Whether this address may be asked.
    pub fn may_ask(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.allowed.iter().any(|allowed| matches!(allowed, Allowed::Net(net) if within(net, ip)))
    }

    /// Whether every address of this name may be asked.
    pub fn may_ask_any_of(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.allowed.iter().any(|allowed| matches!(allowed, Allowed::Host(host) if host.eq_ignore_ascii_case(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn inner_addresses_are_not_public_however_they_are_written() {
        for inner in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "::7f00:1",
        ] {
            assert!(!Reach::default().may_ask(ip(inner)), "{inner}");
        }
        for outer in
            ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "192.169.0.1", "2606:4700:4700::1111", "2a00::1"]
        {
            assert!(Reach::default().may_ask(ip(outer)), "{outer}");
        }
    }

    #[test]
    fn an_operator_allows_addresses_networks_and_names() {
        let reach = Reach::new(["127.0.0.1", "10.0.0.0/8", "Hooks.internal"].map(|text| text.parse().unwrap()).into());
        assert!(
            reach.may_ask(ip("127.0.0.1")) && reach.may_ask(ip("::ffff:127.0.0.1")) && reach.may_ask(ip("10.9.8.7"))
        );
        assert!(!reach.may_ask(ip("127.0.0.2")) && !reach.may_ask(ip("192.168.0.1")));
        assert!(reach.may_ask_any_of("hooks.INTERNAL.") && !reach.may_ask_any_of("internal"));
        for bad in ["", "10.0.0.0/33", "http://x", "a b", "1.2.3", "x/y"] {
            assert_eq!(bad.parse::<Allowed>(), Err(BadAllowance), "{bad}");
        }
    }
}
