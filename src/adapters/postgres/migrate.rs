//! The schema's versions. A file that was released is never changed; what comes after is a new file.

use kurir_core::port::PortError;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, SqlSafeStr as _};

use super::PostgresStore;
use super::error::{port_error, refused};

const ACTION: &str = "migrating the schema";

fn migrator(schema: Option<&str>) -> Migrator {
    let first = Migration::new(
        1,
        "sessions, state, ledger, outbox".into(),
        MigrationType::Simple,
        include_str!("migrations/0001_sessions_state_ledger_outbox.sql").into_sql_str(),
        false,
    );
    let second = Migration::new(
        2,
        "what senders have spent".into(),
        MigrationType::Simple,
        include_str!("migrations/0002_spending.sql").into_sql_str(),
        false,
    );
    let third = Migration::new(
        3,
        "pools".into(),
        MigrationType::Simple,
        include_str!("migrations/0003_pools.sql").into_sql_str(),
        false,
    );
    let fourth = Migration::new(
        4,
        "API keys".into(),
        MigrationType::Simple,
        include_str!("migrations/0004_api_keys.sql").into_sql_str(),
        false,
    );
    let fifth = Migration::new(
        5,
        "templates, suppressed numbers".into(),
        MigrationType::Simple,
        include_str!("migrations/0005_templates_suppression.sql").into_sql_str(),
        false,
    );
    let mut migrator = Migrator::with_migrations(vec![first, second, third, fourth, fifth]);
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
