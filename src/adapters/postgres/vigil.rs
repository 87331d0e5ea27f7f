//! The vigil over the server's own locks: each process keeps an advisory lock, whose key is the process's number, on a
//! connection of its own. The server ends the lock with the connection, and so within a moment of the process's death;
//! everybody reads who holds such locks a few times a second. Nudges are notifications on a channel.
//!
//! A process that hangs keeps its connection, and a machine that vanishes keeps it until the server's probes give up
//! (about ten seconds): for these there are the heartbeats and the leases.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::Sight;
use kurir_core::policy::RollCall;
use kurir_core::port::{PortError, Vigil, Watch};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::PostgresStore;
use super::error::port_error;

/// How often the locks are read: half of the longest time until a death is noticed, about.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// A connection that gives no answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause before a lost connection is made anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Most sights that wait.
const SIGHTS: usize = 256;

/// The server notices a dead machine after about `idle + interval * count` seconds.
const PROBES: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];

const CHANNEL: &str = "kurir_fleet";

/// Who holds a lock in this database. A key of 64 bits is told in two halves.
const HOLDERS: &str = "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

impl PostgresStore {
    /// The channel of nudges; fleets in different schemas of one database don't hear each other.
    fn channel(&self) -> String {
        self.schema.as_ref().map_or_else(|| CHANNEL.to_owned(), |schema| format!("{CHANNEL}_{schema}"))
    }
}

#[async_trait]
impl Vigil for PostgresStore {
    async fn keep(&self, process: u64) -> Result<Watch, PortError> {
        const ACTION: &str = "keeping the vigil";
        let options = self.unlimited.clone().application_name("kurir vigil").options(PROBES);
        let mut connection = show(&options, process).await.map_err(|e| port_error(ACTION, e))?;
        // Whoever dies from now on is missed.
        let alive = holders(&mut connection).await.map_err(|e| port_error(ACTION, e))?;
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(|e| port_error(ACTION, e))?;
        listener.listen(&self.channel()).await.map_err(|e| port_error(ACTION, e))?;
        let (sender, sights) = mpsc::channel(SIGHTS);
        let stop = CancellationToken::new();
        tokio::spawn(hear(listener, sender.clone(), stop.clone()));
        let mut lookout = Lookout { options, process, roll: RollCall::default(), sights: sender };
        lookout.tell(alive);
        tokio::spawn(lookout.run(connection, stop.clone()));
        let guard: DropGuard = stop.drop_guard();
        Ok(Watch { sights, guard: Box::new(guard) })
    }

    async fn alive(&self) -> Result<BTreeSet<u64>, PortError> {
        const ACTION: &str = "asking who lives";
        let mut connection = self.pool.acquire().await.map_err(|e| port_error(ACTION, e))?;
        holders(&mut connection).await.map_err(|e| port_error(ACTION, e))
    }

    async fn nudge(&self) -> Result<(), PortError> {
        sqlx::query("SELECT pg_notify($1, '')")
            .bind(self.channel())
            .execute(&self.pool)
            .await
            .map_err(|e| port_error("nudging the fleet", e))?;
        Ok(())
    }
}

/// Connects and takes the lock that shows the process's life.
async fn show(options: &PgConnectOptions, process: u64) -> Result<PgConnection, sqlx::Error> {
    let made = async {
        let mut connection = options.connect().await?;
        // Nobody else has this key: it is random. So there is nothing to wait for.
        sqlx::query("SELECT pg_advisory_lock($1)").bind(process.cast_signed()).execute(&mut connection).await?;
        Ok(connection)
    };
    timeout(PATIENCE, made).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// The processes whose locks are held.
async fn holders(connection: &mut PgConnection) -> Result<BTreeSet<u64>, sqlx::Error> {
    let alive = sqlx::query_scalar::<_, i64>(HOLDERS).fetch_all(connection);
    let alive = timeout(PATIENCE, alive).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(alive.into_iter().map(i64::cast_unsigned).collect())
}

/// Passes nudges on. The listener connects anew by itself.
async fn hear(mut listener: PgListener, sights: mpsc::Sender<Sight>, stop: CancellationToken) {
    loop {
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            heard = listener.recv() => heard,
        };
        if let Err(error) = heard {
            tracing::debug!(%error, "the fleet's nudges are not heard; they are tried again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
            continue;
        }
        // One that waits says the same.
        let _ = sights.try_send(Sight::Look);
    }
}

struct Lookout {
    options: PgConnectOptions,
    process: u64,
    roll: RollCall,
    sights: mpsc::Sender<Sight>,
}

impl Lookout {
    /// Tells what has changed.
    fn tell(&mut self, alive: BTreeSet<u64>) {
        for sight in self.roll.look(alive) {
            // The heartbeats tell the same later.
            let _ = self.sights.try_send(sight);
        }
    }

    async fn run(mut self, connection: PgConnection, stop: CancellationToken) {
        let mut connection = Some(connection);
        let mut timer = tokio::time::interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = timer.tick() => {}
            }
            let Some(open) = &mut connection else {
                match show(&self.options, self.process).await {
                    Ok(made) => connection = Some(made),
                    Err(error) => {
                        tracing::debug!(%error, "the vigil's connection is tried again");
                        timer.reset_after(AGAIN);
                    }
                }
                continue;
            };
            match holders(open).await {
                Ok(alive) => self.tell(alive),
                Err(error) => {
                    // The server may have restarted, and all locks with it.
                    tracing::debug!(%error, "the vigil's connection is lost");
                    self.roll.forget();
                    connection = None;
                }
            }
        }
        if let Some(connection) = connection {
            // The server sees the end of the connection either way.
            let _ = timeout(PATIENCE, connection.close()).await;
        }
    }
}
