//! `/v1/templates`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{Locale, TemplateError, TemplateName, TemplateTexts, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{MayControl, MayRead};
use super::error::ApiError;
use super::paging::{self, Pages};
use super::problem::{Problem, Problems};
use super::{App, Routes, body};
use crate::gateway::usecase::{KnownTemplate, UseCaseError};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(create, list)).routes(routes!(one, put, remove)).routes(routes!(preview))
}

/// A template.
#[derive(Serialize, ToSchema)]
#[schema(as = Template)]
struct TemplateView {
    /// Its name.
    #[schema(example = "pesanan_dikirim")]
    name: String,
    /// The locale of whoever wants none, or one that there is no text for.
    #[schema(example = "id")]
    default_locale: String,
    /// The text of each locale.
    #[schema(example = json!({"id": "Halo {nama}, pesanan {nomor} sudah dikirim.", "en": "Hello {nama}, order {nomor} is on its way."}))]
    texts: BTreeMap<String, String>,
    /// What needs a value, the same in all texts.
    #[schema(example = json!(["nama", "nomor"]))]
    placeholders: Vec<String>,
    /// Whether kurir brings it along. One of the tenant's under the same name comes before it.
    #[schema(example = false)]
    shipped: bool,
    /// When it was first stored.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// When it was stored last.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

impl TemplateView {
    fn of(known: &KnownTemplate) -> Self {
        let texts = known.texts();
        let stored = known.stored();
        Self {
            name: known.name().to_string(),
            default_locale: texts.default_locale().to_string(),
            texts: texts.texts().iter().map(|(locale, text)| (locale.to_string(), text.clone())).collect(),
            placeholders: texts.placeholders().into_iter().map(str::to_owned).collect(),
            shipped: stored.is_none(),
            created_at: stored.map(|(created, _)| created).map(Timestamp::to_rfc3339),
            updated_at: stored.map(|(_, updated)| updated).map(Timestamp::to_rfc3339),
        }
    }
}

/// A template to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTemplate)]
struct Create {
    /// Its name: letters, digits, `-` and `_`, at most 64.
    #[schema(example = "pesanan_dikirim")]
    name: String,
    /// A locale that has a text.
    #[schema(example = "id")]
    default_locale: String,
    /// The text of each locale (BCP 47 tags), at most 4096 characters, with `{placeholder}`s: the same ones in all texts.
    #[schema(example = json!({"id": "Halo {nama}, pesanan {nomor} sudah dikirim.", "en": "Hello {nama}, order {nomor} is on its way."}))]
    texts: BTreeMap<String, String>,
}

/// What a template is to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TemplateTexts)]
struct Put {
    /// A locale that has a text.
    #[schema(example = "id")]
    default_locale: String,
    /// The text of each locale (BCP 47 tags), at most 4096 characters, with `{placeholder}`s: the same ones in all texts.
    #[schema(example = json!({"id": "Halo {nama}, pesanan {nomor} sudah dikirim.", "en": "Hello {nama}, order {nomor} is on its way."}))]
    texts: BTreeMap<String, String>,
}

fn bad(field: impl Into<String>, message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", message).field(field)
}

/// Reads and checks the texts.
fn checked(default_locale: &str, texts: BTreeMap<String, String>) -> Result<TemplateTexts, ApiError> {
    let default_locale = Locale::new(default_locale).map_err(|error| bad("default_locale", error.to_string()))?;
    let mut by_locale = BTreeMap::new();
    for (tag, text) in texts {
        // The tag may be anything, so it is not repeated.
        let locale = Locale::new(&tag).map_err(|error| bad("texts", error.to_string()))?;
        if by_locale.insert(locale.clone(), text).is_some() {
            return Err(bad(format!("texts.{locale}"), "this locale is given twice, in two spellings"));
        }
    }
    TemplateTexts::new(default_locale, by_locale).map_err(|error| {
        let field = match &error {
            TemplateError::NoDefault(_) => "default_locale".to_owned(),
            other => other.locale().map_or_else(|| "texts".to_owned(), |locale| format!("texts.{locale}")),
        };
        bad(field, error.to_string())
    })
}

/// Make a template, also in place of one that kurir brings along.
#[utoipa::path(post, path = "/v1/templates", tag = "templates", operation_id = "createTemplate", request_body = Create,
    responses(
        (status = 201, description = "It is made; its place stands in `Location`", body = TemplateView),
        (status = 409, description = "`template_exists`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn create(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    request: Request,
) -> Result<Response, ApiError> {
    caller.covers_tenant()?;
    let Create { name, default_locale, texts } = body::read(request, app.body_limit).await?;
    let texts = checked(&default_locale, texts)?;
    let made = app.cases.create_template(caller.tenant(), &name, texts).await?;
    let place = format!("/v1/templates/{}", made.name);
    let mut response = (StatusCode::CREATED, Json(TemplateView::of(&KnownTemplate::Own(made)))).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many at most, up to 200; 50 without it.
    #[serde(default)]
    #[param(example = 50)]
    limit: Option<u32>,
    /// Those after this name: the `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// A page of templates.
#[derive(Serialize, ToSchema)]
struct TemplateList {
    /// In the order of their names; those that kurir brings along among them.
    templates: Vec<TemplateView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

/// The templates that can be used, a page at a time.
#[utoipa::path(get, path = "/v1/templates", tag = "templates", operation_id = "listTemplates", params(Page),
    responses((status = 200, description = "A page", body = TemplateList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<TemplateList>, ApiError> {
    let page = paging::query(page, "`limit`, a number, and `after`, a template's name")?;
    let limit = Pages::USUAL.limit(page.limit)?;
    let after = paging::place("after", page.after.as_deref(), TemplateName::new)?;
    let page = app.cases.templates(caller.tenant(), after.as_ref(), limit).await?;
    let templates = page.templates.iter().map(TemplateView::of).collect();
    Ok(Json(TemplateList { templates, next: page.next.map(|name| name.to_string()) }))
}

/// One template.
#[utoipa::path(get, path = "/v1/templates/{name}", tag = "templates", operation_id = "getTemplate",
    params(("name" = String, Path, description = "The template's name", example = "pesanan_dikirim")),
    responses((status = 200, description = "The template", body = TemplateView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(name): Path<String>,
) -> Result<Json<TemplateView>, ApiError> {
    Ok(Json(TemplateView::of(&app.cases.template(caller.tenant(), &name).await?)))
}

/// Make or change a template.
#[utoipa::path(put, path = "/v1/templates/{name}", tag = "templates", operation_id = "putTemplate", request_body = Put,
    params(("name" = String, Path, description = "The template's name", example = "pesanan_dikirim")),
    responses((status = 200, description = "It says that from now on", body = TemplateView), Problems))]
async fn put(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<TemplateView>, ApiError> {
    caller.covers_tenant()?;
    let Put { default_locale, texts } = body::read(request, app.body_limit).await?;
    let texts = checked(&default_locale, texts)?;
    let kept = app.cases.put_template(caller.tenant(), &name, texts).await?;
    Ok(Json(TemplateView::of(&KnownTemplate::Own(kept))))
}

/// Remove a template. One that kurir brings along under this name is good again.
#[utoipa::path(delete, path = "/v1/templates/{name}", tag = "templates", operation_id = "deleteTemplate",
    params(("name" = String, Path, description = "The template's name", example = "pesanan_dikirim")),
    responses((status = 200, description = "It was there, and is no more", body = TemplateView), Problems))]
async fn remove(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(name): Path<String>,
) -> Result<Json<TemplateView>, ApiError> {
    caller.covers_tenant()?;
    let removed = app.cases.remove_template(caller.tenant(), &name).await?;
    Ok(Json(TemplateView::of(&KnownTemplate::Own(removed))))
}

/// Values to try a template with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PreviewTemplate)]
struct Preview {
    /// The recipient's language; without it the template's own default.
    #[serde(default)]
    #[schema(example = "en-GB")]
    locale: Option<String>,
    /// Values by placeholder.
    #[serde(default)]
    #[schema(example = json!({"nama": "Sari", "nomor": "77"}))]
    values: BTreeMap<String, String>,
}

/// What a message would say.
#[derive(Serialize, ToSchema)]
#[schema(as = PreviewedTemplate)]
struct Previewed {
    /// The locale of the text: the one that was asked for, a wider one, or the default.
    #[schema(example = "en")]
    locale: String,
    /// The text.
    #[schema(example = "Hello Sari, order 77 is on its way.")]
    text: String,
}

/// See what a message by this template would say. Nothing is sent or kept.
#[utoipa::path(post, path = "/v1/templates/{name}/preview", tag = "templates", operation_id = "previewTemplate",
    params(("name" = String, Path, description = "The template's name", example = "pesanan_dikirim")),
    request_body = Preview,
    responses((status = 200, description = "The text", body = Previewed), Problems))]
async fn preview(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Previewed>, ApiError> {
    // Whether it is there comes first: a foreign one is as good as none, whatever is asked of it.
    app.cases.template(caller.tenant(), &name).await?;
    let Preview { locale, values } = body::read_or_default(request, app.body_limit).await?;
    let locale = locale.as_deref().map(Locale::new).transpose();
    let locale = locale.map_err(|error| UseCaseError::field("locale", error.to_string()))?;
    let (locale, text) = app.cases.preview_template(caller.tenant(), &name, locale.as_ref(), values).await?;
    Ok(Json(Previewed { locale: locale.to_string(), text: text.into_inner() }))
}
