//! The list of suppressed numbers as a CSV file: in and out, a piece at a time.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, StreamExt as _};
use kurir_core::domain::{Initiator, Suppression, SuppressionCursor, TenantId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::{Caller, MayControl, MayRead};
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::suppressions::counts;
use super::{App, Routes};
use crate::gateway::usecase::{BadWish, SuppressionWish, UseCaseError};

/// Most rows of one import.
const MAX_ROWS: usize = 100_000;

/// Largest row, in bytes.
const MAX_ROW: usize = 4096;

/// Rows that are written at a time, and read at a time.
const BATCH: usize = 1000;

/// Most bad rows that are told one by one.
const MAX_TOLD: usize = 100;

const CSV: &str = "text/csv";

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(import)).routes(routes!(export))
}

/// A row that was left out.
#[derive(Serialize, ToSchema)]
#[schema(as = BadRow)]
struct BadRow {
    /// Which row, from 1; the head counts.
    #[schema(example = 17)]
    row: usize,
    /// `number`, `note`, or `row` where it could not be read at all.
    #[schema(example = "number")]
    part: &'static str,
    /// What is wrong with it.
    #[schema(example = "a phone number in international form has 8 to 15 digits, this one has 3")]
    detail: String,
}

/// What became of a file.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = ImportedSuppressions)]
struct Imported {
    /// Rows of the file, without its head.
    #[schema(example = 2)]
    rows: usize,
    /// How many numbers are new on the list.
    #[schema(example = 2)]
    added: usize,
    /// How many were there for another reason.
    #[schema(example = 0)]
    changed: usize,
    /// How many were there just so.
    #[schema(example = 0)]
    unchanged: usize,
    /// How many rows were left out.
    #[schema(example = 0)]
    bad: usize,
    /// The first hundred of these.
    #[schema(example = json!([]))]
    bad_rows: Vec<BadRow>,
}

/// Puts the numbers of a CSV file on the list: at most 100,000 rows with a column `number` and perhaps one `note`; without a head
/// these are the first two. Bad rows are told and left out. The same file again changes nothing.
#[utoipa::path(post, path = "/v1/suppressions/import", tag = "suppressions", operation_id = "importSuppressions",
    request_body(content = String, content_type = "text/csv", description = "The file, in UTF-8", example = json!("number,note\n+62 812-3456-7890,from the old system\n6281234567891,\n")),
    responses(
        (status = 200, description = "Every row was looked at", body = Imported),
        (status = 413, description = "`too_many_rows`: the rows before are on the list", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn import(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    request: Request,
) -> Result<Json<Imported>, ApiError> {
    caller.covers_tenant()?;
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(CSV) {
        let message = "the body must be CSV, with the header `Content-Type: text/csv`";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_csv", message));
    }
    let mut importing = Importing::new(&app, &caller);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "the body ended before its time"))?;
        importing.take(&chunk).await?;
    }
    importing.finish().await.map(Json)
}

/// Which columns have what.
#[derive(Clone, Copy)]
struct Columns {
    number: usize,
    note: Option<usize>,
}

/// An import under way: what is left of the last piece of the body, and the rows that wait to be written.
struct Importing<'a> {
    app: &'a App,
    tenant: &'a TenantId,
    by: Initiator,
    row: Vec<u8>,
    quoted: bool,
    /// Rows so far, the head among them.
    read: usize,
    columns: Option<Columns>,
    wishes: Vec<Suppression>,
    told: Imported,
}

impl<'a> Importing<'a> {
    fn new(app: &'a App, caller: &'a Caller) -> Self {
        Self {
            app,
            tenant: caller.tenant(),
            by: Initiator::Import(caller.key().id.clone()),
            row: Vec::new(),
            quoted: false,
            read: 0,
            columns: None,
            wishes: Vec::with_capacity(BATCH),
            told: Imported::default(),
        }
    }

    /// Takes a piece of the body. Rows end at a line break outside of quotes.
    async fn take(&mut self, piece: &[u8]) -> Result<(), ApiError> {
        for byte in piece {
            self.quoted ^= *byte == b'"';
            if *byte == b'\n' && !self.quoted {
                self.end_row().await?;
            } else if self.row.len() < MAX_ROW {
                self.row.push(*byte);
            } else {
                let message = format!("row {} has more than {MAX_ROW} bytes; is a quote missing?", self.read + 1);
                // The rows before it count.
                self.write().await?;
                return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_row", message));
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Imported, ApiError> {
        self.end_row().await?;
        self.write().await?;
        Ok(self.told)
    }

    async fn end_row(&mut self) -> Result<(), ApiError> {
        let row = std::mem::take(&mut self.row);
        self.quoted = false;
        self.read += 1;
        let Ok(row) = std::str::from_utf8(&row) else {
            self.told.rows += 1;
            self.leave_out("row", "is not UTF-8".to_owned());
            return Ok(());
        };
        let row = row.trim_start_matches('\u{feff}').trim_end_matches('\r');
        if row.is_empty() {
            return Ok(());
        }
        let fields = fields(row);
        let columns = if let Some(columns) = self.columns {
            columns
        } else {
            let (columns, head) = columns_of(&fields);
            self.columns = Some(columns);
            if head {
                return Ok(());
            }
            columns
        };
        if self.told.rows == MAX_ROWS {
            self.write().await?;
            let message = format!(
                "a file has at most {MAX_ROWS} rows; the first {MAX_ROWS} were taken, send the others as another file"
            );
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_rows", message));
        }
        self.told.rows += 1;
        let field = |at: usize| fields.get(at).cloned().unwrap_or_default();
        let wish = SuppressionWish { number: field(columns.number), note: columns.note.map(field) };
        match self.app.cases.suppression_of(&self.by, wish) {
            Ok(wish) => self.wishes.push(wish),
            Err(BadWish { part, message }) => self.leave_out(part, message),
        }
        if self.wishes.len() == BATCH {
            self.write().await?;
        }
        Ok(())
    }

    fn leave_out(&mut self, part: &'static str, detail: String) {
        self.told.bad += 1;
        if self.told.bad_rows.len() < MAX_TOLD {
            self.told.bad_rows.push(BadRow { row: self.read, part, detail });
        }
    }

    async fn write(&mut self) -> Result<(), ApiError> {
        let wishes = std::mem::take(&mut self.wishes);
        if wishes.is_empty() {
            return Ok(());
        }
        let (added, changed, unchanged) = counts(&self.app.cases.suppress(self.tenant, &wishes).await?);
        self.told.added += added;
        self.told.changed += changed;
        self.told.unchanged += unchanged;
        Ok(())
    }
}

/// The fields of a row, as RFC 4180 has them.
fn fields(row: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = row.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

/// Which columns a file has, by its first row, and whether that is a head.
fn columns_of(first: &[String]) -> (Columns, bool) {
    let named = |name: &str| first.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
    match named("number") {
        Some(number) => (Columns { number, note: named("note") }, true),
        None => (Columns { number: 0, note: Some(1) }, false),
    }
}

/// The whole list as a CSV file, which an import takes again.
#[utoipa::path(get, path = "/v1/suppressions/export", tag = "suppressions", operation_id = "exportSuppressions",
    responses(
        (status = 200, description = "Rows of number, source, by, note and since, in an order that says nothing. It comes a piece at a time; where it breaks off the list could not be read to its end", body = String, content_type = "text/csv"),
        Problems
    ))]
async fn export(State(app): State<Arc<App>>, MayRead(caller): MayRead) -> Result<Response, ApiError> {
    caller.covers_tenant()?;
    let tenant = caller.tenant().clone();
    // The first page is read here, so that a store that does not answer is a problem and not half a file.
    let first = Page::read(&app, &tenant, None).await.map_err(ApiError::from)?;
    let body = Body::from_stream(pages(app, tenant, first));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"suppressions.csv\""),
    ];
    Ok((headers, body).into_response())
}

/// A page of the file.
struct Page {
    rows: Vec<Suppression>,
    next: Option<SuppressionCursor>,
}

impl Page {
    async fn read(app: &App, tenant: &TenantId, after: Option<SuppressionCursor>) -> Result<Self, UseCaseError> {
        let limit = u32::try_from(BATCH).unwrap_or(u32::MAX);
        let page = app.cases.suppressions(tenant, after, limit).await?;
        Ok(Self { rows: page.suppressions, next: page.next })
    }

    fn csv(&self, head: bool) -> Result<Bytes, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        if head {
            writer.write_record(["number", "source", "by", "note", "since"])?;
        }
        for row in &self.rows {
            let since = row.since.to_rfc3339();
            let note = row.note.as_deref().unwrap_or_default();
            writer.write_record([row.number.digits(), row.by.kind(), row.by.name(), note, &since])?;
        }
        writer.into_inner().map(Bytes::from).map_err(|error| error.into_error().into())
    }
}

/// Why a file breaks off. The caller sees that it does; the log says why.
#[derive(Debug, thiserror::Error)]
#[error("the list could not be read to its end")]
struct BrokenOff;

/// The file, a page at a time; the next one is read when the one before was taken.
fn pages(app: Arc<App>, tenant: TenantId, first: Page) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
    /// What comes next.
    enum Step {
        First(Page),
        After(SuppressionCursor),
        End,
    }
    futures_util::stream::unfold(Step::First(first), move |step| {
        let (app, tenant) = (Arc::clone(&app), tenant.clone());
        async move {
            let (page, head) = match step {
                Step::First(page) => (Ok(page), true),
                Step::After(place) => (Page::read(&app, &tenant, Some(place)).await, false),
                Step::End => return None,
            };
            let written = page.map_err(|error| error.to_string()).and_then(|page| {
                let next = page.next.map_or(Step::End, Step::After);
                page.csv(head).map(|bytes| (bytes, next)).map_err(|error| error.to_string())
            });
            Some(match written {
                Ok((bytes, next)) => (Ok(bytes), next),
                Err(error) => {
                    tracing::warn!(error, "an export broke off");
                    (Err(BrokenOff), Step::End)
                }
            })
        }
    })
}
