//! Users of the admin page, and their sign-ins.

use async_trait::async_trait;
use kurir_core::domain::{Secret, SignInRecord, TenantId, Timestamp, UserName, UserRecord, UserRole};
use kurir_core::port::{PortError, UserChange, UserStore};
use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::error::{Failure, corrupt, sql};

/// A user as they stand there, in the order of the statements' columns.
type Row = (String, String, String, String, i64, i64);

/// A user and a sign-in of theirs.
type SignInRow = (String, String, String, String, i64, i64, i64, i64, i64);

const ONE: &str = "SELECT name, tenant, role, password, created_at, changed_at FROM admin_user WHERE name = ?1";

const LIST: &str = "\
SELECT name, tenant, role, password, created_at, changed_at FROM admin_user \
WHERE ?1 IS NULL OR tenant = ?1 ORDER BY name";

const SIGN_IN: &str = "\
SELECT u.name, u.tenant, u.role, u.password, u.created_at, u.changed_at, s.created_at, s.seen_at, s.until \
FROM admin_sign_in s JOIN admin_user u ON u.name = s.user_name WHERE s.mark = ?1";

fn read((name, tenant, role, password, created_at, changed_at): Row) -> Result<UserRecord, PortError> {
    let wrong = |what: &str| corrupt(format!("the {what} of user {name:?}"), "it is none");
    let tenant = TenantId::new(&tenant).map_err(|_| wrong("tenant"))?;
    let role = UserRole::parse(&role).ok_or_else(|| wrong("role"))?;
    let name = UserName::new(&name).map_err(|_| wrong("name"))?;
    let (created_at, changed_at) = (Timestamp::from_millis(created_at), Timestamp::from_millis(changed_at));
    Ok(UserRecord { name, tenant, role, password: Secret::new(password), created_at, changed_at })
}

async fn change(connection: &mut SqliteConnection, name: UserName, change: UserChange) -> Result<Option<Row>, Failure> {
    if change.password.is_some() {
        let end = sqlx::query("DELETE FROM admin_sign_in WHERE user_name = ?1").bind(name.as_str());
        end.execute(&mut *connection).await?;
    }
    let row = sqlx::query_as(
        "UPDATE admin_user SET role = coalesce(?2, role), password = coalesce(?3, password), changed_at = ?4 \
         WHERE name = ?1 RETURNING name, tenant, role, password, created_at, changed_at",
    )
    .bind(name.as_str())
    .bind(change.role.map(UserRole::as_str))
    .bind(change.password.as_ref().map(|password| password.expose().as_str()))
    .bind(change.at.as_millis())
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn add_user(&self, user: &UserRecord) -> Result<bool, PortError> {
        let user = user.clone();
        self.db
            .writer
            .write("adding a user", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO admin_user (name, tenant, role, password, created_at, changed_at) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
                    )
                    .bind(user.name.as_str())
                    .bind(user.tenant.as_str())
                    .bind(user.role.as_str())
                    .bind(user.password.expose())
                    .bind(user.created_at.as_millis())
                    .bind(user.changed_at.as_millis())
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn user(&self, name: &UserName) -> Result<Option<UserRecord>, PortError> {
        let row: Option<Row> = sqlx::query_as(ONE)
            .bind(name.as_str())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading a user", error))?;
        row.map(read).transpose()
    }

    async fn users(&self, tenant: Option<&TenantId>) -> Result<Vec<UserRecord>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(tenant.map(TenantId::as_str))
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("listing users", error))?;
        rows.into_iter().map(read).collect()
    }

    async fn change_user(&self, name: &UserName, wanted: &UserChange) -> Result<Option<UserRecord>, PortError> {
        let (name, wanted) = (name.clone(), wanted.clone());
        let row = self
            .db
            .writer
            .write("changing a user", move |connection| Box::pin(change(connection, name, wanted)))
            .await?;
        row.map(read).transpose()
    }

    async fn remove_user(&self, name: &UserName) -> Result<bool, PortError> {
        let name = name.clone();
        self.db
            .writer
            .write("removing a user", move |connection| {
                Box::pin(async move {
                    // Their sign-ins go with them.
                    let remove = sqlx::query("DELETE FROM admin_user WHERE name = ?1").bind(name.as_str());
                    Ok(remove.execute(connection).await?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn begin_sign_in(&self, sign_in: &SignInRecord, password: &Secret<String>) -> Result<bool, PortError> {
        let (sign_in, password) = (sign_in.clone(), password.clone());
        self.db
            .writer
            .write("entering a sign-in", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO admin_sign_in (mark, user_name, created_at, seen_at, until) \
                         SELECT ?1, name, ?4, ?5, ?6 FROM admin_user WHERE name = ?2 AND password = ?3",
                    )
                    .bind(sign_in.mark.as_slice())
                    .bind(sign_in.user.as_str())
                    .bind(password.expose())
                    .bind(sign_in.created_at.as_millis())
                    .bind(sign_in.seen_at.as_millis())
                    .bind(sign_in.until.as_millis())
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn sign_in(&self, mark: &[u8; 32]) -> Result<Option<(UserRecord, SignInRecord)>, PortError> {
        let row: Option<SignInRow> = sqlx::query_as(SIGN_IN)
            .bind(mark.as_slice())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading a sign-in", error))?;
        let Some((name, tenant, role, password, created_at, changed_at, begun_at, seen_at, until)) = row else {
            return Ok(None);
        };
        let user = read((name, tenant, role, password, created_at, changed_at))?;
        let [created_at, seen_at, until] = [begun_at, seen_at, until].map(Timestamp::from_millis);
        let sign_in = SignInRecord { mark: *mark, user: user.name.clone(), created_at, seen_at, until };
        Ok(Some((user, sign_in)))
    }

    async fn seen(&self, mark: &[u8; 32], at: Timestamp, until: Timestamp) -> Result<bool, PortError> {
        let mark = *mark;
        self.db
            .writer
            .write("noting a sign-in's use", move |connection| {
                Box::pin(async move {
                    let note = sqlx::query(
                        "UPDATE admin_sign_in SET seen_at = max(seen_at, ?2), until = max(until, ?3) WHERE mark = ?1",
                    );
                    let note = note.bind(mark.as_slice()).bind(at.as_millis()).bind(until.as_millis());
                    Ok(note.execute(connection).await?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn end_sign_in(&self, mark: &[u8; 32]) -> Result<bool, PortError> {
        let mark = *mark;
        self.db
            .writer
            .write("ending a sign-in", move |connection| {
                Box::pin(async move {
                    let end = sqlx::query("DELETE FROM admin_sign_in WHERE mark = ?1").bind(mark.as_slice());
                    Ok(end.execute(connection).await?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn forget_sign_ins(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        const OLD: &str = "\
            DELETE FROM admin_sign_in WHERE mark IN \
            (SELECT mark FROM admin_sign_in WHERE until < ?1 ORDER BY until LIMIT ?2)";
        self.db.forget("forgetting old sign-ins", OLD, before, limit).await
    }
}
