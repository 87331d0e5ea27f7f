//! A WhatsApp session: its record, and the states it goes through.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Epoch, FailReason, FirstLink, Labels, OwnLimits, PhoneNumber, PoolId, QrCode, Rest, SenderPace, SessionId,
    SessionName, TenantId, Timestamp, WorkerName,
};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Nobody has connected it yet.
    Created,
    /// A QR code waits to be scanned.
    AwaitingScan,
    /// All QR codes of a round went by unscanned; asking for the QR again starts the next round.
    ScanTimedOut,
    /// The phone has linked it; WhatsApp demands a restart of the connection (515) before it can be used.
    Paired,
    /// It can send.
    Connected,
    /// It has credentials and no connection; the owner tries again with back-off.
    Disconnected,
    /// Logged out on the phone or by us; the credentials are gone. It needs a new scan.
    LoggedOut,
    /// Banned by WhatsApp, perhaps for a time.
    Banned,
    /// WhatsApp refuses this version of the client.
    Outdated,
}

impl SessionState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::AwaitingScan,
        Self::ScanTimedOut,
        Self::Paired,
        Self::Connected,
        Self::Disconnected,
        Self::LoggedOut,
        Self::Banned,
        Self::Outdated,
    ];

    /// As the contract and the stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AwaitingScan => "awaiting_scan",
            Self::ScanTimedOut => "scan_timed_out",
            Self::Paired => "paired",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::LoggedOut => "logged_out",
            Self::Banned => "banned",
            Self::Outdated => "outdated",
        }
    }

    /// Reads what [`SessionState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether a session in this state may come to stand in `next`.
    pub const fn may_become(self, next: Self) -> bool {
        use SessionState::{
            AwaitingScan, Banned, Connected, Created, Disconnected, LoggedOut, Outdated, Paired, ScanTimedOut,
        };
        match self {
            // `Connected` without a scan: the pairing was stored, and its owner died before it wrote the state.
            Created | ScanTimedOut | LoggedOut => {
                matches!(next, AwaitingScan | Outdated | ScanTimedOut | LoggedOut | Connected | Banned)
            }
            // The next code of the same round is `AwaitingScan` again.
            AwaitingScan => {
                matches!(next, AwaitingScan | ScanTimedOut | Paired | Outdated | LoggedOut | Connected | Banned)
            }
            Paired | Connected | Disconnected => !matches!(next, Created | AwaitingScan | ScanTimedOut),
            Banned | Outdated => matches!(next, Connected | Disconnected | LoggedOut | Banned | AwaitingScan),
        }
    }

    /// Whether the account behind it is linked, so that a connection needs no scan.
    pub const fn is_linked(self) -> bool {
        matches!(self, Self::Paired | Self::Connected | Self::Disconnected | Self::Banned | Self::Outdated)
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transition that the state machine does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("session {session}: {from} can't become {to}")]
pub struct InvalidTransition {
    /// Which session.
    pub session: SessionId,
    /// Where it stands.
    pub from: SessionState,
    /// Where it was to go.
    pub to: SessionState,
}

/// What the operator wants of a session; written by the gateway, obeyed by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Be connected.
    Running,
    /// Be disconnected, keep the credentials.
    Stopped,
    /// Be logged out at WhatsApp, then rest: the session stays, its credentials go.
    LoggedOut,
    /// Log out and remove everything.
    Deleted,
}

impl Wanted {
    /// Every wish.
    pub const ALL: [Self; 4] = [Self::Running, Self::Stopped, Self::LoggedOut, Self::Deleted];

    /// As the stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::LoggedOut => "logged_out",
            Self::Deleted => "deleted",
        }
    }

    /// Reads what [`Wanted::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wanted| wanted.as_str() == text)
    }

    /// Whether it is something that an owner does once and then rests.
    pub const fn is_errand(self) -> bool {
        matches!(self, Self::LoggedOut | Self::Deleted)
    }
}

/// The WhatsApp account a session is linked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub number: PhoneNumber,
    /// The device's number among the account's linked devices.
    pub device: u16,
}

/// The state of a sender's pacer (see `policy::pace`), saved with every intent so that a take-over goes on where the
/// old owner stopped. Nanoseconds since the Unix epoch: the theoretical arrival time of the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaceState(pub u64);

/// The part of a session's record that only its owner writes, always under its epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Where it stands.
    pub state: SessionState,
    /// Since when.
    pub since: Timestamp,
    /// The QR code that waits to be scanned; only in state `AwaitingScan`.
    pub qr: Option<QrCode>,
    /// The linked account.
    pub account: Option<Account>,
    /// Why it is not connected, where there is a reason to tell.
    pub reason: Option<FailReason>,
    /// When a ban or a limit ends.
    pub until: Option<Timestamp>,
    /// Which number it had last, and since when; it outlives a logout.
    #[serde(default)]
    pub first_link: Option<FirstLink>,
}

impl SessionStatus {
    /// The status of a session that was just created.
    pub const fn created(at: Timestamp) -> Self {
        Self {
            state: SessionState::Created,
            since: at,
            qr: None,
            account: None,
            reason: None,
            until: None,
            first_link: None,
        }
    }

    /// Enters the account that the phone has linked at this moment.
    pub fn link(&mut self, account: Account, at: Timestamp) {
        if self.first_link.as_ref().is_none_or(|first| first.number != account.number) {
            self.first_link = Some(FirstLink { number: account.number.clone(), at });
        }
        self.account = Some(account);
    }

    /// The status after a move to `next`. The QR code goes unless `next` is `AwaitingScan`, the account when logged
    /// out; the caller fills in what `next` brings along.
    pub fn advance(&self, session: &SessionId, next: SessionState, at: Timestamp) -> Result<Self, InvalidTransition> {
        if !self.state.may_become(next) {
            return Err(InvalidTransition { session: session.clone(), from: self.state, to: next });
        }
        Ok(Self {
            state: next,
            since: if self.state == next { self.since } else { at },
            qr: None,
            account: if next == SessionState::LoggedOut { None } else { self.account.clone() },
            reason: None,
            until: None,
            first_link: self.first_link.clone(),
        })
    }
}

impl SessionStatus {
    /// The rest that WhatsApp demands of the account, as far as the status tells.
    pub fn rest(&self) -> Option<Rest> {
        let of_the_account =
            |reason: &FailReason| matches!(reason, FailReason::SenderRestricted | FailReason::RateLimited);
        Some(Rest { until: self.until?, reason: self.reason.filter(of_the_account)? })
    }
}

/// All that the store knows of a session, but for its Signal state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The pool whose jobs it shares.
    pub pool: Option<PoolId>,
    /// What people call it.
    pub name: Option<SessionName>,
    /// What it is found by.
    pub labels: Labels,
    /// What the operator wants of it.
    pub wanted: Wanted,
    /// How often somebody asked for a new connection. An owner that took it when there were fewer lets go of it.
    pub restarts: u64,
    /// How often it has changed hands.
    pub epoch: Epoch,
    /// Who claimed it last; whether that worker still holds it, the lease tells. `None` once the owner of a session that is not
    /// wanted running has let go of it.
    pub owner: Option<WorkerName>,
    /// Its own limits.
    pub limits: OwnLimits,
    /// What its limits have to remember, as of the last intent.
    pub pace: SenderPace,
    /// What its owner wrote last.
    pub status: SessionStatus,
    /// When it was created.
    pub created_at: Timestamp,
}

impl SessionRecord {
    /// The rest that goes on longest: the saved state tells of one that came with an answer, the status of one that
    /// came without a job. It may be over.
    pub fn resting(&self) -> Option<Rest> {
        [self.pace.rest, self.status.rest()].into_iter().flatten().max_by_key(|rest| rest.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linked_session_never_goes_back_to_a_scan_without_a_logout() {
        for state in SessionState::ALL {
            assert_eq!(SessionState::parse(state.as_str()), Some(state));
            if matches!(state, SessionState::Paired | SessionState::Connected | SessionState::Disconnected) {
                assert!(!state.may_become(SessionState::AwaitingScan), "{state}");
                assert!(state.may_become(SessionState::LoggedOut), "{state}");
            }
        }
    }

    #[test]
    fn logging_out_forgets_the_account() {
        let id = SessionId::new("s").unwrap();
        let mut status = SessionStatus::created(Timestamp::from_millis(0));
        status.state = SessionState::Connected;
        status.account = Some(Account { number: PhoneNumber::parse("6281234567890", None).unwrap(), device: 1 });
        let after = status.advance(&id, SessionState::LoggedOut, Timestamp::from_millis(9)).unwrap();
        assert_eq!((after.account, after.since), (None, Timestamp::from_millis(9)));
        assert!(status.advance(&id, SessionState::AwaitingScan, Timestamp::from_millis(9)).is_err());
    }

    #[test]
    fn the_same_number_linked_again_is_not_new() {
        let id = SessionId::new("s").unwrap();
        let account = |last: u8| Account {
            number: PhoneNumber::parse(&format!("62812345678{last:02}"), None).unwrap(),
            device: 1,
        };
        let at = Timestamp::from_millis;
        let mut status = SessionStatus::created(at(0));
        status.link(account(1), at(5));
        status.state = SessionState::Connected;
        let mut again = status.advance(&id, SessionState::LoggedOut, at(9)).unwrap();
        assert_eq!(again.first_link, status.first_link, "a logout does not make a number new");
        again.link(account(1), at(20));
        assert_eq!(again.first_link.as_ref().map(|first| first.at), Some(at(5)));
        again.link(account(2), at(30));
        assert_eq!(again.first_link.map(|first| first.at), Some(at(30)), "another number is");
        let old = r#"{"state":"connected","since":0,"qr":null,"account":null,"reason":null,"until":null}"#;
        assert_eq!(serde_json::from_str::<SessionStatus>(old).unwrap().first_link, None);
    }
}
