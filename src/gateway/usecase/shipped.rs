//! The templates that kurir brings along, in Indonesian and English. A tenant's own template of the same name always comes
//! first, so a name that a later version brings takes nothing away from anybody.

use std::collections::BTreeMap;

use kurir_core::domain::{Locale, TemplateName, TemplateTexts};

/// Name, Indonesian text, English text; Indonesian by default.
const SHIPPED: [(&str, &str, &str); 5] = [
    (
        "announcement",
        "{message}\n\nBalas BERHENTI jika tidak ingin menerima pesan seperti ini lagi.",
        "{message}\n\nReply STOP to get no more messages like this one.",
    ),
    ("notification", "*{title}*\n\n{message}", "*{title}*\n\n{message}"),
    (
        "otp",
        "Kode verifikasi Anda: {code}. Jangan berikan kode ini kepada siapa pun.",
        "Your verification code is {code}. Don't share it with anyone.",
    ),
    (
        "otp_for_app",
        "{code} adalah kode verifikasi {app} Anda. Jangan berikan kode ini kepada siapa pun.",
        "{code} is your {app} verification code. Don't share it with anyone.",
    ),
    (
        "otp_with_name",
        "Halo {name}, kode verifikasi Anda: {code}. Jangan berikan kode ini kepada siapa pun.",
        "Hello {name}, your verification code is {code}. Don't share it with anyone.",
    ),
];

/// A template that kurir brings along.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// Its name.
    pub name: TemplateName,
    /// What it says.
    pub texts: TemplateTexts,
}

/// All of them, in the order of their names.
pub(super) fn shipped() -> impl Iterator<Item = Shipped> {
    SHIPPED.iter().filter_map(|(name, indonesian, english)| {
        let locale = |tag| Locale::new(tag).ok();
        let texts = BTreeMap::from([(locale("id")?, (*indonesian).to_owned()), (locale("en")?, (*english).to_owned())]);
        Some(Shipped { name: TemplateName::new(name).ok()?, texts: TemplateTexts::new(locale("id")?, texts).ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_are_good_and_in_order() {
        let names: Vec<_> = shipped().map(|shipped| shipped.name).collect();
        assert_eq!(names.len(), SHIPPED.len());
        assert!(names.is_sorted());
        for otp in shipped().filter(|shipped| shipped.name.as_str().starts_with("otp")) {
            assert!(otp.texts.placeholders().contains("code"), "{}", otp.name);
        }
    }
}
