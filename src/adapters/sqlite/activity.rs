//! Counting messages by what became of them and when.

use std::time::Duration;

use kurir_core::domain::{Lane, MessageState, SessionId, TenantId, Timestamp};
use kurir_core::port::{Activity, PortError, Steps, Waiting};

use super::database::Database;
use super::error::{corrupt, sql};

/// A moment may be another clock's word, which differs from this one by less.
const SLACK: Duration = Duration::from_mins(10);

const ACCEPTED: &str = "\
SELECT (enqueued_at - ?2) / ?4, 'queued', count(*), 0 FROM ledger
WHERE tenant = ?1 AND enqueued_at >= ?2 AND enqueued_at < ?3 GROUP BY 1";

// Each row four times, once for each of its moments; a row without the moment falls out.
const BECAME: &str = "\
SELECT (at - ?2) / ?4, what, count(*), count(arrived) FROM (
    SELECT CASE moment.n WHEN 1 THEN sent_at WHEN 2 THEN delivered_at WHEN 3 THEN read_at ELSE ended_at END AS at,
           CASE moment.n WHEN 1 THEN 'sent' WHEN 2 THEN 'delivered' WHEN 3 THEN 'read' ELSE state END AS what,
           CASE moment.n WHEN 1 THEN delivered_at END AS arrived
    FROM ledger CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) AS moment
    WHERE open = 0 AND updated_at >= ?5 AND tenant = ?1
) WHERE at >= ?2 AND at < ?3 GROUP BY 1, 2";

const WAITING: &str = "\
SELECT session, lane, count(*), min(enqueued_at) FROM ledger
WHERE tenant = ?1 AND state IN ('queued', 'delayed') GROUP BY session, lane";

pub(super) async fn activity(db: &Database, tenant: &TenantId, steps: &Steps) -> Result<Vec<Activity>, PortError> {
    let mut counted = steps.empty();
    for statement in [ACCEPTED, BECAME] {
        let mut query = sqlx::query_as::<_, (i64, String, i64, i64)>(statement)
            .bind(tenant.as_str())
            .bind(steps.from.as_millis())
            .bind(steps.end().as_millis())
            .bind(steps.millis());
        if statement == BECAME {
            query = query.bind(steps.from.minus(SLACK).as_millis());
        }
        let rows = query.fetch_all(&db.readers).await.map_err(|error| sql("counting messages by time", error))?;
        for (place, state, count, arrived) in rows {
            let state = MessageState::parse(&state).ok_or_else(|| corrupt("a message's state", "it is none"))?;
            let step = usize::try_from(place).ok().and_then(|place| counted.get_mut(place));
            let step = step.ok_or_else(|| corrupt("a message's moment", "it is in no step"))?;
            step.add(state, count.cast_unsigned());
            step.arrived += arrived.cast_unsigned();
        }
    }
    Ok(counted)
}

pub(super) async fn waiting(db: &Database, tenant: &TenantId) -> Result<Vec<Waiting>, PortError> {
    let rows: Vec<(Option<String>, Option<String>, i64, i64)> = sqlx::query_as(WAITING)
        .bind(tenant.as_str())
        .fetch_all(&db.readers)
        .await
        .map_err(|error| sql("counting waiting messages", error))?;
    let mut found = Vec::with_capacity(rows.len());
    for (session, lane, messages, since) in rows {
        let session = session.map(SessionId::new).transpose().map_err(|error| corrupt("a message's session", error))?;
        let lane = lane
            .and_then(|lane| Lane::ALL.into_iter().find(|known| known.as_str() == lane))
            .ok_or_else(|| corrupt("a message's lane", "it is none"))?;
        let since = Timestamp::from_millis(since);
        found.push(Waiting { session, lane, messages: messages.cast_unsigned(), since });
    }
    found.sort();
    Ok(found)
}
