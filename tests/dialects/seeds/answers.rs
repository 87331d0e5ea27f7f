//! What a command printed, held against what its manual prints.

use serde_json::{Deserializer, Value};

/// What every picture of a code begins with: a PNG in a `data:` URL.
const PICTURE: &str = "data:image/png;base64,iVBORw0KGgo";

/// Whether a value has the form that values of this field have, where it is another one every time.
fn has_form(field: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let digits = |count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    match field {
        // Eight characters of the moment and six by chance; one that was made by a program of the manual may have fewer of these.
        "instance_id" => {
            (11..=14).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        }
        "qrcode" | "qr" | "picture" => text.starts_with(PICTURE) && text.len() > 400,
        "apiKey" => text.starts_with("wa_") && text.len() > 40,
        "messageId" => text.starts_with("3EB0") && text.len() > 16,
        "otp" => digits(6),
        "totalOTPSent" | "failedRequests" | "activeSessions" | "failureRate" => value.is_number(),
        other => panic!("nothing is known of the form of {other}"),
    }
}

/// Whether all that is wanted is there. `Err` tells where it is not.
pub fn hold(wanted: &Value, found: &Value, alike: &[&str], at: &str) -> Result<(), String> {
    match (wanted, found) {
        (Value::Object(fields), Value::Object(there)) => {
            for (name, wanted) in fields {
                let at = format!("{at}.{name}");
                let found = there.get(name).ok_or_else(|| format!("{at} is missing"))?;
                if alike.contains(&name.as_str()) && has_form(name, found) {
                    continue;
                }
                hold(wanted, found, alike, &at)?;
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(there)) if items.len() == there.len() => {
            let mut pairs = items.iter().zip(there).enumerate();
            pairs.try_for_each(|(index, (wanted, found))| hold(wanted, found, alike, &format!("{at}[{index}]")))
        }
        _ if wanted == found => Ok(()),
        _ => Err(format!("{at} should be {wanted} and is {found}")),
    }
}

/// The first object with this field, somewhere in an answer.
pub fn find<'a>(answer: &'a Value, field: &str) -> Option<&'a Value> {
    match answer {
        Value::Object(fields) if fields.contains_key(field) => Some(answer),
        Value::Object(fields) => fields.values().find_map(|value| find(value, field)),
        Value::Array(items) => items.iter().find_map(|value| find(value, field)),
        _ => None,
    }
}

/// Several answers stand in a list where they are wanted, and one behind the other where they were printed.
pub fn hold_json(wanted: &str, said: &str, alike: &[&str]) -> Result<Vec<Value>, String> {
    let wanted: Value = serde_json::from_str(wanted).map_err(|error| format!("what is wanted is no JSON: {error}"))?;
    let found: Result<Vec<Value>, _> = Deserializer::from_str(said).into_iter().collect();
    let found = found.map_err(|error| format!("no JSON: {error}"))?;
    let wanted = if wanted.is_array() { wanted } else { Value::Array(vec![wanted]) };
    hold(&wanted, &Value::Array(found.clone()), alike, "answer")?;
    Ok(found)
}

/// Line by line; `{field}` stands for a value of that field's form. Gives these values.
pub fn hold_text(wanted: &str, said: &str) -> Result<Vec<Value>, String> {
    let (wanted, said): (Vec<_>, Vec<_>) = (wanted.trim_end().lines().collect(), said.trim_end().lines().collect());
    if wanted.len() != said.len() {
        return Err(format!("{} lines instead of {}", said.len(), wanted.len()));
    }
    let mut values = Vec::new();
    for (wanted, said) in wanted.into_iter().zip(said) {
        match placeholder(wanted) {
            Some((before, field, after)) => {
                let value = said.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                let value = Value::from(value.ok_or_else(|| format!("{said:?} instead of {wanted:?}"))?);
                if !has_form(field, &value) {
                    return Err(format!("{value} is no {field}"));
                }
                values.push(value);
            }
            None if wanted.trim_end() == said.trim_end() => {}
            None => return Err(format!("{said:?} instead of {wanted:?}")),
        }
    }
    Ok(values)
}

fn placeholder(line: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = line.split_once('{')?;
    let (field, after) = rest.split_once('}')?;
    let is_name = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    is_name.then_some((before, field, after))
}

#[test]
fn what_is_wanted_must_be_there_and_more_may_be() {
    let alike = ["qr"];
    let wanted = r#"{"success": true, "qr": "data:…", "list": [{"a": 1}]}"#;
    let good = format!(r#"{{"success":true,"qr":"{PICTURE}{}","list":[{{"a":1,"b":2}}],"more":1}}"#, "A".repeat(400));
    assert!(hold_json(wanted, &good, &alike).is_ok());
    for (from, to) in [
        ("true", "false"),
        ("\"success\"", "\"done\""),
        ("\"a\":1", "\"a\":2"),
        ("iVBORw0KGgo", "R0lGODlh"),
        (r#"[{"a":1,"b":2}]"#, "[]"),
    ] {
        assert!(hold_json(wanted, &good.replace(from, to), &alike).is_err(), "{from} {to}");
    }
    assert!(hold_json(wanted, &good.repeat(2), &alike).is_err(), "one answer more");
    assert!(hold_json("[{\"a\": 1}, {\"a\": 2}]", "{\"a\":1}{\"a\":2}", &[]).is_ok());
    let ids = hold_text("Instance 1: {instance_id}\nend", "Instance 1: MIJ2X9WQ04K1ZT\nend\n").unwrap();
    assert_eq!(ids, ["MIJ2X9WQ04K1ZT"]);
    for said in ["Instance 1: mij2\nend", "Instance 1: MIJ2X9WQ04K1ZT", "x"] {
        assert!(hold_text("Instance 1: {instance_id}\nend", said).is_err(), "{said}");
    }
}
