//! What can go wrong for somebody who drives a simulator. Errors of clients never surface here:
//! they end that client's connection with a reason.

use std::net::SocketAddr;

use crate::account::PhoneNumber;
use crate::group::GroupId;

/// Why an operation on the simulator failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A setting can not work.
    #[error("setting {setting} {reason}")]
    Config {
        /// Name of the setting.
        setting: &'static str,
        /// What would be right.
        reason: &'static str,
    },
    /// A listening address is not available.
    #[error("can't listen on {address}: {source}; give a free port, or 0 for any")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The server's keys could not be made.
    #[error("can't make the server's keys: {0}")]
    Keys(String),
    /// The text is not a phone number.
    #[error("'{given}' is not a phone number; give 5 to 15 digits with the country code, like 15551230001")]
    NotANumber {
        /// What was given.
        given: String,
    },
    /// The text is not what a client shows as QR code.
    #[error("not a linking code: {reason}")]
    BadQr {
        /// What is wrong with it, without its content.
        reason: &'static str,
    },
    /// No client shows this code now.
    #[error("no client shows this code now: it expired, was used, or its client went away; scan the current one")]
    UnknownQr,
    /// The code of a waiting client was never shown to the simulator.
    #[error(
        "the simulator has not seen this client's code, and only the code holds its secret: paste it or give a picture of it"
    )]
    QrNotSeen,
    /// A picture can't be used.
    #[error("no code can be read from the picture: {reason}")]
    BadPicture {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text can't be a code that a client shows for typing.
    #[error("not a code for linking: give the eight letters and digits that the client shows")]
    BadPairCode,
    /// No client shows a code for this number now.
    #[error(
        "no client shows a code for {0:?} now: it is for another number, expired, was used, or its client went away"
    )]
    NoPairCode(PhoneNumber),
    /// The typed code is not the one that the client shows.
    #[error("the code is wrong; tries left with this client's code: {left}")]
    WrongPairCode {
        /// Tries left; at 0 the client has to show a new code.
        left: u32,
    },
    /// The number has no WhatsApp, so its phone can neither scan nor send.
    #[error("{0:?} is not on WhatsApp by the simulator's rule")]
    NotRegistered(PhoneNumber),
    /// The account has as many linked devices as it may have.
    #[error("{account:?} already has {limit} linked devices; log one out first")]
    TooManyDevices {
        /// The account.
        account: PhoneNumber,
        /// The limit in force.
        limit: usize,
    },
    /// The account is banned by a fault.
    #[error("{0:?} is banned; lift the ban first")]
    Banned(PhoneNumber),
    /// The scanned client did not finish the procedure.
    #[error("the client did not complete the linking: {reason}")]
    PairingFailed {
        /// What happened instead.
        reason: String,
    },
    /// The account has no such linked device.
    #[error("{account:?} has no linked device {device}")]
    NoSuchDevice {
        /// The account.
        account: PhoneNumber,
        /// The device number.
        device: u16,
    },
    /// The device has no open connection.
    #[error("device {device} of {account:?} is not connected")]
    NotConnected {
        /// The account.
        account: PhoneNumber,
        /// The device number.
        device: u16,
    },
    /// A message could not be encrypted for a device.
    #[error("can't encrypt for device {device} of {account:?}: {reason}")]
    Encrypt {
        /// The account.
        account: PhoneNumber,
        /// The device number.
        device: u16,
        /// What the Signal library said.
        reason: String,
    },
    /// A file can't be sent, or the media server can't start.
    #[error("media: {reason}")]
    Media {
        /// What is wrong.
        reason: String,
    },
    /// A file can't be sent as it is.
    #[error("file refused: {reason}")]
    BadFile {
        /// What is wrong with it.
        reason: String,
    },
    /// The text is not the address of a group.
    #[error("'{given}' is not a group; give its address, like 120363000000000001@g.us")]
    NotAGroup {
        /// What was given.
        given: String,
    },
    /// A group can't be changed like that, or written in.
    #[error("{}: {reason}", .group.map_or_else(|| "group".to_owned(), |group| group.to_string()))]
    Group {
        /// The group, if there is one yet.
        group: Option<GroupId>,
        /// What is wrong.
        reason: String,
        /// Whether there is no such group.
        unknown: bool,
    },
    /// A fault's description makes no sense.
    #[error("fault refused: {reason}")]
    BadFault {
        /// What would be right.
        reason: &'static str,
    },
    /// A scenario can not be read.
    #[error("scenario refused, {place}: {reason}")]
    BadScenario {
        /// Where it is wrong.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The kept state can not be used.
    #[error("the state in {place} can't be used: {reason}")]
    State {
        /// The file.
        place: String,
        /// Why, and what to do.
        reason: String,
    },
    /// Deadlines can not be registered.
    #[error("deadlines refused: {reason}")]
    BadDeadlines {
        /// What would be right.
        reason: &'static str,
    },
    /// The awaited state did not come in time.
    #[error("{what} did not happen within {millis} ms")]
    Timeout {
        /// The awaited state.
        what: &'static str,
        /// How long was waited.
        millis: u128,
    },
    /// The simulator is stopping.
    #[error("the simulator is stopping")]
    Stopping,
}
