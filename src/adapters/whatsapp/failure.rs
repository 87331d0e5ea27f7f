//! The library's errors: which of them leave the wire untouched, and what of them may be told.

use kurir_core::port::MessengerError;
use whatsapp_rust::ClientError;
use whatsapp_rust::request::IqError;
use whatsapp_rust::send::SendError;
use whatsapp_rust::socket::error::{EncryptSendErrorKind, SocketError};

/// What the library said, without the digits of numbers. Its errors may name addresses, and some of its texts are
/// whole stanzas, so only the start is kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

const SAID_AT_MOST: usize = 120;

fn said(error: &dyn std::fmt::Display) -> Said {
    let mut text = String::new();
    for c in error.to_string().chars().take(SAID_AT_MOST) {
        match c {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            other => text.push(other),
        }
    }
    Said(text)
}

/// An error of the library while nothing was on the wire.
pub(super) fn client(action: &'static str, error: &dyn std::fmt::Display) -> MessengerError {
    MessengerError::Client { action, source: Box::new(said(error)) }
}

/// An error of a query.
pub(super) fn query(what: &'static str, error: &IqError) -> MessengerError {
    match error {
        IqError::NotConnected => MessengerError::NotConnected,
        IqError::Timeout
        | IqError::Socket(_)
        | IqError::EncryptSend(_)
        | IqError::Disconnected(_)
        | IqError::InternalChannelClosed => MessengerError::NoAnswer(what),
        IqError::ServerError { code, .. } => {
            client(what, &format_args!("WhatsApp answered with an error of class {}xx", code / 100))
        }
        // Not its text: it may hold a stanza.
        _ => client(what, &"the answer could not be used"),
    }
}

/// An error of a send; `None` when the message may have been written all the same.
///
/// The library writes the stanza as the last step that can fail, and only the noise sender does the writing. So of
/// all its errors these are in doubt: the transport failed under it, or its task went away with the frame.
pub(super) fn send(error: &SendError) -> Option<MessengerError> {
    const ACTION: &str = "sending a message";
    Some(match error {
        SendError::NotLoggedIn | SendError::Client(ClientError::NotConnected | ClientError::NotLoggedIn) => {
            MessengerError::NotConnected
        }
        SendError::Client(ClientError::EncryptSend(failed)) => match failed.kind {
            // An earlier frame had failed, so this one was not tried; the library reconnects.
            EncryptSendErrorKind::Poisoned => MessengerError::NotConnected,
            EncryptSendErrorKind::Crypto | EncryptSendErrorKind::Framing => client(ACTION, &failed.kind),
            _ => return None,
        },
        SendError::Client(ClientError::Socket(socket)) => match socket {
            SocketError::SocketClosed => MessengerError::NotConnected,
            SocketError::Cipher(_) | SocketError::Marshal(_) => client(ACTION, socket),
            _ => return None,
        },
        SendError::Iq(error) | SendError::Client(ClientError::Iq(error)) => query("a query before a send", error),
        SendError::InvalidRequest(_) | SendError::Internal(_) => client(ACTION, error),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use whatsapp_rust::anyhow::anyhow;
    use whatsapp_rust::socket::error::EncryptSendError;

    #[test]
    fn what_may_have_been_written_is_in_doubt() {
        let of = |error| send(&SendError::Client(ClientError::EncryptSend(error)));
        assert!(of(EncryptSendError::transport(anyhow!("reset"))).is_none());
        assert!(of(EncryptSendError::channel_closed()).is_none());
        assert!(matches!(of(EncryptSendError::poisoned()), Some(MessengerError::NotConnected)));
        assert!(matches!(of(EncryptSendError::framing(anyhow!("long"))), Some(MessengerError::Client { .. })));
        assert!(matches!(send(&SendError::Iq(IqError::Timeout)), Some(MessengerError::NoAnswer(_))));
        assert!(matches!(send(&SendError::NotLoggedIn), Some(MessengerError::NotConnected)));
    }

    #[test]
    fn numbers_are_not_repeated() {
        let error = SendError::Internal(anyhow!("no device of 6281234567890:2@s.whatsapp.net"));
        let Some(MessengerError::Client { source, .. }) = send(&error) else { panic!() };
        assert_eq!(source.to_string(), "no device of #:#@s.whatsapp.net");
    }
}
