//! What a message is to say: as the contract has it, or by the name of a template. A name becomes a text here, so that
//! workers, and whoever else reads jobs, know nothing of templates.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use kurir_core::domain::{Lane, Locale, TenantId, is_placeholder, placeholders};
use kurir_core::wire::ContentV1;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::templates::KnownTemplate;
use super::{UseCaseError, UseCases};

/// The placeholder of a one-time password.
pub(super) const CODE: &str = "code";

/// The field that says which kind of content it is.
const TYPE: &str = "type";

/// Most templates that the messages of one request can name.
const MOST_TEMPLATES: usize = 100;

/// What a message says.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Wording {
    /// In full.
    Plain(ContentV1),
    /// By a template.
    Named(NamedTemplate),
    /// A one-time password in the text of a template.
    NamedOtp(NamedOtp),
}

/// Tells the two kinds of a named text apart from others.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TemplateTag {
    Template,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OtpTag {
    Otp,
}

/// The text of a template, with values.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedTemplate {
    #[serde(rename = "type")]
    _kind: TemplateTag,
    /// The template's name: one of the tenant's, or one that kurir brings along.
    pub name: String,
    /// The recipient's language, a BCP 47 tag; without it the template's own default.
    #[serde(default)]
    pub locale: Option<String>,
    /// Values by placeholder; each placeholder needs one, and there is one for nothing else.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Whether values that there is no placeholder for are left out instead.
    #[serde(skip)]
    spare: bool,
}

impl NamedTemplate {
    /// With values of which some may be for nothing: the columns of a file are as they are.
    pub const fn with_spare(name: String, locale: Option<String>, values: BTreeMap<String, String>) -> Self {
        Self { _kind: TemplateTag::Template, name, locale, values, spare: true }
    }
}

/// A one-time password in the text of a template.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedOtp {
    #[serde(rename = "type")]
    _kind: OtpTag,
    /// The password.
    pub code: String,
    /// The name of a template whose text has `{code}`.
    pub template: String,
    /// The recipient's language, a BCP 47 tag; without it the template's own default.
    #[serde(default)]
    pub locale: Option<String>,
    /// Values of the template's other placeholders.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

impl fmt::Debug for NamedTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NamedTemplate([secret])")
    }
}

impl fmt::Debug for NamedOtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NamedOtp([secret])")
    }
}

impl<'de> Deserialize<'de> for Wording {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let fields = input.deserialize_map(FieldsVisitor)?;
        let kind = fields.get(TYPE).and_then(Value::as_str);
        // Which of two shapes it is says one field, so that an error is about the right one.
        let read = match kind {
            Some("template") if fields.contains_key("name") => {
                NamedTemplate::deserialize(Value::Object(fields)).map(Self::Named)
            }
            Some("otp") if fields.contains_key("template") => {
                NamedOtp::deserialize(Value::Object(fields)).map(Self::NamedOtp)
            }
            _ => ContentV1::deserialize(Value::Object(fields)).map(Self::Plain),
        };
        read.map_err(D::Error::custom)
    }
}

/// A word that names a kind of content. It is checked where it stands, so that an error is about this very field.
struct Kind(String);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let kind = String::deserialize(input)?;
        let mut alone = Map::new();
        alone.insert(TYPE.to_owned(), Value::String(kind.clone()));
        match ContentV1::deserialize(Value::Object(alone)) {
            Err(error) if error.to_string().starts_with("unknown variant") => Err(D::Error::custom(error)),
            // Known; what else it wants is found out with the other fields.
            _ => Ok(Self(kind)),
        }
    }
}

/// An object's fields, each of them once.
struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value =
                if name == TYPE { Value::String(access.next_value::<Kind>()?.0) } else { access.next_value()? };
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a field is given twice"));
            }
        }
        Ok(fields)
    }
}

impl Wording {
    /// The lane that it asks for where nobody names one. (In full, a one-time password may be a text like any other.)
    pub const fn lane(&self) -> Option<Lane> {
        match self {
            Self::NamedOtp(_) => Some(Lane::Otp),
            Self::Plain(_) | Self::Named(_) => None,
        }
    }

    /// The template that it names.
    fn template(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Named(named) => Some(&named.name),
            Self::NamedOtp(named) => Some(&named.template),
        }
    }

    /// The template that a wording names which was not read yet, and may be none.
    pub fn template_in(wording: &Value) -> Option<&str> {
        let field = match wording.get(TYPE)?.as_str()? {
            "template" => "name",
            "otp" => "template",
            _ => return None,
        };
        wording.get(field)?.as_str()
    }
}

/// Templates by their names, read once for all that is to be said by them.
pub struct Texts(HashMap<String, KnownTemplate>);

impl UseCases {
    /// The templates of these names, as far as the tenant can use them.
    pub async fn texts(
        &self,
        tenant: &TenantId,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Texts, UseCaseError> {
        let mut texts = HashMap::new();
        for (at, name) in names.into_iter().enumerate() {
            if at == MOST_TEMPLATES {
                let message = format!("they name more than {MOST_TEMPLATES} templates; send them in several requests");
                return Err(UseCaseError::field("messages", message));
            }
            match self.template(tenant, &name).await {
                Ok(known) => {
                    texts.insert(name, known);
                }
                Err(UseCaseError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Texts(texts))
    }

    /// What a wording says in full, as the contract has it.
    pub async fn content_of(&self, tenant: &TenantId, wording: Wording) -> Result<ContentV1, UseCaseError> {
        let names = wording.template().map(str::to_owned);
        self.texts(tenant, names).await?.content_of(wording)
    }
}

impl Texts {
    /// What a wording says in full, as the contract has it.
    pub fn content_of(&self, wording: Wording) -> Result<ContentV1, UseCaseError> {
        match wording {
            Wording::Plain(content) => Ok(content),
            Wording::Named(NamedTemplate { name, locale, mut values, spare, .. }) => {
                let text = self.text(("content.name", &name), locale.as_deref())?;
                if spare {
                    let wanted = placeholders(text);
                    values.retain(|name, _| wanted.contains(name.as_str()));
                }
                check_values(text, &values, "content.values")?;
                Ok(ContentV1::Template { text: text.to_owned(), values })
            }
            Wording::NamedOtp(NamedOtp { code, template, locale, mut values, .. }) => {
                let text = self.text(("content.template", &template), locale.as_deref())?;
                let wanted = placeholders(text);
                if !wanted.contains(CODE) {
                    let message = "the template has no placeholder {code}, where the one-time password goes";
                    return Err(UseCaseError::field("content.template", message));
                }
                if values.contains_key(CODE) {
                    let message = "the one-time password is given as `code`, not among the values";
                    return Err(UseCaseError::value("content.values.code", message));
                }
                if wanted.len() == 1 && values.is_empty() {
                    return Ok(ContentV1::Otp { code, text: Some(text.to_owned()) });
                }
                values.insert(CODE.to_owned(), code);
                check_values(text, &values, "content.values")?;
                Ok(ContentV1::Template { text: text.to_owned(), values })
            }
        }
    }

    fn text(&self, (field, name): (&'static str, &str), locale: Option<&str>) -> Result<&str, UseCaseError> {
        let locale = locale.map(Locale::new).transpose();
        let locale = locale.map_err(|error| UseCaseError::field("content.locale", error.to_string()))?;
        let known = self.0.get(name).ok_or(UseCaseError::NotFound { what: "template", field: Some(field) })?;
        Ok(known.texts().text_for(locale.as_ref()).1)
    }
}

/// Whether there is a value for each placeholder of a text, and for nothing else. `at` is the field that has the values.
/// A problem names a placeholder and never a value.
pub fn check_values(text: &str, values: &BTreeMap<String, String>, at: &str) -> Result<(), UseCaseError> {
    let wanted = placeholders(text);
    if let Some(missing) = wanted.iter().find(|name| !values.contains_key(**name)) {
        let message = format!("the template has the placeholder {{{missing}}}, and no value was given for it");
        return Err(UseCaseError::value(format!("{at}.{missing}"), message));
    }
    let given: BTreeSet<&str> = values.keys().map(String::as_str).collect();
    match given.difference(&wanted).next() {
        None => Ok(()),
        // What can't be a placeholder's name may be anything, a value put in the wrong place among it.
        Some(name) if is_placeholder(name) && name.len() <= 64 => {
            let message = format!("the template has no placeholder {{{name}}}");
            Err(UseCaseError::value(format!("{at}.{name}"), message))
        }
        Some(_) => {
            Err(UseCaseError::value(at, "names are those of the template's placeholders: letters, digits and _"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Wording, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_makes_the_difference() {
        assert!(matches!(read(r#"{"type":"template","text":"x"}"#), Ok(Wording::Plain(ContentV1::Template { .. }))));
        assert!(matches!(read(r#"{"type":"template","name":"x","values":{}}"#), Ok(Wording::Named(_))));
        assert!(matches!(read(r#"{"type":"otp","code":"1","text":"{code}"}"#), Ok(Wording::Plain(_))));
        let otp = read(r#"{"type":"otp","code":"1","template":"otp","locale":"id"}"#).unwrap();
        assert!(matches!(&otp, Wording::NamedOtp(_)) && otp.lane() == Some(Lane::Otp));
        assert!(!format!("{otp:?}").contains("\"1\""));
        for (json, error) in [
            (r#"{"type":"template"}"#, "missing field `text`"),
            (r#"{"type":"template","name":"x","text":"y"}"#, "unknown field `text`"),
            (r#"{"type":"otp","template":"x"}"#, "missing field `code`"),
            (r#"{"type":"text","text":"a","text":"b"}"#, "a field is given twice"),
            (r#"{"type":"poem"}"#, "unknown variant"),
            ("[]", "invalid type"),
        ] {
            assert!(read(json).unwrap_err().contains(error), "{json}: {}", read(json).unwrap_err());
        }
    }

    #[test]
    fn values_are_those_of_the_placeholders() {
        let values = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "secret".to_owned())).collect();
        assert!(check_values("{a} {b}", &values(&["a", "b"]), "values").is_ok());
        assert!(check_values("none", &values(&[]), "values").is_ok());
        for (given, field) in [
            (values(&["a"]), "values.b"),
            (values(&["a", "b", "c"]), "values.c"),
            (values(&["a", "b", "+62 812"]), "values"),
        ] {
            let error = check_values("{a} {b}", &given, "values").unwrap_err();
            assert!(matches!(&error, UseCaseError::Value { field: at, .. } if at == field), "{error:?}");
            assert!(!error.to_string().contains("secret") && !error.to_string().contains("812"), "{error}");
        }
    }
}
