//! Who may open the admin page, and their sign-ins.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Secret, TenantId, Timestamp};

/// Longest name of a user, in characters.
const MAX_NAME: usize = 64;

/// Why a text can't be a user's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Empty, or longer than 64 characters.
    #[error("a user's name has 1 to 64 characters, this one has {0}")]
    Length(usize),
    /// A character that does not fit.
    #[error(
        "a user's name consists of letters without accents, digits, '.', '_', '-' and '@', and starts with a letter or a \
         digit; {0:?} does not fit"
    )]
    Character(char),
}

/// What somebody signs in as. Upper and lower case are the same, since keyboards of phones begin with a capital; so it is
/// kept in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    /// Checks the text: 1 to 64 letters, digits, `.`, `_`, `-` and `@`, the first a letter or a digit.
    pub fn new(text: impl AsRef<str>) -> Result<Self, UserNameError> {
        let text = text.as_ref();
        let length = text.chars().count();
        if !(1..=MAX_NAME).contains(&length) {
            return Err(UserNameError::Length(length));
        }
        let fits = |at: usize, c: char| c.is_ascii_alphanumeric() || (at > 0 && matches!(c, '.' | '_' | '-' | '@'));
        match text.char_indices().find(|(at, c)| !fits(*at, *c)) {
            Some((_, found)) => Err(UserNameError::Character(found)),
            None => Ok(Self(text.to_ascii_lowercase())),
        }
    }

    /// The name as text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for UserName {
    type Error = UserNameError;

    fn try_from(text: String) -> Result<Self, UserNameError> {
        Self::new(text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user may do, within the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// Everything, other users included.
    Admin,
    /// Look, and change nothing.
    Viewer,
}

impl UserRole {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Admin, Self::Viewer];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether it allows to change anything.
    pub const fn may_change(self) -> bool {
        matches!(self, Self::Admin)
    }
}

impl fmt::Display for UserRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is admin or viewer")]
pub struct NoSuchRole;

impl FromStr for UserRole {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        Self::parse(text).ok_or(NoSuchRole)
    }
}

/// A user of the admin page.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The name; nobody else in the fleet has it.
    pub name: UserName,
    /// Whose sessions, messages and so on they see.
    pub tenant: TenantId,
    /// What they may do.
    pub role: UserRole,
    /// The password's hash with its salt, as a PHC string (`$argon2id$…`).
    pub password: Secret<String>,
    /// When they were entered.
    pub created_at: Timestamp,
    /// When role or password were last changed.
    pub changed_at: Timestamp,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserRecord({}, {} of {})", self.name, self.role, self.tenant)
    }
}

/// What a browser shows for its sign-in: 256 random bits. Only their hash is kept, so who reads the store can't sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInToken(Secret<[u8; 32]>);

impl SignInToken {
    /// Of these random bytes.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(Secret::new(random))
    }

    /// Reads what [`SignInToken::text`] wrote; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self::new(bytes))
    }

    /// For the cookie: 64 hexadecimal digits.
    pub fn text(&self) -> Secret<String> {
        use fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.0.expose() {
            // Writing into a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        Secret::new(text)
    }

    /// What is kept of it: its SHA-256. It is random, so the hash needs no salt and no slowness.
    pub fn mark(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose()).into()
    }

    /// The bytes, for what is derived from them.
    pub const fn bytes(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// A sign-in: somebody gave the right password in some browser.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInRecord {
    /// The token's mark.
    pub mark: [u8; 32],
    /// Who.
    pub user: UserName,
    /// When.
    pub created_at: Timestamp,
    /// When the browser was last heard of; to the minute or so, since not every request is written.
    pub seen_at: Timestamp,
    /// From when on it is no longer taken.
    pub until: Timestamp,
}

impl fmt::Debug for SignInRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignInRecord(of {}, until {})", self.user, self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_name_is_an_address_or_a_word_in_lower_case() {
        for (given, kept) in [("Budi", "budi"), ("siti@toko.example", "siti@toko.example"), ("a.b_c-9", "a.b_c-9")] {
            assert_eq!(UserName::new(given).unwrap().as_str(), kept);
        }
        for bad in ["", ".", "..", "@x", "-x", "a b", "é", "a/b", "a\n", &"x".repeat(65)] {
            assert!(UserName::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn only_admins_may_change() {
        assert!(UserRole::Admin.may_change() && !UserRole::Viewer.may_change());
        assert!(UserRole::ALL.into_iter().all(|role| UserRole::parse(role.as_str()) == Some(role)));
        assert_eq!(UserRole::parse("Admin"), None);
    }

    #[test]
    fn a_token_is_read_back_and_shows_itself_nowhere_else() {
        let token = SignInToken::new(std::array::from_fn(|at| u8::try_from(at * 8).unwrap()));
        let text = token.text();
        assert_eq!(SignInToken::parse(text.expose()), Some(token.clone()));
        assert_ne!(SignInToken::new([1; 32]).mark(), token.mark());
        assert_eq!(format!("{token:?}"), "SignInToken([secret])");
        let longer = format!("{}0", text.expose());
        for none in ["", "00", &text.expose()[1..], &longer, &text.expose().to_uppercase(), &"+1".repeat(32)] {
            assert_eq!(SignInToken::parse(none), None, "{none}");
        }
    }
}
