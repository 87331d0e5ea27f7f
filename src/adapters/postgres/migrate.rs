//! The schema's versions. A file that was released is never changed; what comes after is a new file.

use kurir_core::port::PortError;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, SqlSafeStr as _};

use super::PostgresStore;
use super::error::{port_error, refused};

const ACTION: &str = "migrating the schema";

/// What each version is called and does, from the first one on.
const VERSIONS: &[(&str, &str)] = &[
    ("sessions, state, ledger, outbox", include_str!("migrations/0001_sessions_state_ledger_outbox.sql")),
    ("what senders have spent", include_str!("migrations/0002_spending.sql")),
    ("pools", include_str!("migrations/0003_pools.sql")),
    ("API keys", include_str!("migrations/0004_api_keys.sql")),
    ("messages in numbers", include_str!("migrations/0005_messages_in_numbers.sql")),
    ("verifications", include_str!("migrations/0006_verifications.sql")),
    ("the log of events, webhooks", include_str!("migrations/0007_event_log_webhooks.sql")),
    ("what callers say of sessions", include_str!("migrations/0008_session_desk.sql")),
    ("templates, suppression", include_str!("migrations/0009_templates_suppression.sql")),
    ("files", include_str!("migrations/0010_media.sql")),
    ("messages by metadata", include_str!("migrations/0011_messages_by_metadata.sql")),
    ("files of a session", include_str!("migrations/0012_media_of_session.sql")),
    ("what files take", include_str!("migrations/0013_media_quota.sql")),
    ("users", include_str!("migrations/0014_users.sql")),
    ("notes of sessions, alerts", include_str!("migrations/0016_notes_alerts.sql")),
    ("messages by moment", include_str!("migrations/0017_messages_by_moment.sql")),
    ("limits of single sessions", include_str!("migrations/0018_own_limits.sql")),
];

fn migrator(schema: Option<&str>) -> Migrator {
    let migration = |(version, (name, script)): (i64, &(&'static str, &'static str))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, script.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations((1..).zip(VERSIONS).map(migration).collect());
    if let Some(name) = schema {
        // Checked when the store was connected: a plain name needs no quotes.
        migrator.create_schema(name.to_owned());
    }
    migrator
}

impl PostgresStore {
    /// Brings the database to the schema of this program; does nothing when it is there already. Any number of
    /// processes may call it at once: an advisory lock lets them through one by one. Fails as `Refused` when the
    /// database has a migration that this program does not know, or one that differs.
    pub async fn migrate(&self) -> Result<(), PortError> {
        // A connection of its own: the lock belongs to the connection, so closing it gives the lock back however
        // this ends, and building an index may take longer than a statement of the pool may run.
        let mut connection = PgConnection::connect_with(&self.unlimited).await.map_err(|e| port_error(ACTION, e))?;
        let done = migrator(self.schema.as_deref()).run_direct(None, &mut connection, false).await;
        let closed = connection.close().await;
        done.map_err(|error| match error {
            MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => port_error(ACTION, e),
            other => refused(ACTION, other),
        })?;
        closed.map_err(|e| port_error(ACTION, e))
    }
}
