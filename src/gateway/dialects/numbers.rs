//! Numbers of Indonesia as the older systems took them: bare digits, in any of three notations.

use kurir_core::domain::PhoneNumber;

use super::Refusal;

/// Indonesia's code.
const COUNTRY: &str = "62";

/// Reads `0812…`, `812…` and `62812…`; anything with a sign or a separator is refused, as that system did.
pub(super) fn indonesian(text: &str) -> Result<PhoneNumber, Refusal> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::BadNumber);
    }
    let national = text.strip_prefix('0').or_else(|| text.starts_with('8').then_some(text));
    let digits = match national {
        Some(national) if national.starts_with('8') => format!("{COUNTRY}{national}"),
        Some(_) => return Err(Refusal::BadNumber),
        None => text.to_owned(),
    };
    PhoneNumber::from_digits(digits).map_err(|_| Refusal::BadNumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_notations_are_one_number() {
        for text in ["08123456789", "8123456789", "628123456789"] {
            assert_eq!(indonesian(text).unwrap().digits(), "628123456789", "{text}");
        }
        assert_eq!(indonesian("14155550123").unwrap().digits(), "14155550123");
        for text in ["+628123456789", "081-234-56789", "", "0", "00628123456789", "0212345678", "62 812", "8", "abc"] {
            assert!(matches!(indonesian(text), Err(Refusal::BadNumber)), "{text}");
        }
    }
}
