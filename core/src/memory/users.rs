//! Users and sign-ins in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{Secret, SignInRecord, TenantId, Timestamp, UserName, UserRecord};
use crate::port::{PortError, UserChange, UserStore};

/// Users by their names, sign-ins by their marks.
#[derive(Default)]
pub(super) struct Users {
    users: BTreeMap<UserName, UserRecord>,
    sign_ins: BTreeMap<[u8; 32], SignInRecord>,
}

#[async_trait]
impl UserStore for MemoryStores {
    async fn add_user(&self, user: &UserRecord) -> Result<bool, PortError> {
        let users = &mut self.tables().users.users;
        let new = !users.contains_key(&user.name);
        if new {
            users.insert(user.name.clone(), user.clone());
        }
        Ok(new)
    }

    async fn user(&self, name: &UserName) -> Result<Option<UserRecord>, PortError> {
        Ok(self.tables().users.users.get(name).cloned())
    }

    async fn users(&self, tenant: Option<&TenantId>) -> Result<Vec<UserRecord>, PortError> {
        let tables = self.tables();
        let users = tables.users.users.values();
        Ok(users.filter(|user| tenant.is_none_or(|tenant| user.tenant == *tenant)).cloned().collect())
    }

    async fn change_user(&self, name: &UserName, change: &UserChange) -> Result<Option<UserRecord>, PortError> {
        let Users { users, sign_ins } = &mut self.tables().users;
        let Some(user) = users.get_mut(name) else { return Ok(None) };
        if let Some(role) = change.role {
            user.role = role;
        }
        if let Some(password) = &change.password {
            user.password = password.clone();
            sign_ins.retain(|_, sign_in| sign_in.user != *name);
        }
        user.changed_at = change.at;
        Ok(Some(user.clone()))
    }

    async fn remove_user(&self, name: &UserName) -> Result<bool, PortError> {
        let Users { users, sign_ins } = &mut self.tables().users;
        sign_ins.retain(|_, sign_in| sign_in.user != *name);
        Ok(users.remove(name).is_some())
    }

    async fn begin_sign_in(&self, sign_in: &SignInRecord, password: &Secret<String>) -> Result<bool, PortError> {
        let Users { users, sign_ins } = &mut self.tables().users;
        let known = users.get(&sign_in.user).is_some_and(|user| user.password == *password);
        if known {
            sign_ins.insert(sign_in.mark, sign_in.clone());
        }
        Ok(known)
    }

    async fn sign_in(&self, mark: &[u8; 32]) -> Result<Option<(UserRecord, SignInRecord)>, PortError> {
        let tables = self.tables();
        let Users { users, sign_ins } = &tables.users;
        Ok(sign_ins.get(mark).and_then(|sign_in| Some((users.get(&sign_in.user)?.clone(), sign_in.clone()))))
    }

    async fn seen(&self, mark: &[u8; 32], at: Timestamp, until: Timestamp) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let Some(sign_in) = tables.users.sign_ins.get_mut(mark) else { return Ok(false) };
        sign_in.seen_at = sign_in.seen_at.max(at);
        sign_in.until = sign_in.until.max(until);
        Ok(true)
    }

    async fn end_sign_in(&self, mark: &[u8; 32]) -> Result<bool, PortError> {
        Ok(self.tables().users.sign_ins.remove(mark).is_some())
    }

    async fn forget_sign_ins(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let sign_ins = &mut self.tables().users.sign_ins;
        let old = sign_ins.iter().filter(|(_, sign_in)| sign_in.until < before).map(|(mark, _)| *mark);
        let old: Vec<_> = old.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        for mark in &old {
            sign_ins.remove(mark);
        }
        Ok(old.len() as u64)
    }
}
