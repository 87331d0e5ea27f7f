//! Counting messages by what became of them and when.

use std::time::Duration;

use kurir_core::domain::{Lane, MessageState, SessionId, TenantId, Timestamp};
use kurir_core::port::{Activity, PortError, Steps, Waiting};

use super::error::{corrupt, port_error};
use super::{PostgresStore, rows};

/// A moment may be another clock's word, which differs from the server's by less.
const SLACK: Duration = Duration::from_mins(10);

const ACCEPTED: &str = "\
SELECT (enqueued_at - $2) / $4, 'queued', count(*), 0::bigint FROM job
WHERE tenant = $1 AND enqueued_at >= $2 AND enqueued_at < $3 GROUP BY 1";

const BECAME: &str = "\
SELECT (m.at - $2) / $4, m.what, count(*), count(m.arrived)
FROM job CROSS JOIN LATERAL (VALUES
    ('sent', sent_at, delivered_at), ('delivered', delivered_at, NULL), ('read', read_at, NULL), (state, ended_at, NULL)
) AS m(what, at, arrived)
WHERE state NOT IN ('queued', 'delayed', 'sending') AND written_at >= $5 AND tenant = $1 AND m.at >= $2 AND m.at < $3
GROUP BY 1, 2";

const WAITING: &str = "\
SELECT session, lane, count(*), min(enqueued_at) FROM job
WHERE tenant = $1 AND state IN ('queued', 'delayed') GROUP BY session, lane";

pub(super) async fn activity(
    store: &PostgresStore,
    tenant: &TenantId,
    steps: &Steps,
) -> Result<Vec<Activity>, PortError> {
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
        let found = query.fetch_all(&store.pool).await.map_err(|e| port_error("counting messages by time", e))?;
        for (place, state, count, arrived) in found {
            let what = || "the state of a job".to_owned();
            let state = MessageState::parse(&state).ok_or_else(|| corrupt(what(), "it is none"))?;
            let step = usize::try_from(place).ok().and_then(|place| counted.get_mut(place));
            let step = step.ok_or_else(|| corrupt("a moment of a job".to_owned(), "it is in no step"))?;
            step.add(state, rows::to_count(count, what)?);
            step.arrived += rows::to_count(arrived, what)?;
        }
    }
    Ok(counted)
}

pub(super) async fn waiting(store: &PostgresStore, tenant: &TenantId) -> Result<Vec<Waiting>, PortError> {
    let rows: Vec<(Option<String>, Option<String>, i64, i64)> = sqlx::query_as(WAITING)
        .bind(tenant.as_str())
        .fetch_all(&store.pool)
        .await
        .map_err(|e| port_error("counting waiting messages", e))?;
    let mut found = Vec::with_capacity(rows.len());
    for (session, lane, messages, since) in rows {
        let session = session.map(SessionId::new).transpose();
        let session = session.map_err(|e| corrupt("the session of a job".to_owned(), e))?;
        // One of before the column was there has no lane, and is old enough not to wait any more.
        let Some(lane) = lane.and_then(|lane| Lane::ALL.into_iter().find(|known| known.as_str() == lane)) else {
            continue;
        };
        let messages = rows::to_count(messages, || "waiting jobs".to_owned())?;
        found.push(Waiting { session, lane, messages, since: Timestamp::from_millis(since) });
    }
    found.sort();
    Ok(found)
}
