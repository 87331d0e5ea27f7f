//! How single values are written in the configuration: spans of time, optional texts, secrets.

use std::fmt;
use std::time::Duration;

use kurir_core::domain::Secret;
use kurir_core::policy::{BadAllowance, Reach};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};

/// What a span looks like, for errors.
const SPAN: &str = "a span of time like \"500ms\", \"30s\", \"1m30s\" or \"6h\"";

/// Reads `500ms`, `30s`, `1m30s`, `6h`, `7d` or `0`; `None` for anything else.
pub fn parse_span(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: Option<Duration> = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let millis = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let part = Duration::from_millis(number.checked_mul(millis)?);
        total = Some(total.unwrap_or_default().checked_add(part)?);
        rest = &rest[unit_end..];
    }
    total
}

/// Writes a span the way it is read.
pub(super) fn show_span(span: Duration) -> String {
    let mut millis = span.as_millis();
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if millis >= size {
            text.push_str(&(millis / size).to_string());
            text.push_str(unit);
            millis %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SPAN)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
        parse_span(text).ok_or_else(|| E::invalid_value(Unexpected::Other("text"), &self))
    }
}

/// For fields of type `Duration`.
pub(super) fn span<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    input.deserialize_str(SpanVisitor)
}

/// For fields of type `Option<Duration>`: an empty text is `None`.
pub(super) fn maybe_span<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    match maybe_text(input)? {
        None => Ok(None),
        Some(text) => {
            parse_span(&text).map(Some).ok_or_else(|| D::Error::invalid_value(Unexpected::Other("text"), &SpanVisitor))
        }
    }
}

/// For fields of type `Option<String>`: an empty text is `None`.
pub(super) fn maybe_text<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(input)?).filter(|text| !text.trim().is_empty()))
}

/// For fields of type `Option<Secret<String>>`: an empty text is `None`.
pub(super) fn maybe_secret<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(maybe_text(input)?.map(Secret::new))
}

/// For names of the domain: what is wrong with a bad one is the domain's own message.
pub(super) fn name<'de, D: Deserializer<'de>, T>(input: D) -> Result<T, D::Error>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    String::deserialize(input)?.parse().map_err(D::Error::custom)
}

/// For optional names of the domain: an empty text is `None`.
pub(super) fn maybe_name<'de, D: Deserializer<'de>, T>(input: D) -> Result<Option<T>, D::Error>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    maybe_text(input)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

/// For addresses to listen on.
pub(super) fn address<'de, D: Deserializer<'de>>(input: D) -> Result<std::net::SocketAddr, D::Error> {
    let text = String::deserialize(input)?;
    text.parse().map_err(|_| D::Error::custom("an IP address and a port, like \"127.0.0.1:8080\", is expected"))
}

/// For optional addresses to listen on: an empty text is `None`.
pub(super) fn maybe_address<'de, D: Deserializer<'de>>(input: D) -> Result<Option<std::net::SocketAddr>, D::Error> {
    let Some(text) = maybe_text(input)? else { return Ok(None) };
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| D::Error::custom("an IP address and a port, like \"127.0.0.1:9464\", is expected"))
}

/// For addresses, networks and names of hosts, with commas between them.
pub(super) fn reach<'de, D: Deserializer<'de>>(input: D) -> Result<Reach, D::Error> {
    let text = String::deserialize(input)?;
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let allowed = parts.map(str::parse).collect::<Result<_, _>>();
    allowed.map(Reach::new).map_err(|error: BadAllowance| D::Error::custom(format!("an entry is {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("1m30s", 90_000), ("6h", 21_600_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse_span(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(show_span(Duration::from_millis(millis)), text);
        }
        assert_eq!(parse_span("0"), Some(Duration::ZERO));
        assert_eq!(show_span(Duration::ZERO), "0s");
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in
            ["", "5", "s", "5 s", "-5s", "5sec", "1.5s", "5s3", "99999999999999999999s", "999999999999999d", "5ß"]
        {
            assert_eq!(parse_span(text), None, "{text:?}");
        }
    }
}
