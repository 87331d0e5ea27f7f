//! The form of a test message: what is typed into it, how it is shown, and which message it is.

use std::collections::BTreeMap;

use kurir_core::domain::JobId;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::guard::SignedIn;
use super::language::Language;
use crate::gateway::usecase::Wording;
use crate::gateway::waits::Goal;

/// What was typed.
#[derive(Default, Deserialize)]
pub(super) struct Typed {
    /// Tells this showing of the form from others, so that it sends once however often it is sent.
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub session: String,
    #[serde(default)]
    pub to: String,
    /// `text` or `otp`.
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub template: String,
    #[serde(default)]
    pub locale: String,
    #[serde(default)]
    pub code: String,
    /// Values of the template's other placeholders, `name=value` in each line.
    #[serde(default)]
    pub values: String,
    /// `sent`, `delivered`, or nothing.
    #[serde(default)]
    pub wait: String,
}

impl Typed {
    pub fn is_otp(&self) -> bool {
        self.kind == "otp"
    }

    /// What it is to say; `None`: a line of values is none.
    pub fn wording(&self) -> Option<Wording> {
        let content = if self.is_otp() {
            let mut values = BTreeMap::new();
            for line in self.values.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let (name, value) = line.split_once('=')?;
                values.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
            }
            let locale = Some(self.locale.trim()).filter(|locale| !locale.is_empty());
            json!({"type": "otp", "code": self.code.trim(), "template": self.template, "locale": locale, "values": values})
        } else {
            json!({"type": "text", "text": self.text})
        };
        serde_json::from_value(content).ok()
    }

    /// What is waited for.
    pub fn goal(&self) -> Option<Goal> {
        match self.wait.as_str() {
            "sent" => Some(Goal::Sent),
            "delivered" => Some(Goal::Delivered),
            _ => None,
        }
    }

    /// The message's id: the same for the same form with the same in it. With something else in it (somebody went back and
    /// typed on) it is another message.
    pub fn job(&self) -> Option<JobId> {
        let form = self.id.parse::<JobId>().ok()?.as_uuid();
        let mut hash = Sha256::new();
        hash.update(b"kurir/admin/send\0");
        hash.update(form.as_bytes());
        for part in
            [&self.session, &self.to, &self.kind, &self.text, &self.template, &self.locale, &self.code, &self.values]
        {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut random = [0; 10];
        random.copy_from_slice(&hash.finalize()[..10]);
        // The form's moment stays in front.
        let millis = form.as_bytes().iter().take(6).fold(0_u64, |millis, byte| (millis << 8) | u64::from(*byte));
        Some(JobId::new(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
    }
}

struct Words {
    session: &'static str,
    default_session: &'static str,
    no_default: &'static str,
    to: &'static str,
    to_hint: &'static str,
    kind: &'static str,
    text_kind: &'static str,
    otp_kind: &'static str,
    text: &'static str,
    template: &'static str,
    locale: &'static str,
    locale_hint: &'static str,
    code: &'static str,
    values: &'static str,
    values_hint: &'static str,
    wait: &'static str,
    wait_not: &'static str,
    wait_sent: &'static str,
    wait_delivered: &'static str,
    send: &'static str,
}

const ID: Words = Words {
    session: "Sesi",
    default_session: "kosong: sesi utama",
    no_default: "belum ada sesi utama, jadi wajib diisi",
    to: "Nomor penerima",
    to_hint: "seperti 0812-3456-7890",
    kind: "Jenis pesan",
    text_kind: "Teks",
    otp_kind: "OTP dengan templat",
    text: "Teks",
    template: "Templat OTP",
    locale: "Bahasa templat",
    locale_hint: "seperti id atau en; kosong: bahasa templat sendiri",
    code: "Kode OTP",
    values: "Isian templat lainnya",
    values_hint: "satu per baris, seperti name=Sari",
    wait: "Tunggu (paling lama 10 detik)",
    wait_not: "tidak menunggu",
    wait_sent: "sampai WhatsApp menerimanya",
    wait_delivered: "sampai tiba di ponsel",
    send: "Kirim pesan uji",
};

const EN: Words = Words {
    session: "Session",
    default_session: "empty: the default session",
    no_default: "there is no default session, so one is needed",
    to: "Recipient's number",
    to_hint: "like 0812-3456-7890",
    kind: "Kind of message",
    text_kind: "Text",
    otp_kind: "One-time password with a template",
    text: "Text",
    template: "Template of the password",
    locale: "Language of the template",
    locale_hint: "like id or en; empty: the template's own",
    code: "One-time password",
    values: "The template's other values",
    values_hint: "one in each line, like name=Sari",
    wait: "Wait (10 seconds at most)",
    wait_not: "don't wait",
    wait_sent: "until WhatsApp has it",
    wait_delivered: "until the phone has it",
    send: "Send the test message",
};

/// What the form offers.
pub(super) struct Offer {
    /// Some of the tenant's sessions.
    pub sessions: Vec<String>,
    /// The default session.
    pub default: Option<String>,
    /// Templates of one-time passwords.
    pub templates: Vec<String>,
}

/// The form. A one-time password that was typed is not shown again.
pub(super) fn form(language: Language, signed_in: &SignedIn, offer: &Offer, typed: &Typed) -> Markup {
    let words = language.of_two(&ID, &EN);
    let hint = match &offer.default {
        Some(default) => format!("{} ({default})", words.default_session),
        None => words.no_default.to_owned(),
    };
    let waits = [("", words.wait_not), ("sent", words.wait_sent), ("delivered", words.wait_delivered)];
    let fresh = typed.kind.is_empty();
    let template = if typed.template.is_empty() { "otp" } else { typed.template.as_str() };
    html! {
        form .fields method="post" action="/admin/send" {
            (signed_in.csrf_field())
            input type="hidden" name="id" value=(typed.id);
            label {
                (words.session) small { (hint) }
                input name="session" list="sessions" autocomplete="off" value=(typed.session) required[offer.default.is_none()];
            }
            datalist #sessions { @for session in &offer.sessions { option value=(session) {} } }
            label {
                (words.to) small { (words.to_hint) }
                input name="to" inputmode="tel" autocomplete="off" required value=(typed.to);
            }
            fieldset {
                legend { (words.kind) }
                label .check { input type="radio" name="kind" value="text" checked[!typed.is_otp()]; (words.text_kind) }
                label { (words.text) textarea name="text" maxlength="4096" { (typed.text) } }
                label .check { input type="radio" name="kind" value="otp" checked[typed.is_otp()]; (words.otp_kind) }
                label {
                    (words.template)
                    select name="template" {
                        @for each in &offer.templates { option value=(each) selected[each == template] { (each) } }
                    }
                }
                label { (words.code) input name="code" autocomplete="off" inputmode="numeric"; }
                label { (words.locale) small { (words.locale_hint) } input name="locale" autocomplete="off" value=(typed.locale); }
                label { (words.values) small { (words.values_hint) } textarea name="values" { (typed.values) } }
            }
            label {
                (words.wait)
                select name="wait" {
                    @for (value, text) in waits {
                        option value=(value) selected[typed.wait == value || fresh && value == "sent"] { (text) }
                    }
                }
            }
            div .actions { button type="submit" { (words.send) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Typed {
        Typed {
            id: "018f2a52-7c4e-7a3b-9d10-0123456789ab".into(),
            to: "0812-3456-7890".into(),
            kind: "text".into(),
            text: "halo".into(),
            ..Typed::default()
        }
    }

    #[test]
    fn the_same_form_is_the_same_message_and_another_text_another_one() {
        let job = typed().job().unwrap();
        assert_eq!(typed().job(), Some(job));
        assert!(job.to_string().starts_with("018f2a52-7c4e-7"), "{job}");
        // How long somebody waits for it is nothing of the message.
        assert_eq!(Typed { wait: "sent".into(), ..typed() }.job(), Some(job));
        let others = [
            Typed { text: "hal".into(), template: "o".into(), ..typed() },
            Typed { to: "0812-3456-7891".into(), ..typed() },
            Typed { id: "018f2a52-7c4e-7a3b-9d10-0123456789ac".into(), ..typed() },
        ];
        assert!(others.iter().all(|other| other.job().is_some_and(|other| other != job)));
        assert_eq!(Typed { id: "1".into(), ..typed() }.job(), None);
    }

    #[test]
    fn values_are_lines_with_a_name() {
        let otp = |values: &str| Typed { kind: "otp".into(), template: "otp".into(), values: values.into(), ..typed() };
        assert!(matches!(otp("name = Sari = x\n\napp=kurir").wording(), Some(Wording::NamedOtp(_))));
        assert!(otp("Sari").wording().is_none());
        assert!(matches!(typed().wording(), Some(Wording::Plain(_))));
    }
}
