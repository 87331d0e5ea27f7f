//! Whatever is sent to a route of a dialect: no error of the server's, the dialect's own shape, and nothing enqueued by what is
//! refused.

use std::fmt::Write as _;

use kurir_core::port::{MessageFilter, MessageIndex as _};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::routes::{Does, Named, Route, routes};
use super::{ODD, world};
use crate::fixture::{Fixture, KEY, tenant};

/// Requests to each route.
const CASES: u32 = 24;

/// What stands for the id of a session that is there.
const THERE: &str = "{there}";

/// A text that somebody might send where another one is expected.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&ODD[..]).prop_map(str::to_owned),
        2 => "\\PC{0,30}",
        2 => any::<String>().prop_map(|text| text.chars().take(40).collect()),
        1 => "[0-9+() .-]{1,60}",
        1 => (0_usize..1200).prop_map(|length| "x".repeat(length)),
        3 => Just(THERE.to_owned()),
    ]
}

/// A value of any type, nested a little.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::String),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => select(&[1e308, -0.0, 5e-324, 18_446_744_073_709_551_615.0][..]).prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("[a-z]{0,6}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// One field: as it should be, as it should not be, or not at all.
#[derive(Clone, Debug)]
enum Given {
    Good,
    Odd(Value),
    Missing,
}

fn given() -> impl Strategy<Value = Given> {
    prop_oneof![5 => Just(Given::Good), 4 => value().prop_map(Given::Odd), 1 => Just(Given::Missing)]
}

/// How a body is written down.
#[derive(Clone, Debug)]
enum Form {
    Json,
    Query,
    Multipart {
        file: Vec<u8>,
        name: String,
    },
    /// JSON that ends too early.
    Cut(usize),
    /// A JSON value that is no object.
    Other(Value),
    Bytes(Vec<u8>),
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        5 => Just(Form::Json),
        2 => Just(Form::Query),
        2 => (prop::collection::vec(any::<u8>(), 0..200), text()).prop_map(|(file, name)| Form::Multipart { file, name }),
        1 => (0_usize..40).prop_map(Form::Cut),
        1 => value().prop_map(Form::Other),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Form::Bytes),
    ]
}

/// What a body is called.
const KINDS: [&str; 8] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "text/plain",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded; boundary=\"",
    "x",
];

/// A request to a route.
#[derive(Clone, Debug)]
struct Shot {
    /// What stands in its path: bytes, text or not.
    part: Vec<u8>,
    fields: Vec<Given>,
    session: Given,
    /// The access token that only one dialect reads; most requests have their key in the head.
    token: Option<String>,
    form: Form,
    /// Another kind than the body has.
    kind: Option<&'static str>,
    /// What stands in its query beside what should.
    query: Vec<u8>,
    head: String,
}

fn shot(fields: usize) -> impl Strategy<Value = Shot> {
    let part = prop_oneof![
        3 => text().prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 1..30),
        4 => Just(THERE.as_bytes().to_vec()),
    ];
    let token = prop_oneof![9 => Just(None), 1 => text().prop_map(Some)];
    let kind = prop_oneof![6 => Just(None), 1 => select(&KINDS[..]).prop_map(Some)];
    let query = prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let rest = (form(), kind, query, "[ -~]{0,20}");
    (part, prop::collection::vec(given(), fields), given(), token, rest).prop_map(
        |(part, fields, session, token, (form, kind, query, head))| Shot {
            part,
            fields,
            session,
            token,
            form,
            kind,
            query,
            head,
        },
    )
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    })
}

impl Shot {
    /// The fields of the request with their values; `there` is the id of a session that is there.
    fn values(&self, route: &Route, there: &str) -> Vec<(String, Value)> {
        let mut values = Vec::new();
        let mut add = |name: &str, given: &Given, good: &str| match given {
            Given::Good => values.push((name.to_owned(), json!(good))),
            Given::Odd(Value::String(text)) => values.push((name.to_owned(), json!(text.replace(THERE, there)))),
            Given::Odd(value) => values.push((name.to_owned(), value.clone())),
            Given::Missing => {}
        };
        for ((name, good), given) in route.fields.iter().zip(&self.fields) {
            add(name, given, good);
        }
        if let Named::Field(name) = route.session {
            add(name, &self.session, there);
        }
        if let Some(token) = &self.token {
            values.push(("access_token".to_owned(), json!(token)));
        }
        values
    }

    fn body(&self, values: &[(String, Value)]) -> (&'static str, Vec<u8>) {
        let json = || Value::Object(values.iter().cloned().collect()).to_string().into_bytes();
        match &self.form {
            Form::Json => (KINDS[0], json()),
            Form::Query => (KINDS[1], query(values).into_bytes()),
            Form::Cut(length) => (KINDS[0], json().into_iter().take(*length).collect()),
            Form::Other(value) => (KINDS[0], value.to_string().into_bytes()),
            Form::Bytes(bytes) => (KINDS[0], bytes.clone()),
            Form::Multipart { file, name } => {
                let mut body = Vec::new();
                for (name, value) in values {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    body.extend(
                        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
                    );
                }
                let head = format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
                body.extend(head.bytes());
                body.extend(file);
                body.extend(b"\r\n--b--\r\n");
                (KINDS[2], body)
            }
        }
    }
}

fn query(values: &[(String, Value)]) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = values.iter().map(|(name, value)| format!("{name}={}", escaped(text(value).as_bytes())));
    pairs.collect::<Vec<_>>().join("&")
}

/// How many messages there are.
fn messages(it: &Fixture) -> u64 {
    let counts = it.runtime.block_on(it.stores.count(&MessageFilter::of(tenant("acme")))).unwrap();
    counts.iter().map(|(_, count)| count).sum()
}

#[test]
fn no_request_makes_a_dialect_fail() {
    let world = world();
    let it = &world.it;
    for route in routes() {
        let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
        // A session that a route has removed would leave the rest of the walk with refusals alone.
        let there = if route.does(Does::Ends) { "gone" } else { world.session_of(&route) };
        let hit = runner.run(&shot(route.fields.len()), |shot| {
            let values = shot.values(&route, there);
            let part = if shot.part == THERE.as_bytes() { there.as_bytes() } else { shot.part.as_slice() };
            let mut path = route.path.replace("{}", &escaped(part));
            let odd = escaped(&shot.query);
            if route.has_query() {
                let _ = write!(path, "?{}&{odd}", query(&values));
            } else if !shot.query.is_empty() {
                let _ = write!(path, "?{odd}");
            }
            let (kind, body) = if route.has_query() { ("", Vec::new()) } else { shot.body(&values) };
            let mut head = vec![("X-Api-Key", KEY), ("X-Admin-Key", "admin123"), ("X-Session-Id", shot.head.as_str())];
            if !kind.is_empty() {
                head.push(("Content-Type", shot.kind.unwrap_or(kind)));
            }
            let before = messages(it);
            let answer = it.call(route.method, &path, &head, &body);
            route.check(&answer, &shot);
            let enqueued = messages(it) - before;
            let expected = u64::from(route.does(Does::Sends) && answer.status < 400);
            prop_assert_eq!(enqueued, expected, "{} {}: {:?}", route.method, &path, answer.text());
            Ok(())
        });
        hit.unwrap_or_else(|error| panic!("{} {}: {error}", route.method, route.path));
        // As they should be, they are good: what was refused above was refused for what was wrong with it.
        if route.does(Does::Sends) && !route.path.contains("/file") && !route.path.contains("/image") {
            it.clock.advance(std::time::Duration::from_mins(2));
            world.connect(&route);
            let answer = world.good(&route, KEY, there);
            assert!(answer.status < 300, "{} {}: {}", route.method, route.path, answer.text());
        }
    }
}
