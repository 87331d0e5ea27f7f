//! What can be done with users, by the admin page and by the command line, which needs no gateway.

use std::sync::Arc;

use kurir_core::domain::{Secret, TenantId, UserName, UserRecord, UserRole};
use kurir_core::port::{Clock, Entropy, PortError, UserChange, UserStore};

use super::password::{Busy, LONGEST, Passwords};

/// Shortest password, in characters.
pub const SHORTEST_PASSWORD: usize = 10;

/// Who wants it done.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Whoever has the store: all of it is theirs.
    Operator,
    /// A user of the admin page. The others of the tenant are theirs, and one admin is always left.
    User(&'a UserRecord),
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum UserFault {
    /// Somebody has the name, perhaps of another tenant.
    #[error("this name is taken; choose another one")]
    NameTaken,
    /// There is no such user, or they are of another tenant.
    #[error("there is no such user")]
    NoSuchUser,
    /// The password is too short.
    #[error("a password has at least {SHORTEST_PASSWORD} characters")]
    TooShort,
    /// The password is too long.
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    /// The password is the user's name.
    #[error("the password must not be the user's name")]
    IsTheName,
    /// The old password is not that.
    #[error("the old password is wrong")]
    WrongPassword,
    /// Nobody could change anything any more.
    #[error("this is the tenant's only admin; make another one first")]
    LastAdmin,
    /// Somebody tried to do it to themselves.
    #[error("nobody removes themselves or changes their own role; another admin can")]
    Oneself,
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// A user to add.
#[derive(Debug)]
pub struct NewUser {
    /// What they sign in as.
    pub name: UserName,
    /// Whose sessions they see.
    pub tenant: TenantId,
    /// What they may do.
    pub role: UserRole,
    /// Their password.
    pub password: Secret<String>,
}

/// The register of users.
#[derive(Clone)]
pub struct UserDesk {
    register: Arc<dyn UserStore>,
    pub(super) passwords: Passwords,
    clock: Arc<dyn Clock>,
}

impl UserDesk {
    /// Over this register.
    pub fn new(register: Arc<dyn UserStore>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { register, passwords: Passwords::new(entropy), clock }
    }

    /// The users of a tenant, or of all, in the order of their names.
    pub async fn list(&self, tenant: Option<&TenantId>) -> Result<Vec<UserRecord>, PortError> {
        self.register.users(tenant).await
    }

    /// The user of a name, of whatever tenant.
    pub(super) async fn named(&self, name: &UserName) -> Result<Option<UserRecord>, PortError> {
        self.register.user(name).await
    }

    /// Adds a user.
    pub async fn add(&self, new: NewUser) -> Result<UserRecord, UserFault> {
        let password = self.hashed(&new.name, new.password).await?;
        let now = self.clock.now();
        let NewUser { name, tenant, role, .. } = new;
        let user = UserRecord { name, tenant, role, password, created_at: now, changed_at: now };
        if !self.register.add_user(&user).await? {
            return Err(UserFault::NameTaken);
        }
        tracing::info!(user = %user.name, tenant = %user.tenant, role = %user.role, "user of the admin page added");
        Ok(user)
    }

    /// Gives a user another role.
    pub async fn set_role(&self, by: By<'_>, name: &UserName, role: UserRole) -> Result<UserRecord, UserFault> {
        let user = self.within_reach(by, name).await?;
        if user.role == role {
            return Ok(user);
        }
        self.leaves_an_admin(by, &user).await?;
        let user = self.change(name, Some(role), None).await?;
        tracing::info!(user = %name, role = %user.role, "user of the admin page has another role");
        Ok(user)
    }

    /// Gives a user another password, and ends all their sign-ins.
    pub async fn set_password(
        &self,
        by: By<'_>,
        name: &UserName,
        password: Secret<String>,
    ) -> Result<UserRecord, UserFault> {
        self.within_reach(by, name).await?;
        let password = self.hashed(name, password).await?;
        let user = self.change(name, None, Some(password)).await?;
        tracing::info!(user = %name, "user of the admin page has a new password; their sign-ins have ended");
        Ok(user)
    }

    /// Changes one's own password, which asks for the old one, and ends all one's sign-ins.
    pub async fn change_own(
        &self,
        user: &UserRecord,
        old: Secret<String>,
        new: Secret<String>,
    ) -> Result<UserRecord, UserFault> {
        check(&user.name, &new)?;
        if !self.passwords.matches(old, Some(user.password.clone())).await? {
            return Err(UserFault::WrongPassword);
        }
        self.set_password(By::Operator, &user.name, new).await
    }

    /// Removes a user, and ends all their sign-ins.
    pub async fn remove(&self, by: By<'_>, name: &UserName) -> Result<(), UserFault> {
        let user = self.within_reach(by, name).await?;
        self.leaves_an_admin(by, &user).await?;
        if !self.register.remove_user(name).await? {
            return Err(UserFault::NoSuchUser);
        }
        tracing::info!(user = %name, tenant = %user.tenant, "user of the admin page removed");
        Ok(())
    }

    /// The user, if they are any business of whoever asks.
    async fn within_reach(&self, by: By<'_>, name: &UserName) -> Result<UserRecord, UserFault> {
        let user = self.register.user(name).await?;
        let near = user.filter(|user| match by {
            By::Operator => true,
            By::User(asks) => asks.tenant == user.tenant,
        });
        near.ok_or(UserFault::NoSuchUser)
    }

    /// Whether somebody is left who may change things once this user may not. Two admins who remove each other in the same
    /// moment are both gone; the operator can add one.
    async fn leaves_an_admin(&self, by: By<'_>, user: &UserRecord) -> Result<(), UserFault> {
        let By::User(asks) = by else { return Ok(()) };
        if asks.name == user.name {
            return Err(UserFault::Oneself);
        }
        let others = self.register.users(Some(&user.tenant)).await?;
        let left = others.iter().any(|other| other.name != user.name && other.role.may_change());
        if left { Ok(()) } else { Err(UserFault::LastAdmin) }
    }

    async fn change(
        &self,
        name: &UserName,
        role: Option<UserRole>,
        password: Option<Secret<String>>,
    ) -> Result<UserRecord, UserFault> {
        let change = UserChange { role, password, at: self.clock.now() };
        self.register.change_user(name, &change).await?.ok_or(UserFault::NoSuchUser)
    }

    async fn hashed(&self, name: &UserName, password: Secret<String>) -> Result<Secret<String>, UserFault> {
        check(name, &password)?;
        self.passwords.hash(password).await?.ok_or(UserFault::TooLong)
    }
}

/// Whether it will do as this user's password.
fn check(name: &UserName, password: &Secret<String>) -> Result<(), UserFault> {
    let text = password.expose();
    if text.chars().count() < SHORTEST_PASSWORD {
        return Err(UserFault::TooShort);
    }
    if text.len() > LONGEST {
        return Err(UserFault::TooLong);
    }
    if text.eq_ignore_ascii_case(name.as_str()) {
        return Err(UserFault::IsTheName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kurir_core::domain::Timestamp;
    use kurir_core::memory::{ManualClock, MemoryStores, SeededEntropy};

    use super::*;

    fn desk() -> UserDesk {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
        let stores = Arc::new(MemoryStores::new(clock.clone()));
        UserDesk::new(stores, clock, Arc::new(SeededEntropy::new(5)))
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn name(text: &str) -> UserName {
        UserName::new(text).unwrap()
    }

    impl UserDesk {
        async fn added(&self, name: &str, tenant: &str, role: UserRole) -> UserRecord {
            let tenant = TenantId::new(tenant).unwrap();
            let new = NewUser { name: self::name(name), tenant, role, password: secret("kata sandi panjang") };
            self.add(new).await.unwrap()
        }
    }

    #[tokio::test]
    async fn passwords_that_will_not_do_are_refused() {
        let desk = desk();
        let user = desk.added("siti@toko.example", "acme", UserRole::Admin).await;
        let long = "x".repeat(LONGEST + 1);
        for (text, wanted) in [
            ("", "at least 10"),
            ("ééééééééé", "at least 10"),
            (&long, "at most"),
            ("SITI@toko.example", "must not be the user's name"),
        ] {
            let fault = desk.set_password(By::Operator, &user.name, secret(text)).await.unwrap_err();
            assert!(fault.to_string().contains(wanted), "{fault}");
        }
        assert_eq!(desk.named(&user.name).await.unwrap(), Some(user));
    }

    #[tokio::test]
    async fn a_tenant_keeps_its_last_admin_and_nobody_reaches_another_tenant() {
        let desk = desk();
        let (admin, other) =
            (desk.added("a", "acme", UserRole::Admin).await, desk.added("o", "other", UserRole::Admin).await);
        let viewer = desk.added("v", "acme", UserRole::Viewer).await;
        let by = By::User(&admin);
        assert!(matches!(desk.remove(by, &other.name).await, Err(UserFault::NoSuchUser)));
        assert!(matches!(desk.set_role(by, &other.name, UserRole::Viewer).await, Err(UserFault::NoSuchUser)));
        let stolen = desk.set_password(by, &other.name, secret("kata sandi lain")).await;
        assert!(matches!(stolen, Err(UserFault::NoSuchUser)));
        assert!(matches!(desk.remove(by, &admin.name).await, Err(UserFault::Oneself)));
        assert!(matches!(desk.set_role(by, &admin.name, UserRole::Viewer).await, Err(UserFault::Oneself)));
        // Somebody who was an admin when the page was opened, and is none any more.
        let stale = By::User(&viewer);
        assert!(matches!(desk.remove(stale, &admin.name).await, Err(UserFault::LastAdmin)));
        assert_eq!(desk.set_role(by, &viewer.name, UserRole::Admin).await.unwrap().role, UserRole::Admin);
        desk.remove(by, &viewer.name).await.unwrap();
        assert!(matches!(desk.remove(by, &viewer.name).await, Err(UserFault::NoSuchUser)));
        desk.remove(By::Operator, &admin.name).await.unwrap();
        assert_eq!(desk.list(None).await.unwrap(), [other]);
    }

    #[tokio::test]
    async fn ones_own_password_is_changed_by_whoever_knows_the_old_one() {
        let desk = desk();
        let user = desk.added("a", "acme", UserRole::Viewer).await;
        let wrong = desk.change_own(&user, secret("tidak benar ini"), secret("kata sandi baru")).await;
        assert!(matches!(wrong, Err(UserFault::WrongPassword)));
        let changed = desk.change_own(&user, secret("kata sandi panjang"), secret("kata sandi baru")).await.unwrap();
        assert!(desk.passwords.matches(secret("kata sandi baru"), Some(changed.password)).await.unwrap());
    }
}
