//! What a message can say beside a text, and what it refers to.

use super::{JobId, MessageId, PhoneNumber, Secret};

/// A place on the earth.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Degrees to the north, from -90 to 90.
    pub latitude: f64,
    /// Degrees to the east, from -180 to 180.
    pub longitude: f64,
    /// What it is called.
    pub name: Option<Secret<String>>,
    /// Where it is, in words.
    pub address: Option<Secret<String>>,
}

/// Somebody's details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactCard {
    /// The name.
    pub name: Secret<String>,
    /// The numbers, at least one.
    pub numbers: Vec<PhoneNumber>,
}

impl ContactCard {
    /// The card as a vCard 3.0, in the form that WhatsApp's own clients send: the numbers carry their WhatsApp ids.
    pub fn vcard(&self) -> Secret<String> {
        let name = escaped(self.name.expose());
        let mut card = format!("BEGIN:VCARD\nVERSION:3.0\nN:;{name};;;\nFN:{name}\n");
        for number in &self.numbers {
            let digits = number.digits();
            card.push_str("TEL;type=CELL;waid=");
            card.push_str(digits);
            card.push_str(":+");
            card.push_str(digits);
            card.push('\n');
        }
        card.push_str("END:VCARD");
        Secret::new(card)
    }
}

/// A text as the value of a vCard's property (RFC 2426): what would end it or divide it is escaped, and it stays one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ',' | ';' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A message that another one refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referred {
    /// WhatsApp's id of it.
    pub id: MessageId,
    /// Who wrote it.
    pub writer: Writer,
}

/// Who wrote a message that is referred to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// We did, with this job.
    Us(JobId),
    /// The one whom the chat is with.
    Chat,
    /// A member of the group.
    Member(PhoneNumber),
}

/// The message that a message answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Which.
    pub message: Referred,
    /// What is shown of it above the answer.
    pub text: Option<Secret<String>>,
}

/// A sign on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// The message.
    pub message: Referred,
    /// The sign; empty takes an earlier one back.
    pub emoji: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_card() {
        let card = ContactCard {
            name: Secret::new("Sari; Dewi,\nTEL:+1\\\r".to_owned()),
            numbers: vec![PhoneNumber::parse("6281234567890", None).unwrap()],
        };
        let vcard = card.vcard();
        let lines: Vec<&str> = vcard.expose().lines().collect();
        assert_eq!(
            lines,
            [
                "BEGIN:VCARD",
                "VERSION:3.0",
                "N:;Sari\\; Dewi\\,\\nTEL:+1\\\\;;;",
                "FN:Sari\\; Dewi\\,\\nTEL:+1\\\\",
                "TEL;type=CELL;waid=6281234567890:+6281234567890",
                "END:VCARD"
            ]
        );
    }
}
