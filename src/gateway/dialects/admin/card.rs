//! What an operator says of a session.

use kurir_core::domain::{NoteError, SessionId, SessionName, SessionNote, Timestamp};
use serde_json::Value;

use super::{Denied, Fields, Refusal};

/// A text that may be left out.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing is said of it: it stays as it is.
    Nothing,
    /// There is to be none.
    None,
    /// This.
    Text(String),
}

impl Said {
    /// Reads one; a number that somebody wrote as one counts as a text.
    pub fn read(fields: &Fields, field: &'static str) -> Result<Self, Refusal> {
        match fields.given(field) {
            None => Ok(Self::Nothing),
            Some(Value::Null | Value::String(_) | Value::Number(_)) => {
                Ok(fields.text(field).map_or(Self::None, Self::Text))
            }
            Some(_) => Err(Refusal::bad(field, "must be a text")),
        }
    }

    fn or(self, before: Option<&str>) -> Option<String> {
        match self {
            Self::Nothing => before.map(str::to_owned),
            Self::None => None,
            Self::Text(text) => Some(text),
        }
    }
}

/// All that is said of a session, its id apart.
#[derive(Clone)]
pub(super) struct Card {
    /// Its name; `None`: nothing is said of it.
    pub name: Option<SessionName>,
    number: Said,
    text: Said,
    /// Whether it is to run.
    pub active: Option<bool>,
    /// Whether it is to be the default. That it is not to be is said of the others: there is always one that is.
    pub default: bool,
}

impl Card {
    pub fn read(fields: &Fields) -> Result<Self, Refusal> {
        let name = match Said::read(fields, "name")? {
            Said::Nothing => None,
            Said::None => return Err(Refusal::Missing("name")),
            Said::Text(name) => Some(SessionName::new(name).map_err(|error| Refusal::bad("name", error.to_string()))?),
        };
        let card = Self {
            name,
            number: Said::read(fields, "phoneNumber")?,
            text: Said::read(fields, "description")?,
            active: switch(fields, "isActive")?,
            default: switch(fields, "isDefault")?.unwrap_or_default(),
        };
        // What can't be noted is refused before anything is done.
        card.note(None, Timestamp::from_millis(0))?;
        Ok(card)
    }

    /// The number, as it was written, if there is to be one.
    pub fn number(&self) -> Option<&str> {
        match &self.number {
            Said::Text(number) => Some(number),
            Said::Nothing | Said::None => None,
        }
    }

    /// What is noted of the session then; `None`: nothing is said of that.
    pub fn note(&self, before: Option<&SessionNote>, at: Timestamp) -> Result<Option<SessionNote>, Refusal> {
        if self.number == Said::Nothing && self.text == Said::Nothing {
            return Ok(None);
        }
        let number = self.number.clone().or(before.and_then(SessionNote::number));
        let text = self.text.clone().or(before.and_then(SessionNote::text));
        let field = |error| match error {
            NoteError::Number => "phoneNumber",
            NoteError::Text => "description",
        };
        let note = SessionNote::new(number, text, at);
        note.map(Some).map_err(|error| Refusal::bad(field(error), error.to_string()))
    }
}

/// A switch that may be left out; what is none is an error, not `false`.
fn switch(fields: &Fields, field: &'static str) -> Result<Option<bool>, Refusal> {
    match fields.given(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(on)) => Ok(Some(*on)),
        Some(_) => match fields.text(field).as_deref() {
            Some("true" | "1" | "on") => Ok(Some(true)),
            Some("false" | "0" | "off") => Ok(Some(false)),
            _ => Err(Refusal::bad(field, "must be true or false")),
        },
    }
}

/// The session that a change or a removal is about: `id`, or `sessionId`, which is the same here.
pub(super) fn which(fields: &Fields) -> Result<String, Denied> {
    match (fields.text("id"), fields.text("sessionId")) {
        (Some(id), Some(other)) if id != other => Err(Denied::IdStays),
        (Some(id), _) | (None, Some(id)) => Ok(id),
        (None, None) => Err(Refusal::Missing("id").into()),
    }
}

/// The id of a session to make.
pub(super) fn new_id(fields: &Fields) -> Result<SessionId, Refusal> {
    let id = fields.needed("sessionId")?;
    SessionId::new(id).map_err(|error| Refusal::bad("sessionId", error.to_string()))
}
