//! Who wants no bulk messages: put on the list, looked up, taken off.

use kurir_core::domain::{
    Applied, Initiator, PhoneNumber, Release, Suppression, SuppressionChange, SuppressionCursor, TenantId,
};

use super::page::cut;
use super::{UseCaseError, UseCases};

/// Longest note, in characters.
const MAX_NOTE: usize = 200;

/// Most changes of one number that are shown.
const MAX_CHANGES: u32 = 1000;

/// A number to suppress, as a caller writes it.
#[derive(Clone)]
pub struct SuppressionWish {
    /// The number.
    pub number: String,
    /// Why.
    pub note: Option<String>,
}

/// Why one of many wishes can't be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadWish {
    /// `number` or `note`.
    pub part: &'static str,
    /// What is wrong; never the number.
    pub message: String,
}

/// A page of the list.
pub struct SuppressionPage {
    /// In an order that says nothing.
    pub suppressions: Vec<Suppression>,
    /// Where the next page begins, if there is one.
    pub next: Option<SuppressionCursor>,
}

const NONE: UseCaseError = UseCaseError::NotFound { what: "suppression", field: None };

impl UseCases {
    /// Checks a wish.
    pub fn suppression_of(&self, by: &Initiator, wish: SuppressionWish) -> Result<Suppression, BadWish> {
        let bad = |part, message: String| BadWish { part, message };
        let number = PhoneNumber::parse(&wish.number, self.default_country.as_deref());
        let number = number.map_err(|error| bad("number", error.to_string()))?;
        let note = wish.note.filter(|note| !note.trim().is_empty());
        check_note(note.as_deref()).map_err(|message| bad("note", message))?;
        Ok(Suppression { number, by: by.clone(), note, since: self.ports.clock.now() })
    }

    /// Carries out checked wishes; tells what each has changed.
    pub async fn suppress(&self, tenant: &TenantId, wishes: &[Suppression]) -> Result<Vec<Applied>, UseCaseError> {
        let applied = self.ports.suppressions.suppress(tenant, wishes).await?;
        let added = applied.iter().filter(|applied| **applied == Applied::Added).count();
        tracing::info!(%tenant, asked = wishes.len(), added, "numbers suppressed");
        Ok(applied)
    }

    /// A number on the list.
    pub async fn suppression(&self, tenant: &TenantId, number: &str) -> Result<Suppression, UseCaseError> {
        let number = self.suppressed_number(number)?;
        self.ports.suppressions.suppression(tenant, &number).await?.ok_or(NONE)
    }

    /// Takes a number off the list; gives what was there.
    pub async fn release(
        &self,
        tenant: &TenantId,
        by: Initiator,
        number: &str,
        note: Option<String>,
    ) -> Result<Suppression, UseCaseError> {
        let number = self.suppressed_number(number)?;
        let note = note.filter(|note| !note.trim().is_empty());
        check_note(note.as_deref()).map_err(|message| UseCaseError::field("note", message))?;
        let release = Release { number, by, note, at: self.ports.clock.now() };
        let released = self.ports.suppressions.release(tenant, &release).await?.ok_or(NONE)?;
        tracing::info!(%tenant, "a number is suppressed no more");
        Ok(released)
    }

    /// The list, a page at a time.
    pub async fn suppressions(
        &self,
        tenant: &TenantId,
        after: Option<SuppressionCursor>,
        limit: u32,
    ) -> Result<SuppressionPage, UseCaseError> {
        let mut page = self.ports.suppressions.suppressions(tenant, after, limit.saturating_add(1)).await?;
        let next = cut(&mut page, limit, |(place, _)| *place);
        Ok(SuppressionPage { suppressions: page.into_iter().map(|(_, entry)| entry).collect(), next })
    }

    /// What was done to a number's entry, the newest first.
    pub async fn suppression_changes(
        &self,
        tenant: &TenantId,
        number: &str,
    ) -> Result<Vec<SuppressionChange>, UseCaseError> {
        let number = self.suppressed_number(number)?;
        let changes = self.ports.suppressions.suppression_changes(tenant, &number, MAX_CHANGES).await?;
        if changes.is_empty() { Err(NONE) } else { Ok(changes) }
    }

    /// What can't be a number is nobody's, so nobody has suppressed it.
    fn suppressed_number(&self, text: &str) -> Result<PhoneNumber, UseCaseError> {
        PhoneNumber::parse(text, self.default_country.as_deref()).map_err(|_| NONE)
    }
}

fn check_note(note: Option<&str>) -> Result<(), String> {
    let fits = |note: &str| note.chars().count() <= MAX_NOTE && !note.chars().any(char::is_control);
    if note.is_none_or(fits) {
        return Ok(());
    }
    Err(format!("has at most {MAX_NOTE} characters and no control characters"))
}
