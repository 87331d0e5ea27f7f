//! One group and the changes that members may make.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use super::GroupId;
use crate::account::{DeviceAddress, PhoneNumber};

/// As many as WhatsApp lets in.
const MEMBER_LIMIT: usize = 1024;
const SUBJECT_CHARS: usize = 100;

/// How members are addressed in a group's stanzas.
///
/// Clients follow what the group's description says (seen with whatsapp-rust 0.7, Baileys 7 and
/// whatsmeow); new groups of WhatsApp use LIDs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Addressing {
    /// By LID, with the number beside it.
    #[default]
    Lid,
    /// By number, with the LID beside it.
    Pn,
}

impl Addressing {
    pub(crate) fn as_wire(self) -> &'static str {
        match self {
            Self::Lid => "lid",
            Self::Pn => "pn",
        }
    }

    /// The address of an account.
    pub(crate) fn member(self, number: PhoneNumber) -> Jid {
        self.device(DeviceAddress { account: number, device: 0 })
    }

    /// The address of one device.
    pub(crate) fn device(self, device: DeviceAddress) -> Jid {
        match self {
            Self::Lid => device.lid(),
            Self::Pn => device.jid(),
        }
    }

    /// The account's other address.
    pub(crate) fn other(self, number: PhoneNumber) -> Jid {
        match self {
            Self::Lid => number.jid(),
            Self::Pn => number.lid(),
        }
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Write, add others, leave.
    Member,
    /// Also remove, promote and demote others.
    Admin,
    /// The creator, whom no other admin can remove or demote.
    SuperAdmin,
}

impl Role {
    /// How descriptions say it; an ordinary member's is not said.
    pub(crate) fn as_wire(self) -> Option<&'static str> {
        match self {
            Self::Member => None,
            Self::Admin => Some("admin"),
            Self::SuperAdmin => Some("superadmin"),
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Group {
    /// Its address.
    pub id: GroupId,
    /// Its name.
    pub subject: String,
    /// Who gave it the name.
    pub subject_by: PhoneNumber,
    /// When, in seconds since 1970.
    pub subject_at: u64,
    /// Who made it.
    pub creator: PhoneNumber,
    /// When, in seconds since 1970.
    pub created_at: u64,
    /// How members are addressed.
    pub addressing: Addressing,
    /// The members and what they may do.
    #[schema(value_type = BTreeMap<String, Role>)]
    pub members: BTreeMap<PhoneNumber, Role>,
    /// Grows with each change.
    pub version: u64,
}

/// What a member asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum GroupChange {
    /// Let these in.
    Add {
        /// The new members.
        members: Vec<PhoneNumber>,
    },
    /// Put these out.
    Remove {
        /// Members.
        members: Vec<PhoneNumber>,
    },
    /// Make these admins.
    Promote {
        /// Members.
        members: Vec<PhoneNumber>,
    },
    /// Make these ordinary members.
    Demote {
        /// Admins.
        members: Vec<PhoneNumber>,
    },
    /// Give the group a name.
    Subject {
        /// The name.
        subject: String,
    },
    /// Go.
    Leave,
}

/// What became of a change for one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct MemberOutcome {
    /// The member.
    pub member: PhoneNumber,
    /// 200: done. 403: not allowed. 404: is not in the group, or not on WhatsApp. 409: is in the
    /// group already. 419: the group is full.
    pub code: u16,
}

/// Why a change is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such group")]
    Unknown,
    #[error("only members may do that")]
    NotAMember,
    #[error("only admins may do that")]
    NotAnAdmin,
    #[error("a name has 1 to {SUBJECT_CHARS} characters")]
    BadSubject,
}

impl Refusal {
    /// The code and word of the server's answer.
    pub(crate) fn as_wire(self) -> (u16, &'static str) {
        match self {
            Self::Unknown => (404, "item-not-found"),
            Self::NotAMember => (403, "forbidden"),
            Self::NotAnAdmin => (401, "not-authorized"),
            Self::BadSubject => (406, "not-acceptable"),
        }
    }
}

fn check_subject(subject: &str) -> Result<(), Refusal> {
    let fits = (1..=SUBJECT_CHARS).contains(&subject.chars().count());
    if fits { Ok(()) } else { Err(Refusal::BadSubject) }
}

impl Group {
    /// A group with its creator only. `now` is in seconds since 1970.
    pub(crate) fn new(
        id: GroupId,
        creator: PhoneNumber,
        subject: &str,
        addressing: Addressing,
        now: u64,
    ) -> Result<Self, Refusal> {
        check_subject(subject)?;
        Ok(Self {
            id,
            subject: subject.to_owned(),
            subject_by: creator,
            subject_at: now,
            creator,
            created_at: now,
            addressing,
            members: BTreeMap::from([(creator, Role::SuperAdmin)]),
            version: 1,
        })
    }

    pub(crate) fn role(&self, number: PhoneNumber) -> Option<Role> {
        self.members.get(&number).copied()
    }

    pub(crate) fn has(&self, number: PhoneNumber) -> bool {
        self.members.contains_key(&number)
    }

    /// Makes a change that `by` asks for. `exists` tells who is on WhatsApp, `now` is in seconds
    /// since 1970. The outcomes tell what became of each named member.
    pub(crate) fn apply(
        &mut self,
        by: PhoneNumber,
        change: &GroupChange,
        exists: impl Fn(PhoneNumber) -> bool,
        now: u64,
    ) -> Result<Vec<MemberOutcome>, Refusal> {
        let role = self.role(by).ok_or(Refusal::NotAMember)?;
        let admin = if role > Role::Member { Ok(()) } else { Err(Refusal::NotAnAdmin) };
        let outcomes = match change {
            GroupChange::Add { members } => self.each(members, |group, member| group.add(member, &exists)),
            GroupChange::Remove { members } => {
                admin?;
                self.each(members, |group, member| match group.role(member) {
                    None => 404,
                    Some(Role::SuperAdmin) if member != by => 403,
                    Some(_) => {
                        group.members.remove(&member);
                        200
                    }
                })
            }
            GroupChange::Promote { members } => {
                admin?;
                self.each(members, |group, member| group.appoint(member, Role::Admin))
            }
            GroupChange::Demote { members } => {
                admin?;
                self.each(members, |group, member| group.appoint(member, Role::Member))
            }
            GroupChange::Subject { subject } => {
                check_subject(subject)?;
                self.subject.clone_from(subject);
                (self.subject_by, self.subject_at) = (by, now);
                Vec::new()
            }
            GroupChange::Leave => {
                self.members.remove(&by);
                vec![MemberOutcome { member: by, code: 200 }]
            }
        };
        self.version += 1;
        Ok(outcomes)
    }

    fn each(
        &mut self,
        members: &[PhoneNumber],
        mut act: impl FnMut(&mut Self, PhoneNumber) -> u16,
    ) -> Vec<MemberOutcome> {
        members.iter().map(|&member| MemberOutcome { member, code: act(self, member) }).collect()
    }

    fn add(&mut self, member: PhoneNumber, exists: impl Fn(PhoneNumber) -> bool) -> u16 {
        if self.has(member) {
            409
        } else if !exists(member) {
            404
        } else if self.members.len() >= MEMBER_LIMIT {
            419
        } else {
            self.members.insert(member, Role::Member);
            200
        }
    }

    fn appoint(&mut self, member: PhoneNumber, role: Role) -> u16 {
        match self.members.get_mut(&member) {
            None => 404,
            Some(Role::SuperAdmin) => 403,
            Some(current) => {
                *current = role;
                200
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(last: u64) -> PhoneNumber {
        PhoneNumber::from_u64(15_551_230_000 + last).expect("a number")
    }

    fn group() -> Group {
        Group::new(GroupId::nth(1), number(1), "friends", Addressing::Lid, 5).expect("a good name")
    }

    fn codes(group: &mut Group, by: u64, change: &GroupChange) -> Result<Vec<u16>, Refusal> {
        let outcomes = group.apply(number(by), change, |member| member != number(404), 9)?;
        Ok(outcomes.iter().map(|outcome| outcome.code).collect())
    }

    fn members(list: &[u64]) -> Vec<PhoneNumber> {
        list.iter().copied().map(number).collect()
    }

    #[test]
    fn members_come_and_go() {
        let mut group = group();
        let add = GroupChange::Add { members: members(&[2, 3, 2, 404]) };
        assert_eq!(codes(&mut group, 1, &add), Ok(vec![200, 200, 409, 404]));
        let remove = GroupChange::Remove { members: members(&[2, 4]) };
        assert_eq!(codes(&mut group, 1, &remove), Ok(vec![200, 404]));
        assert_eq!(codes(&mut group, 3, &GroupChange::Leave), Ok(vec![200]));
        assert_eq!(group.members.len(), 1);
        assert_eq!(group.version, 4);
    }

    #[test]
    fn only_admins_put_others_out_and_nobody_the_creator() {
        let mut group = group();
        codes(&mut group, 1, &GroupChange::Add { members: members(&[2, 3]) }).expect("allowed");
        let remove = |who| GroupChange::Remove { members: members(&[who]) };
        assert_eq!(codes(&mut group, 2, &remove(3)), Err(Refusal::NotAnAdmin));
        assert_eq!(codes(&mut group, 9, &remove(3)), Err(Refusal::NotAMember));
        assert_eq!(codes(&mut group, 1, &GroupChange::Promote { members: members(&[2]) }), Ok(vec![200]));
        assert_eq!(codes(&mut group, 2, &remove(1)), Ok(vec![403]));
        assert_eq!(codes(&mut group, 2, &GroupChange::Demote { members: members(&[1]) }), Ok(vec![403]));
        assert_eq!(codes(&mut group, 2, &remove(3)), Ok(vec![200]));
        assert_eq!(codes(&mut group, 1, &GroupChange::Demote { members: members(&[2]) }), Ok(vec![200]));
        assert_eq!(group.role(number(2)), Some(Role::Member));
    }

    #[test]
    fn a_name_has_a_length_and_an_author() {
        let mut group = group();
        for subject in [String::new(), "x".repeat(101)] {
            assert_eq!(codes(&mut group, 1, &GroupChange::Subject { subject }), Err(Refusal::BadSubject));
        }
        assert_eq!(codes(&mut group, 1, &GroupChange::Subject { subject: "ä".repeat(100) }), Ok(vec![]));
        assert_eq!((group.subject_at, group.subject.chars().count()), (9, 100));
        assert!(Group::new(GroupId::nth(1), number(1), "", Addressing::Pn, 5).is_err());
    }

    #[test]
    fn a_full_group_lets_nobody_in() {
        let mut group = group();
        let many: Vec<u64> = (1000..2023).collect();
        let outcomes = codes(&mut group, 1, &GroupChange::Add { members: members(&many) }).expect("allowed");
        assert!(outcomes.iter().all(|code| *code == 200));
        assert_eq!(codes(&mut group, 1, &GroupChange::Add { members: members(&[2]) }), Ok(vec![419]));
    }

    #[test]
    fn a_group_is_the_same_after_it_was_written_down() {
        let group = group();
        let json = serde_json::to_string(&group).expect("JSON");
        assert_eq!(serde_json::from_str::<Group>(&json).expect("reads back"), group);
    }
}
