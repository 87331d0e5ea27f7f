//! Users of the admin page, and their sign-ins.

use async_trait::async_trait;
use kurir_core::domain::{Secret, SignInRecord, TenantId, Timestamp, UserName, UserRecord, UserRole};
use kurir_core::port::{PortError, UserChange, UserStore};

use super::PostgresStore;
use super::error::{corrupt, port_error};

const ADD: &str = "\
INSERT INTO admin_user (name, tenant, role, password, created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";

const ONE: &str = "\
SELECT name, tenant, role, password, created_at, changed_at FROM admin_user WHERE name = $1";

const LIST: &str = "\
SELECT name, tenant, role, password, created_at, changed_at FROM admin_user
WHERE $1::text IS NULL OR tenant = $1 ORDER BY name";

const CHANGE: &str = "\
WITH ended AS (DELETE FROM admin_sign_in WHERE user_name = $1 AND $3::text IS NOT NULL)
UPDATE admin_user SET role = coalesce($2, role), password = coalesce($3, password),
    epoch = epoch + CASE WHEN $3::text IS NULL THEN 0 ELSE 1 END, changed_at = $4
WHERE name = $1
RETURNING name, tenant, role, password, created_at, changed_at";

const REMOVE: &str = "DELETE FROM admin_user WHERE name = $1";

const BEGIN: &str = "\
INSERT INTO admin_sign_in (mark, user_name, epoch, created_at, seen_at, until)
SELECT $1, name, epoch, $4, $5, $6 FROM admin_user WHERE name = $2 AND password = $3";

// One of an older epoch was entered while the password changed.
const SIGN_IN: &str = "\
SELECT u.name, u.tenant, u.role, u.password, u.created_at, u.changed_at, s.created_at, s.seen_at, s.until
FROM admin_sign_in s JOIN admin_user u ON u.name = s.user_name AND u.epoch = s.epoch WHERE s.mark = $1";

const SEEN: &str = "\
UPDATE admin_sign_in SET seen_at = greatest(seen_at, $2), until = greatest(until, $3) WHERE mark = $1";

const END: &str = "DELETE FROM admin_sign_in WHERE mark = $1";

const FORGET: &str = "\
WITH old AS MATERIALIZED (
    SELECT mark FROM admin_sign_in WHERE until < $1 ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM admin_sign_in s USING old WHERE s.mark = old.mark";

/// A user as they stand there, in the order of the statements' columns.
type Row = (String, String, String, String, i64, i64);

/// A user and a sign-in of theirs.
type SignInRow = (String, String, String, String, i64, i64, i64, i64, i64);

fn read((name, tenant, role, password, created_at, changed_at): Row) -> Result<UserRecord, PortError> {
    let wrong = |what: &str| corrupt(format!("the {what} of user {name:?}"), "it is none");
    let tenant = TenantId::new(&tenant).map_err(|_| wrong("tenant"))?;
    let role = UserRole::parse(&role).ok_or_else(|| wrong("role"))?;
    let name = UserName::new(&name).map_err(|_| wrong("name"))?;
    let (created_at, changed_at) = (Timestamp::from_millis(created_at), Timestamp::from_millis(changed_at));
    Ok(UserRecord { name, tenant, role, password: Secret::new(password), created_at, changed_at })
}

#[async_trait]
impl UserStore for PostgresStore {
    async fn add_user(&self, user: &UserRecord) -> Result<bool, PortError> {
        self.retrying("adding a user", |_| async move {
            let done = sqlx::query(ADD)
                .bind(user.name.as_str())
                .bind(user.tenant.as_str())
                .bind(user.role.as_str())
                .bind(user.password.expose())
                .bind(user.created_at.as_millis())
                .bind(user.changed_at.as_millis())
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn user(&self, name: &UserName) -> Result<Option<UserRecord>, PortError> {
        let row: Option<Row> = sqlx::query_as(ONE)
            .bind(name.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading a user", e))?;
        row.map(read).transpose()
    }

    async fn users(&self, tenant: Option<&TenantId>) -> Result<Vec<UserRecord>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(tenant.map(TenantId::as_str))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing users", e))?;
        rows.into_iter().map(read).collect()
    }

    async fn change_user(&self, name: &UserName, change: &UserChange) -> Result<Option<UserRecord>, PortError> {
        let row: Option<Row> = self
            .retrying("changing a user", |_| async move {
                sqlx::query_as(CHANGE)
                    .bind(name.as_str())
                    .bind(change.role.map(UserRole::as_str))
                    .bind(change.password.as_ref().map(|password| password.expose().as_str()))
                    .bind(change.at.as_millis())
                    .fetch_optional(&self.pool)
                    .await
            })
            .await?;
        row.map(read).transpose()
    }

    async fn remove_user(&self, name: &UserName) -> Result<bool, PortError> {
        self.retrying("removing a user", |_| async move {
            Ok(sqlx::query(REMOVE).bind(name.as_str()).execute(&self.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn begin_sign_in(&self, sign_in: &SignInRecord, password: &Secret<String>) -> Result<bool, PortError> {
        self.retrying("entering a sign-in", |_| async move {
            let done = sqlx::query(BEGIN)
                .bind(sign_in.mark.as_slice())
                .bind(sign_in.user.as_str())
                .bind(password.expose())
                .bind(sign_in.created_at.as_millis())
                .bind(sign_in.seen_at.as_millis())
                .bind(sign_in.until.as_millis())
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn sign_in(&self, mark: &[u8; 32]) -> Result<Option<(UserRecord, SignInRecord)>, PortError> {
        let row: Option<SignInRow> = sqlx::query_as(SIGN_IN)
            .bind(mark.as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading a sign-in", e))?;
        let Some((name, tenant, role, password, created_at, changed_at, begun_at, seen_at, until)) = row else {
            return Ok(None);
        };
        let user = read((name, tenant, role, password, created_at, changed_at))?;
        let [created_at, seen_at, until] = [begun_at, seen_at, until].map(Timestamp::from_millis);
        let sign_in = SignInRecord { mark: *mark, user: user.name.clone(), created_at, seen_at, until };
        Ok(Some((user, sign_in)))
    }

    async fn seen(&self, mark: &[u8; 32], at: Timestamp, until: Timestamp) -> Result<bool, PortError> {
        self.retrying("noting a sign-in's use", |_| async move {
            let query = sqlx::query(SEEN).bind(mark.as_slice()).bind(at.as_millis()).bind(until.as_millis());
            Ok(query.execute(&self.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn end_sign_in(&self, mark: &[u8; 32]) -> Result<bool, PortError> {
        self.retrying("ending a sign-in", |_| async move {
            Ok(sqlx::query(END).bind(mark.as_slice()).execute(&self.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn forget_sign_ins(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.retrying("forgetting old sign-ins", |_| async move {
            let done = sqlx::query(FORGET).bind(before.as_millis()).bind(i64::from(limit)).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
