//! Descriptions of what the contract describes already: JSON Schema, which OpenAPI 3.1 takes as it is.

use std::borrow::Cow;

use kurir_core::wire::QrV1;
use schemars::JsonSchema;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::gateway::usecase::Wording;

/// The contract's schema of a type, without what belongs to a whole document.
fn of_contract<T: JsonSchema>() -> RefOr<Schema> {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings.into_generator().into_root_schema_for::<T>();
    // Whether this can be read is the same in every build: a test asks for the document.
    serde_json::from_value(schema.to_value()).unwrap_or_default()
}

macro_rules! described {
    ($($(#[$doc:meta])* $name:ident = $type:ty as $shown:literal;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                of_contract::<$type>()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($shown)
            }
        }
    )*};
}

described! {
    /// What a message says.
    ContentSchema = Wording as "Content";
    /// A QR code.
    QrSchema = QrV1 as "QrCode";
}
