//! What travels beside a body: our headers as AMQP properties, and back.
//!
//! Producers are written by others, in languages that choose the width of an integer by its value or send it as text,
//! so reading is lenient: what makes no sense is taken as absent.

use kurir_core::domain::Timestamp;
use kurir_core::port::{DeadLetter, JobHeaders};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

/// How often an attempt was spent.
pub(super) const ATTEMPT: &str = "kurir-attempt";
/// How often it was parked.
pub(super) const HOP: &str = "kurir-hop";
/// Not before this moment, in milliseconds since the Unix epoch.
pub(super) const NOT_BEFORE: &str = "kurir-not-before";
/// When it was enqueued, in milliseconds since the Unix epoch.
pub(super) const ENQUEUED_AT: &str = "kurir-enqueued-at";
/// W3C trace context.
pub(super) const TRACEPARENT: &str = "traceparent";
/// The producer's user on a message that kurir itself has published (see [`Vouched`]).
pub(super) const USER: &str = "kurir-user";
/// Why a dead letter is dead.
pub(super) const REASON: &str = "kurir-reason";
/// When it died, in milliseconds since the Unix epoch.
pub(super) const DIED_AT: &str = "kurir-died-at";
/// Which field or what detail.
pub(super) const DETAIL: &str = "kurir-detail";
/// The routing key under which a dead letter was a job.
pub(super) const QUEUE: &str = "kurir-queue";

const PERSISTENT: u8 = 2;

/// Whose word on a producer's user counts.
///
/// The broker checks that `user-id` is the user of the connection, so a parked copy, which we publish, can't carry the
/// producer's. It carries ours, and the producer's in a header; that header counts only beside our own `user-id`,
/// which nobody else can set.
#[derive(Clone, Copy)]
pub(super) struct Vouched<'a>(pub(super) &'a str);

impl Vouched<'_> {
    fn read(self, properties: &BasicProperties) -> Option<String> {
        let user = properties.user_id().as_ref()?.as_str();
        let by_us = if user == self.0 { text(properties, USER) } else { None };
        Some(by_us.unwrap_or_else(|| user.to_owned()))
    }

    fn write(self, user: &str, properties: BasicProperties, table: &mut FieldTable) -> BasicProperties {
        if user != self.0 {
            put_text(table, USER, user);
        }
        match short(self.0) {
            Some(own) => properties.with_user_id(own),
            None => properties,
        }
    }
}

/// Reads the headers of a job.
pub(super) fn read(properties: &BasicProperties, vouched: Vouched<'_>) -> JobHeaders {
    let owned = |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    let count = |name| integer(properties, name).map_or(0, |n| u32::try_from(n.max(0)).unwrap_or(u32::MAX));
    let seconds = |at: u64| i64::try_from(at).ok()?.checked_mul(1000);
    JobHeaders {
        kind: owned(properties.kind()).unwrap_or_default(),
        message_id: owned(properties.message_id()),
        attempt: count(ATTEMPT),
        hop: count(HOP),
        not_before: integer(properties, NOT_BEFORE).map(Timestamp::from_millis),
        traceparent: text(properties, TRACEPARENT),
        user: vouched.read(properties),
        enqueued_at: integer(properties, ENQUEUED_AT)
            .or_else(|| properties.timestamp().and_then(seconds))
            .map(Timestamp::from_millis),
    }
}

/// The properties of a new job.
pub(super) fn of_job(headers: &JobHeaders, vouched: Vouched<'_>) -> BasicProperties {
    let base = BasicProperties::default().with_content_type("application/json".into());
    with_headers(base, FieldTable::default(), headers, vouched)
}

/// The properties of a job's copy on its way through a delay: the producer's own, but for what steers the broker.
pub(super) fn of_parked(original: &BasicProperties, headers: &JobHeaders, vouched: Vouched<'_>) -> BasicProperties {
    with_headers(carried_over(original), foreign(original), headers, vouched)
}

/// The properties of a dead letter.
pub(super) fn of_dead(
    original: &BasicProperties,
    letter: &DeadLetter,
    key: &str,
    at: Timestamp,
    vouched: Vouched<'_>,
) -> BasicProperties {
    let mut table = foreign(original);
    put_text(&mut table, REASON, letter.reason.as_str());
    put_integer(&mut table, DIED_AT, at.as_millis());
    put_text(&mut table, DETAIL, &letter.detail);
    put_text(&mut table, QUEUE, key);
    with_headers(carried_over(original), table, &read(original, vouched), vouched)
}

/// The properties of an event.
pub(super) fn of_event(id: &str) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_type(kurir_core::wire::EVENT_KIND.into())
        .with_content_type("application/cloudevents+json".into())
        .with_delivery_mode(PERSISTENT);
    match short(id) {
        Some(id) => properties.with_message_id(id),
        None => properties,
    }
}

pub(super) fn with_headers(
    base: BasicProperties,
    mut table: FieldTable,
    headers: &JobHeaders,
    vouched: Vouched<'_>,
) -> BasicProperties {
    let mut properties = base.with_delivery_mode(PERSISTENT);
    if let Some(kind) = short(&headers.kind).filter(|kind| !kind.as_str().is_empty()) {
        properties = properties.with_type(kind);
    }
    if let Some(id) = headers.message_id.as_deref().and_then(short) {
        properties = properties.with_message_id(id);
    }
    put_integer(&mut table, ATTEMPT, i64::from(headers.attempt));
    put_integer(&mut table, HOP, i64::from(headers.hop));
    if let Some(at) = headers.not_before {
        put_integer(&mut table, NOT_BEFORE, at.as_millis());
    }
    if let Some(at) = headers.enqueued_at {
        put_integer(&mut table, ENQUEUED_AT, at.as_millis());
        if let Ok(seconds) = u64::try_from(at.as_millis() / 1000) {
            properties = properties.with_timestamp(seconds);
        }
    }
    if let Some(trace) = &headers.traceparent {
        put_text(&mut table, TRACEPARENT, trace);
    }
    if let Some(user) = &headers.user {
        properties = vouched.write(user, properties, &mut table);
    }
    properties.with_headers(table)
}

/// What of a producer's properties stays on a copy. Not `expiration`, which would end the delay early, and not
/// `user-id`, which is ours to set.
pub(super) fn carried_over(original: &BasicProperties) -> BasicProperties {
    let mut kept = BasicProperties::default();
    if let Some(value) = original.content_type() {
        kept = kept.with_content_type(value.clone());
    }
    if let Some(value) = original.content_encoding() {
        kept = kept.with_content_encoding(value.clone());
    }
    if let Some(value) = original.correlation_id() {
        kept = kept.with_correlation_id(value.clone());
    }
    if let Some(value) = original.app_id() {
        kept = kept.with_app_id(value.clone());
    }
    kept
}

/// The headers that are neither ours nor the broker's. `CC` and `BCC` would send the copy to other queues as well.
pub(super) fn foreign(original: &BasicProperties) -> FieldTable {
    let mut kept = FieldTable::default();
    for (name, value) in original.headers().iter().flat_map(FieldTable::inner) {
        let text = name.as_str();
        let theirs = text.starts_with("x-") || text.starts_with("kurir-") || matches!(text, "CC" | "BCC" | TRACEPARENT);
        if !theirs {
            kept.insert(name.clone(), value.clone());
        }
    }
    kept
}

pub(super) fn value<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

/// An integer of any width, or text that is one. A timestamp of the protocol counts seconds.
pub(super) fn integer(properties: &BasicProperties, name: &str) -> Option<i64> {
    let parse = |text: &str| text.trim().parse().ok();
    match value(properties, name)? {
        AMQPValue::ShortShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongInt(n) => Some(i64::from(*n)),
        AMQPValue::LongUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::Timestamp(seconds) => i64::try_from(*seconds).ok()?.checked_mul(1000),
        AMQPValue::ShortString(text) => parse(text.as_str()),
        AMQPValue::LongString(text) => parse(std::str::from_utf8(text.as_bytes()).ok()?),
        _ => None,
    }
}

pub(super) fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match value(properties, name)? {
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        _ => None,
    }
}

/// A short string of the protocol; `None` when the text has more than its 255 bytes.
fn short(text: &str) -> Option<ShortString> {
    ShortString::try_new(text).ok()
}

pub(super) fn put_integer(table: &mut FieldTable, name: &str, value: i64) {
    table.insert(name.into(), AMQPValue::LongLongInt(value));
}

pub(super) fn put_text(table: &mut FieldTable, name: &str, value: &str) {
    table.insert(name.into(), AMQPValue::LongString(value.into()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use kurir_core::domain::FailReason;

    const WE: Vouched<'_> = Vouched("kurir");

    fn full() -> JobHeaders {
        JobHeaders {
            kind: "kurir.job.v1".into(),
            message_id: Some("id".into()),
            attempt: 3,
            hop: 7,
            not_before: Some(Timestamp::from_millis(1_700_000_000_123)),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            user: Some("acme".into()),
            enqueued_at: Some(Timestamp::from_millis(1_700_000_000_001)),
        }
    }

    fn foreign_table(value: &AMQPValue) -> BasicProperties {
        let mut table = FieldTable::default();
        for name in [ATTEMPT, NOT_BEFORE, USER, "x-death", "CC", "tracestate"] {
            table.insert(name.into(), value.clone());
        }
        BasicProperties::default().with_headers(table)
    }

    #[test]
    fn headers_come_back() {
        for headers in [full(), JobHeaders::default(), JobHeaders { user: Some("kurir".into()), ..full() }] {
            assert_eq!(read(&of_job(&headers, WE), WE), headers);
        }
    }

    #[test]
    fn integers_of_any_width_and_as_text() {
        let same = [
            AMQPValue::ShortShortInt(5),
            AMQPValue::ShortShortUInt(5),
            AMQPValue::ShortInt(5),
            AMQPValue::ShortUInt(5),
            AMQPValue::LongInt(5),
            AMQPValue::LongUInt(5),
            AMQPValue::LongLongInt(5),
            AMQPValue::LongString(" 5".into()),
            AMQPValue::ShortString("5".into()),
        ];
        for value in same {
            let headers = read(&foreign_table(&value), WE);
            assert_eq!((headers.attempt, headers.not_before), (5, Some(Timestamp::from_millis(5))), "{value:?}");
        }
        let absent = [
            AMQPValue::Void,
            AMQPValue::Boolean(true),
            AMQPValue::Double(5.5),
            AMQPValue::LongString("five".into()),
            AMQPValue::LongString(vec![0xff, 0xfe].into()),
            AMQPValue::Timestamp(u64::MAX),
        ];
        for value in absent {
            let headers = read(&foreign_table(&value), WE);
            assert_eq!((headers.attempt, headers.not_before), (0, None), "{value:?}");
        }
        assert_eq!(read(&foreign_table(&AMQPValue::LongLongInt(-1)), WE).attempt, 0);
        assert_eq!(read(&foreign_table(&AMQPValue::LongLongInt(i64::MAX)), WE).attempt, u32::MAX);
    }

    #[test]
    fn the_moment_of_enqueuing_falls_back_to_the_timestamp() {
        let properties = BasicProperties::default().with_timestamp(1_700_000_000);
        assert_eq!(read(&properties, WE).enqueued_at, Some(Timestamp::from_millis(1_700_000_000_000)));
        assert_eq!(read(&BasicProperties::default().with_timestamp(u64::MAX), WE).enqueued_at, None);
    }

    #[test]
    fn nobody_else_can_vouch_for_a_user() {
        let mut table = FieldTable::default();
        put_text(&mut table, USER, "victim");
        let forged = BasicProperties::default().with_headers(table);
        assert_eq!(read(&forged, WE).user, None);
        assert_eq!(read(&forged.with_user_id("mallory".into()), WE).user.as_deref(), Some("mallory"));
    }

    #[test]
    fn a_copy_keeps_what_is_the_producers_and_nothing_that_steers_the_broker() {
        let original = foreign_table(&AMQPValue::LongString("v".into()))
            .with_expiration("10".into())
            .with_content_type("application/json".into())
            .with_user_id("acme".into());
        let copy = of_parked(&original, &JobHeaders { user: Some("acme".into()), ..full() }, WE);
        assert_eq!(read(&copy, WE), full());
        assert_eq!(copy.user_id().as_ref().map(ShortString::as_str), Some("kurir"));
        assert_eq!((copy.expiration(), copy.delivery_mode()), (&None, &Some(PERSISTENT)));
        assert_eq!(text(&copy, "tracestate").as_deref(), Some("v"));
        for gone in ["CC", "x-death"] {
            assert_eq!(value(&copy, gone), None, "{gone}");
        }
        let letter = DeadLetter { reason: FailReason::BadField, detail: "to".into() };
        let dead = of_dead(&copy, &letter, "s.a.otp", Timestamp::from_millis(9), WE);
        assert_eq!(text(&dead, REASON).as_deref(), Some("bad_field"));
        assert_eq!((text(&dead, DETAIL), text(&dead, QUEUE)), (Some("to".into()), Some("s.a.otp".into())));
        assert_eq!(read(&dead, WE), full());
    }

    #[test]
    fn texts_too_long_for_the_protocol_are_left_out() {
        let headers = JobHeaders { message_id: Some("x".repeat(256)), ..full() };
        assert_eq!(read(&of_job(&headers, WE), WE).message_id, None);
    }
}
