//! All groups.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Addressing, Group, GroupChange, GroupId, MemberOutcome, Refusal};
use crate::account::PhoneNumber;

/// The groups of one simulator. A message is delivered by the state at which it came, so readers
/// take a group as it is now.
#[derive(Default)]
pub(crate) struct Groups(Mutex<BTreeMap<GroupId, Arc<Group>>>);

impl FromIterator<Group> for Groups {
    fn from_iter<I: IntoIterator<Item = Group>>(groups: I) -> Self {
        Self(Mutex::new(groups.into_iter().map(|group| (group.id, Arc::new(group))).collect()))
    }
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<GroupId, Arc<Group>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a group with its creator only. Groups are numbered as they are made, so that a script
    /// finds the same addresses in each run. `now` is in seconds since 1970.
    pub(crate) fn create(
        &self,
        creator: PhoneNumber,
        subject: &str,
        addressing: Addressing,
        now: u64,
    ) -> Result<GroupId, Refusal> {
        let mut groups = self.lock();
        let id = groups.last_key_value().map_or_else(|| GroupId::nth(1), |(last, _)| last.next());
        groups.insert(id, Arc::new(Group::new(id, creator, subject, addressing, now)?));
        Ok(id)
    }

    pub(crate) fn get(&self, id: GroupId) -> Option<Arc<Group>> {
        self.lock().get(&id).cloned()
    }

    /// All groups, by address.
    pub(crate) fn all(&self) -> Vec<Arc<Group>> {
        self.lock().values().cloned().collect()
    }

    /// Changes a group. Returns it as it is now, and what became of each named member. See
    /// [`Group::apply`].
    pub(crate) fn change(
        &self,
        id: GroupId,
        by: PhoneNumber,
        change: &GroupChange,
        exists: impl Fn(PhoneNumber) -> bool,
        now: u64,
    ) -> Result<(Arc<Group>, Vec<MemberOutcome>), Refusal> {
        let mut groups = self.lock();
        let group = groups.get_mut(&id).ok_or(Refusal::Unknown)?;
        let outcomes = Arc::make_mut(group).apply(by, change, exists, now)?;
        Ok((Arc::clone(group), outcomes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_groups_never_share_an_address_and_a_reader_keeps_what_it_took() {
        let groups = Groups::default();
        let creator = "15551230001".parse().expect("a number");
        let make = || groups.create(creator, "friends", Addressing::Lid, 1).expect("a good name");
        let (first, second) = (make(), make());
        assert_eq!((first, second), (GroupId::nth(1), GroupId::nth(2)));
        let before = groups.get(first).expect("there");
        let change = GroupChange::Subject { subject: "foes".into() };
        let (after, _) = groups.change(first, creator, &change, |_| true, 2).expect("allowed");
        assert_eq!((before.subject.as_str(), after.subject.as_str()), ("friends", "foes"));
        assert_eq!(
            groups.change(GroupId::nth(3), creator, &change, |_| true, 2).expect_err("unknown"),
            Refusal::Unknown
        );
        assert_eq!(groups.all().len(), 2);
    }
}
