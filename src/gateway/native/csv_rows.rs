//! A CSV file of messages: a header row, the column `to`, and columns of values for the placeholders of a text, or of the
//! templates that the query or the lines name.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use csv::{ReaderBuilder, StringRecord, Trim};
use kurir_core::domain::Lane;
use kurir_core::wire::ContentV1;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::batches::MOST_ROWS;
use super::body;
use super::error::ApiError;
use super::messages::Send;
use crate::gateway::usecase::{NamedTemplate, UseCaseError, Wording};

/// The column with the numbers.
const TO: &str = "to";

/// The columns that say by which template, and in which language, where no text is given. Such a cell may be empty.
const TEMPLATE: &str = "template";
const LOCALE: &str = "locale";

/// Most columns of a file.
const MOST_COLUMNS: usize = 64;

/// What holds for all lines of a file.
#[derive(Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Plan {
    /// The session that is to send them; without this and `pool` the default session.
    #[serde(default)]
    #[param(example = "toko-1")]
    session: Option<String>,
    /// The pool of which any session may send them.
    #[serde(default)]
    pool: Option<String>,
    /// `otp` or `bulk`; `bulk` without it.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    lane: Option<Lane>,
    /// The text with `{column}` where a line's value goes. It may come as a field of the form instead.
    #[serde(default)]
    #[param(example = "Halo")]
    text: Option<String>,
    /// The name of a template instead of a text, for lines that name none in a column `template`.
    #[serde(default)]
    template: Option<String>,
    /// The recipients' language, a BCP 47 tag, for lines that name none in a column `locale`.
    #[serde(default)]
    locale: Option<String>,
    /// Their deadline in seconds from now.
    #[serde(default)]
    ttl: Option<u32>,
    /// Their deadline, RFC 3339.
    #[serde(default)]
    #[param(format = DateTime)]
    expires_at: Option<String>,
    /// Refuse all lines if one of them is bad. A queue that stops answering halfway (`not_queued`) is no bad line.
    #[serde(default)]
    atomic: bool,
}

/// The file as a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Form {
    /// The CSV file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The text, unless it stands in the query.
    text: Option<String>,
}

/// What the lines say.
enum Says {
    /// This text.
    Text(String),
    /// What a template says, which these columns name, or else the plan.
    Template { name: Option<usize>, locale: Option<usize> },
}

/// A file that was read.
pub(super) struct Sheet {
    plan: Plan,
    says: Says,
    columns: Vec<String>,
    to: usize,
    rows: Vec<(u64, StringRecord)>,
}

fn bad_csv(detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_csv", detail)
}

fn kind(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a file of at most `limit` bytes, and the text beside it.
pub(super) async fn read(request: Request, plan: Plan, limit: usize) -> Result<Sheet, ApiError> {
    let (parts, body) = request.into_parts();
    let kind = kind(&parts.headers);
    let (file, text) = match kind.as_str() {
        "text/csv" => (body::collect(&parts.headers, body, limit).await?.to_vec(), None),
        "multipart/form-data" => {
            let bytes = body::collect(&parts.headers, body, limit).await?;
            fields(Request::from_parts(parts, Body::from(bytes))).await?
        }
        _ => {
            let detail = "the body must be CSV (`Content-Type: text/csv`) or a form with the field `file`";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_csv", detail));
        }
    };
    let text = text.or_else(|| plan.text.clone()).filter(|text| !text.is_empty());
    sheet(plan, text, &file)
}

/// The file and the text of a form.
async fn fields(mut request: Request) -> Result<(Vec<u8>, Option<String>), ApiError> {
    let broken = || ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "the form can't be read");
    // The body is here already, and within its bound.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
    let (mut file, mut text) = (None, None);
    while let Some(field) = form.next_field().await.map_err(|_| broken())? {
        let name = field.name().map(str::to_owned);
        match name.as_deref() {
            Some("file") => file = Some(field.bytes().await.map_err(|_| broken())?.to_vec()),
            Some("text") => text = Some(field.text().await.map_err(|_| broken())?),
            _ => return Err(UseCaseError::field("form", "takes the fields `file` and `text`").into()),
        }
    }
    let file = file.ok_or_else(|| ApiError::from(UseCaseError::field("file", "missing")))?;
    Ok((file, text))
}

/// What the lines of a file with these columns say.
fn says(plan: &Plan, text: Option<String>, columns: &[String]) -> Result<Says, UseCaseError> {
    if let Some(text) = text {
        let twice = [(TEMPLATE, &plan.template), (LOCALE, &plan.locale)].into_iter().find(|(_, given)| given.is_some());
        // Beside a text these columns are values like any other.
        return match twice {
            None => Ok(Says::Text(text)),
            Some((field, _)) => Err(UseCaseError::field(field, "goes with a template, and a text is given")),
        };
    }
    let column = |name: &str| columns.iter().position(|column| column == name);
    let (name, locale) = (column(TEMPLATE), column(LOCALE));
    if name.is_none() && plan.template.is_none() {
        let message = "missing: give the text, or a template, in the query, the text as a field of the form, or the templates \
            in a column `template`";
        return Err(UseCaseError::field("text", message));
    }
    Ok(Says::Template { name, locale })
}

fn sheet(plan: Plan, text: Option<String>, file: &[u8]) -> Result<Sheet, ApiError> {
    // What spreadsheets put before UTF-8.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(file);
    let unreadable = |error: &csv::Error| {
        let line = error.position().map_or(0, csv::Position::line);
        bad_csv(format!("line {line} can't be read: it must be UTF-8, with quotes in pairs"))
    };
    let columns: Vec<String> =
        reader.headers().map_err(|error| unreadable(&error))?.iter().map(str::to_owned).collect();
    if columns.len() > MOST_COLUMNS {
        return Err(bad_csv(format!("it has more than {MOST_COLUMNS} columns")));
    }
    let mut sorted: Vec<&String> = columns.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(bad_csv("two columns have the same name"));
    }
    let to = columns.iter().position(|column| column == TO);
    let to = to.ok_or_else(|| bad_csv("the header row has no column `to`"))?;
    let says = says(&plan, text, &columns)?;
    let mut rows = Vec::new();
    for record in reader.into_records() {
        let record = record.map_err(|error| unreadable(&error))?;
        if rows.len() == MOST_ROWS {
            return Err(bad_csv(format!("it has more than {MOST_ROWS} lines")));
        }
        rows.push((record.position().map_or(0, csv::Position::line), record));
    }
    if rows.is_empty() {
        return Err(bad_csv("nothing follows the header row"));
    }
    Ok(Sheet { plan, says, columns, to, rows })
}

impl Sheet {
    /// How many lines it has.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The numbers of its lines.
    pub fn lines(&self) -> Vec<u64> {
        self.rows.iter().map(|(line, _)| *line).collect()
    }

    /// Whether it is taken as a whole.
    pub const fn is_atomic(&self) -> bool {
        self.plan.atomic
    }

    /// The templates that its lines name.
    pub fn templates(&self) -> BTreeSet<String> {
        let Says::Template { name, .. } = self.says else { return BTreeSet::new() };
        let cells = self.rows.iter().filter_map(|(_, record)| record.get(name?).filter(|cell| !cell.is_empty()));
        cells.chain(self.plan.template.as_deref()).map(str::to_owned).collect()
    }

    /// A line as a message.
    pub fn row(&self, at: usize) -> Result<Send, UseCaseError> {
        let (_, record) = &self.rows[at];
        if record.len() != self.columns.len() {
            let message = format!("has {} columns, the header row has {}", record.len(), self.columns.len());
            return Err(UseCaseError::field("messages", message));
        }
        let values = |no_values: &[usize]| {
            let cells = self.columns.iter().zip(record).enumerate().filter(|(at, _)| !no_values.contains(at));
            cells.map(|(_, (name, cell))| (name.clone(), cell.to_owned())).collect::<BTreeMap<_, _>>()
        };
        let plan = self.plan.clone();
        let content = match &self.says {
            Says::Text(text) => Wording::Plain(ContentV1::Template { text: text.clone(), values: values(&[self.to]) }),
            Says::Template { name, locale } => {
                let cell = |at: Option<usize>| Some(record[at?].to_owned()).filter(|cell| !cell.is_empty());
                let of_plan = plan.template.ok_or_else(|| UseCaseError::field(TEMPLATE, "this line names none"));
                let named = cell(*name).map_or(of_plan, Ok)?;
                let no_values: Vec<usize> = [Some(self.to), *name, *locale].into_iter().flatten().collect();
                let locale = cell(*locale).or(plan.locale);
                Wording::Named(NamedTemplate::with_spare(named, locale, values(&no_values)))
            }
        };
        Ok(Send {
            id: None,
            session: plan.session,
            pool: plan.pool,
            to: record[self.to].to_owned(),
            lane: plan.lane,
            content,
            expires_at: plan.expires_at,
            ttl: plan.ttl,
            metadata: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(template: Option<&str>) -> Plan {
        let template = template.map(str::to_owned);
        let (session, pool, lane, text, locale, ttl, expires_at) = (None, None, None, None, None, None, None);
        Plan { session, pool, lane, text, template, locale, ttl, expires_at, atomic: false }
    }

    #[test]
    fn lines_are_numbered_as_in_the_file_and_cells_keep_their_commas() {
        let file = b"\xef\xbb\xbfnama, to\n\"Sari, Bu\",0812\n\"two\nlines\",0813\nx\n";
        let sheet = sheet(plan(None), Some("Halo {nama}".into()), file).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!((sheet.count(), sheet.lines()), (3, vec![2, 3, 5]));
        let row = sheet.row(0).unwrap();
        assert_eq!(row.to, "0812");
        let Wording::Plain(ContentV1::Template { values, .. }) = row.content else { panic!("a template") };
        assert_eq!(values["nama"], "Sari, Bu");
        assert!(sheet.row(2).is_err(), "a cell is missing");
    }

    #[test]
    fn lines_name_their_templates_or_the_plan_does() {
        let file = b"to,template,nama,locale\n0812,satu,Sari,en\n0813,,Budi,\n";
        let named = |sheet: &Sheet, at: usize| match sheet.row(at) {
            Ok(Send { content: Wording::Named(named), .. }) => {
                assert_eq!(named.values.keys().collect::<Vec<_>>(), ["nama"]);
                Some((named.name, named.locale))
            }
            _ => None,
        };
        let words = |name: &str, locale: Option<&str>| Some((name.to_owned(), locale.map(str::to_owned)));
        let read = sheet(plan(Some("dua")), None, file).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(read.templates(), BTreeSet::from(["dua".to_owned(), "satu".to_owned()]));
        assert_eq!((named(&read, 0), named(&read, 1)), (words("satu", Some("en")), words("dua", None)));
        let read = sheet(plan(None), None, file).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(read.templates(), BTreeSet::from(["satu".to_owned()]));
        assert_eq!((named(&read, 0), named(&read, 1)), (words("satu", Some("en")), None));
    }

    #[test]
    fn what_is_no_file_of_messages_is_refused() {
        for (file, word) in [
            (&b"name\nx\n"[..], "`to`"),
            (b"to,a,a\n1,2,3\n", "same name"),
            (b"to\n", "nothing follows"),
            (b"", "`to`"),
            (b"to\n\xff\xfe\n", "line 2"),
        ] {
            let error = sheet(plan(None), Some("x".into()), file).err();
            let error = error.unwrap_or_else(|| panic!("{file:?} was taken"));
            assert!(error.detail.contains(word), "{}", error.detail);
        }
        for (template, text, file, field) in
            [(Some("a"), Some("x"), &b"to\n0812\n"[..], TEMPLATE), (None, None, b"to,nama\n0812,Sari\n", "text")]
        {
            let error = sheet(plan(template), text.map(str::to_owned), file).err();
            assert_eq!(error.and_then(|error| error.field).as_deref(), Some(field));
        }
    }
}
