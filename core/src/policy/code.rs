//! Codes, drawn evenly.

use crate::domain::{CodeAlphabet, Secret};

/// Draws a code; `fill` gives random bytes. Every code is as likely as every other: bytes that would favour the first
/// characters of the alphabet are drawn again.
pub fn draw_code(alphabet: CodeAlphabet, length: usize, mut fill: impl FnMut(&mut [u8])) -> Secret<String> {
    let characters = alphabet.characters();
    // The largest multiple of the alphabet's size that a byte can be below.
    let fair = 256 - 256 % characters.len();
    let mut code = String::with_capacity(length);
    let mut bytes = [0; 32];
    while code.len() < length {
        fill(&mut bytes);
        let drawn = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        let drawn = drawn.map(|byte| char::from(characters[byte % characters.len()]));
        code.extend(drawn.take(length - code.len()));
    }
    Secret::new(code)
}

/// A code as a person may give it back: without spaces and hyphens, in capital letters.
pub fn tidied_code(given: &str) -> Secret<String> {
    let kept = given.chars().filter(|c| !c.is_whitespace() && *c != '-');
    Secret::new(kept.map(|c| c.to_ascii_uppercase()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes that go round, so that each comes equally often.
    fn round() -> impl FnMut(&mut [u8]) {
        let mut next = 0_u8;
        move |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        }
    }

    #[test]
    fn every_character_is_as_likely_as_every_other() {
        for (alphabet, each) in [(CodeAlphabet::Digits, 25), (CodeAlphabet::Letters, 12)] {
            let characters = alphabet.characters();
            // All fair bytes once.
            let code = draw_code(alphabet, each * characters.len(), round());
            for character in characters {
                let count = code.expose().bytes().filter(|byte| byte == character).count();
                assert_eq!(count, each, "{}", char::from(*character));
            }
        }
    }

    #[test]
    fn people_write_codes_their_way() {
        assert_eq!(tidied_code(" bcd-fgh ").expose(), "BCDFGH");
        assert_eq!(tidied_code("493 817").expose(), "493817");
    }

    proptest! {
        #[test]
        fn a_code_has_its_length_and_nothing_but_its_alphabet(length in 4..=10_usize, letters: bool, seed: u64) {
            let alphabet = if letters { CodeAlphabet::Letters } else { CodeAlphabet::Digits };
            let mut state = seed;
            let code = draw_code(alphabet, length, |bytes| for byte in bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = state.to_be_bytes()[0];
            });
            prop_assert_eq!(code.expose().len(), length);
            prop_assert!(code.expose().bytes().all(|byte| alphabet.characters().contains(&byte)));
            let tidied = tidied_code(code.expose());
            prop_assert_eq!(tidied.expose(), code.expose());
        }
    }
}
