//! The register of the admin page's users, and their sign-ins.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{Secret, SignInRecord, TenantId, Timestamp, UserName, UserRecord, UserRole};

/// What is to be changed of a user.
#[derive(Clone, Debug)]
pub struct UserChange {
    /// Another role; `None`: as it is.
    pub role: Option<UserRole>,
    /// Another password's hash; `None`: as it is.
    pub password: Option<Secret<String>>,
    /// Now.
    pub at: Timestamp,
}

/// Users by their names, which are unique over the fleet, and sign-ins by their marks. Every gateway sees the same, also
/// after its start. Whether a sign-in is still good is for whoever asks to judge: the store does not look at the time.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Enters a user; `false`: there is one of this name already, who stays as they are.
    async fn add_user(&self, user: &UserRecord) -> Result<bool, PortError>;

    /// One user.
    async fn user(&self, name: &UserName) -> Result<Option<UserRecord>, PortError>;

    /// The users of a tenant, or of all, in the order of their names.
    async fn users(&self, tenant: Option<&TenantId>) -> Result<Vec<UserRecord>, PortError>;

    /// Changes a user and gives them as they are then; `None`: there is none. A new password ends all their sign-ins.
    async fn change_user(&self, name: &UserName, change: &UserChange) -> Result<Option<UserRecord>, PortError>;

    /// Removes a user with all their sign-ins; `false`: there is none.
    async fn remove_user(&self, name: &UserName) -> Result<bool, PortError>;

    /// Enters a sign-in, if its user still has the password (its hash) that was checked; `false`: they have not. So no
    /// sign-in with an old password outlives its change.
    async fn begin_sign_in(&self, sign_in: &SignInRecord, password: &Secret<String>) -> Result<bool, PortError>;

    /// The sign-in of this mark, with its user.
    async fn sign_in(&self, mark: &[u8; 32]) -> Result<Option<(UserRecord, SignInRecord)>, PortError>;

    /// Notes that a browser was heard of, and until when its sign-in is good now; neither ever goes back. `false`: there is
    /// no such sign-in.
    async fn seen(&self, mark: &[u8; 32], at: Timestamp, until: Timestamp) -> Result<bool, PortError>;

    /// Ends a sign-in; `false`: there is none.
    async fn end_sign_in(&self, mark: &[u8; 32]) -> Result<bool, PortError>;

    /// Removes sign-ins that are good until before this moment, at most `limit`. Tells how many.
    async fn forget_sign_ins(&self, before: Timestamp, limit: u32) -> Result<u64, PortError>;
}
