//! The door of the admin page: who is let in, and for how long.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{SignInRecord, SignInToken, Timestamp, UserRecord};
use kurir_core::port::{Clock, Entropy, PortError, UserStore};

use super::AdminOptions;
use super::desk::UserDesk;
use super::guard::SignedIn;
use super::throttle::Throttle;
use crate::gateway::GatewayPorts;

/// How much of a sign-in's idle time passes between two notes of its use, and how much time at most.
const NOTED_EVERY: u32 = 10;
const NOTED_AT_LEAST_EVERY: Duration = Duration::from_mins(1);

/// Everything that is needed to know who is at the door.
pub(in crate::gateway) struct Door {
    pub(super) desk: UserDesk,
    pub(super) throttle: Throttle,
    pub(super) options: AdminOptions,
    users: Arc<dyn UserStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Door {
    /// Over the gateway's ports.
    pub fn new(options: AdminOptions, ports: &GatewayPorts) -> Self {
        let (users, clock, entropy) = (Arc::clone(&ports.users), Arc::clone(&ports.clock), Arc::clone(&ports.entropy));
        let desk = UserDesk::new(Arc::clone(&users), Arc::clone(&clock), Arc::clone(&entropy));
        Self { desk, throttle: Throttle::default(), options, users, clock, entropy }
    }

    /// Now.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Until when a sign-in is good that is used now.
    fn until(&self, sign_in: &SignInRecord) -> Timestamp {
        let idle = sign_in.seen_at.plus(self.options.session_idle);
        idle.min(sign_in.created_at.plus(self.options.session_max))
    }

    /// Signs a user in whose password was right; `None`: it was changed in this moment, or the user is gone.
    pub(super) async fn begin(&self, user: &UserRecord) -> Result<Option<SignInToken>, PortError> {
        let mut random = [0; 32];
        self.entropy.fill(&mut random);
        let token = SignInToken::new(random);
        let now = self.now();
        let mut sign_in =
            SignInRecord { mark: token.mark(), user: user.name.clone(), created_at: now, seen_at: now, until: now };
        sign_in.until = self.until(&sign_in);
        let begun = self.users.begin_sign_in(&sign_in, &user.password).await?;
        Ok(begun.then_some(token))
    }

    /// Who shows this token; `None`: nobody who is signed in, or is any longer.
    pub(super) async fn known(&self, token: &SignInToken) -> Result<Option<SignedIn>, PortError> {
        let mark = token.mark();
        let Some((user, mut sign_in)) = self.users.sign_in(&mark).await? else { return Ok(None) };
        let now = self.now();
        // By the settings of now as well, if they have become stricter.
        if now >= sign_in.until.min(self.until(&sign_in)) {
            return Ok(None);
        }
        let every = (self.options.session_idle / NOTED_EVERY).min(NOTED_AT_LEAST_EVERY);
        if now.since(sign_in.seen_at) >= every {
            sign_in.seen_at = now;
            if !self.users.seen(&mark, now, self.until(&sign_in)).await? {
                return Ok(None);
            }
        }
        Ok(Some(SignedIn::new(user, token)))
    }

    /// Ends a sign-in.
    pub(super) async fn end(&self, token: &SignInToken) -> Result<bool, PortError> {
        self.users.end_sign_in(&token.mark()).await
    }
}
