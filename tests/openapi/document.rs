//! An OpenAPI document as its tests read it: does it hold together, which requests do its examples make, and is an answer one
//! that it describes.

use std::collections::BTreeSet;

use serde_json::Value;

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| match value.as_str() {
            Some(target) if key == "$ref" => {
                found.insert(target);
            }
            _ => references(value, found),
        }),
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// One operation of a document.
pub struct Operation<'a> {
    pub method: String,
    pub path: &'a str,
    pub spec: &'a Value,
}

/// All operations; those of the paths in `last` come last, and what removes something comes late.
pub fn operations<'a>(document: &'a Value, last: &[&str]) -> Vec<Operation<'a>> {
    let paths = document["paths"].as_object().expect("paths");
    let mut all: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("operations").iter();
            methods.map(move |(method, spec)| Operation { method: method.to_uppercase(), path, spec })
        })
        .collect();
    // What is taken back must be there before; one of a list goes before all of it.
    let rank = |one: &Operation<'_>| (last.contains(&one.path), one.method == "DELETE", !one.path.contains('{'));
    all.sort_by_key(rank);
    all
}

/// Whether everything that the document refers to is there, and everything has its words.
pub fn holds_together(document: &Value) {
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut targets = BTreeSet::new();
    references(document, &mut targets);
    assert!(targets.len() > 10);
    for target in targets {
        let pointer = target.strip_prefix('#').expect("a place in the document");
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
    let mut ids = BTreeSet::new();
    for Operation { method, path, spec } in operations(document, &[]) {
        let id = spec["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{id} names two operations");
        assert!(spec["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no summary");
        assert!(spec["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{method} {path}");
        for parameter in spec["parameters"].as_array().into_iter().flatten() {
            let described = parameter["in"] == "path" || parameter["description"].is_string();
            assert!(described, "{method} {path}: {parameter}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        jsonschema::validator_for(&whole(schema, document)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A schema with what it refers to.
fn whole(schema: &Value, document: &Value) -> Value {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    whole
}

fn follow<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(&target[1..]).expect("it refers to something"),
        None => schema,
    }
}

/// The example that the parts of a schema give together.
fn composed(document: &Value, schema: &Value) -> Option<Value> {
    let given = |schema: &Value| schema.get("example").or_else(|| schema["examples"].get(0)).cloned();
    // What stands beside a reference counts more than what it refers to.
    if let Some(example) = given(schema) {
        return Some(example);
    }
    let schema = follow(document, schema);
    if let Some(example) = given(schema) {
        return Some(example);
    }
    let parts = schema["properties"].as_object()?;
    let filled = parts.iter().filter_map(|(name, part)| Some((name.clone(), composed(document, part)?)));
    Some(Value::Object(filled.collect()))
}

/// Every body that the document gives for an operation, with its name.
pub fn bodies(document: &Value, spec: &Value) -> Vec<(String, Option<Value>)> {
    let Some(kind) = kind_of_body(spec) else { return vec![("no body".into(), None)] };
    let content = &spec["requestBody"]["content"][kind];
    if let Some(examples) = content["examples"].as_object() {
        return examples.iter().map(|(name, example)| (name.clone(), Some(example["value"].clone()))).collect();
    }
    let example = content.get("example").cloned().or_else(|| composed(document, &content["schema"]));
    vec![("body".into(), Some(example.expect("a body has an example")))]
}

/// The content type of an operation's bodies, if it has any.
pub fn kind_of_body(spec: &Value) -> Option<&str> {
    let kinds = spec["requestBody"]["content"].as_object()?;
    kinds.keys().next().map(String::as_str)
}

/// The path with its examples, and with and without its query.
pub fn addresses(document: &Value, path: &str, spec: &Value) -> Vec<String> {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in spec["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a name");
        let example = parameter.get("example").cloned().or_else(|| composed(document, &parameter["schema"]));
        let example = example.map(|example| example.as_str().map_or(example.to_string(), str::to_owned));
        match (parameter["in"].as_str(), example) {
            (Some("path"), Some(example)) => path = path.replace(&format!("{{{name}}}"), &example),
            (Some("path"), None) => panic!("{path}: no example for {name}"),
            (Some("query"), Some(example)) => query.push(format!("{name}={example}")),
            _ => {}
        }
    }
    let plain = path.clone();
    // What a file leaves out stands in the query.
    if spec["requestBody"]["content"].get("text/csv").is_some() {
        return vec![format!("{path}?{}", query.join("&"))];
    }
    if query.is_empty() { vec![plain] } else { vec![plain, format!("{path}?{}", query.join("&"))] }
}

/// An answer, whoever asked.
pub struct Answered<'a> {
    pub status: u16,
    /// Its content type.
    pub kind: Option<&'a str>,
    pub body: &'a [u8],
}

/// Demands that an answer is one that the document describes.
pub fn described(document: &Value, what: &str, spec: &Value, answer: &Answered<'_>) {
    let (responses, status) = (&spec["responses"], answer.status);
    let response = responses.get(status.to_string()).or_else(|| {
        assert!(status >= 400, "{what}: {status} is not described");
        responses.get("default")
    });
    let response = follow(document, response.unwrap_or_else(|| panic!("{what}: {status} is not described")));
    let text = String::from_utf8_lossy(answer.body);
    let Some(contents) = response["content"].as_object() else {
        assert!(answer.body.is_empty(), "{what}: {text}");
        return;
    };
    let kind = answer.kind.unwrap_or_else(|| panic!("{what}: no content type"));
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let content = contents.get(kind).unwrap_or_else(|| panic!("{what}: {kind} is not described"));
    if kind.ends_with("json") {
        let schema = jsonschema::validator_for(&whole(&content["schema"], document)).expect("a schema");
        let body: Value = serde_json::from_slice(answer.body).unwrap_or_else(|error| panic!("{what}: {error}: {text}"));
        let errors: Vec<_> = schema.iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{what}: {errors:?} in {body}");
    } else if let Some(example) = content["example"].as_str() {
        assert_eq!(text, example, "{what}");
    }
}
