//! What a dead letter's properties tell, whoever put it there: kurir with its own headers, or the broker with
//! `x-death`.

use kurir_core::domain::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::headers::{
    DETAIL, DIED_AT, QUEUE, REASON, Vouched, carried_over, foreign, integer, put_integer, put_text, read, text, value,
    with_headers,
};

/// The broker's reason on a letter that was published anew, since a copy's `x-death` is not the broker's word.
const DIED_OF: &str = "kurir-died-of";

/// The broker's word where a job came back from a delay and its session's queue was gone.
const UNROUTABLE: &str = "unroutable";

/// Why and, if that is known, when a letter died.
pub(super) fn cause_of_death(properties: &BasicProperties) -> (String, Option<Timestamp>) {
    if let Some(reason) = text(properties, REASON) {
        return (reason, died_at(properties));
    }
    if let Some(reason) = text(properties, DIED_OF) {
        return (reason, died_at(properties));
    }
    last_death(properties).unwrap_or_else(|| ("unknown".to_owned(), None))
}

fn died_at(properties: &BasicProperties) -> Option<Timestamp> {
    integer(properties, DIED_AT).map(Timestamp::from_millis)
}

/// The newest entry of `x-death`, which stands first.
fn last_death(properties: &BasicProperties) -> Option<(String, Option<Timestamp>)> {
    let Some(AMQPValue::FieldArray(deaths)) = value(properties, "x-death") else { return None };
    let Some(AMQPValue::FieldTable(death)) = deaths.as_slice().first() else { return None };
    let word = |name: &str| match death.inner().get(name)? {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    };
    let at = match death.inner().get("time") {
        Some(AMQPValue::Timestamp(seconds)) => {
            i64::try_from(*seconds).ok().and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis)
        }
        _ => None,
    };
    let reason = word("reason")?;
    // Expired in a delay is how every parked job comes back; that it did not find its queue is why it is here.
    let came_back = reason == "expired" && word("queue").is_some_and(|queue| queue.starts_with("kurir.delay."));
    Some((if came_back { UNROUTABLE.to_owned() } else { reason }, at))
}

/// How often the broker got the letter back from somebody who had taken it.
pub(super) fn times_returned(properties: &BasicProperties) -> i64 {
    integer(properties, "x-delivery-count").unwrap_or(0)
}

/// The properties of a letter that is published anew; `key` is the routing key under which it was a job.
pub(super) fn of_dead_again(original: &BasicProperties, key: &str, vouched: Vouched<'_>) -> BasicProperties {
    let mut table: FieldTable = foreign(original);
    let (reason, at) = cause_of_death(original);
    let ours = text(original, REASON).is_some();
    put_text(&mut table, if ours { REASON } else { DIED_OF }, &reason);
    if let Some(at) = at {
        put_integer(&mut table, DIED_AT, at.as_millis());
    }
    if let Some(detail) = text(original, DETAIL) {
        put_text(&mut table, DETAIL, &detail);
    }
    put_text(&mut table, QUEUE, key);
    with_headers(carried_over(original), table, &read(original, vouched), vouched)
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldArray;

    use super::*;

    const WE: Vouched<'_> = Vouched("kurir");

    fn death(reason: &str, queue: &str, at: u64) -> AMQPValue {
        let mut table = FieldTable::default();
        table.insert("reason".into(), AMQPValue::LongString(reason.into()));
        table.insert("queue".into(), AMQPValue::LongString(queue.into()));
        table.insert("time".into(), AMQPValue::Timestamp(at));
        AMQPValue::FieldTable(table)
    }

    fn died(deaths: Vec<AMQPValue>) -> BasicProperties {
        let mut table = FieldTable::default();
        table.insert("x-death".into(), AMQPValue::FieldArray(FieldArray::from(deaths)));
        BasicProperties::default().with_type("kurir.job.v1".into()).with_headers(table)
    }

    #[test]
    fn the_brokers_newest_reason_counts() {
        let old = death("expired", "kurir.delay.1000", 1);
        let given_up = died(vec![death("delivery_limit", "kurir.s.a.otp", 2), old.clone()]);
        assert_eq!(cause_of_death(&given_up), ("delivery_limit".into(), Some(Timestamp::from_millis(2000))));
        assert_eq!(cause_of_death(&died(vec![old])).0, "unroutable");
        assert_eq!(cause_of_death(&died(vec![death("expired", "kurir.s.a.otp", 1)])).0, "expired");
        for nonsense in [vec![], vec![AMQPValue::Void]] {
            assert_eq!(cause_of_death(&died(nonsense)), ("unknown".into(), None));
        }
        assert_eq!(cause_of_death(&BasicProperties::default()), ("unknown".into(), None));
    }

    #[test]
    fn a_letter_published_anew_tells_the_same() {
        let broker = died(vec![death("delivery_limit", "kurir.s.a.otp", 2)]).with_user_id("acme".into());
        let mut table = FieldTable::default();
        put_text(&mut table, REASON, "bad_field");
        put_text(&mut table, DETAIL, "to: missing");
        put_integer(&mut table, DIED_AT, 3000);
        let ours = BasicProperties::default().with_message_id("id".into()).with_headers(table);
        for original in [broker, ours] {
            let mut copy = of_dead_again(&original, "s.a.otp", WE);
            // However often.
            for _ in 0..2 {
                assert_eq!(cause_of_death(&copy), cause_of_death(&original));
                assert_eq!(text(&copy, DETAIL), text(&original, DETAIL));
                assert_eq!(text(&copy, QUEUE).as_deref(), Some("s.a.otp"));
                assert_eq!(read(&copy, WE), read(&original, WE));
                assert_eq!(value(&copy, "x-death"), None);
                copy = of_dead_again(&copy, "s.a.otp", WE);
            }
        }
    }
}
