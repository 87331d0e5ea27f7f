//! The AsyncAPI 3 document, made from the types so that it can't drift from them.

use serde_json::{Map, Value, json};

use super::schema::schema_of;
use super::{EVENT_KIND, JOB_KIND};
use crate::domain::EventKind;

/// What is told on the exchange: all but the trial of a webhook, which that webhook alone hears.
fn published_kinds() -> impl Iterator<Item = EventKind> {
    EventKind::ALL.iter().copied().filter(|kind| *kind != EventKind::WebhookTest)
}

/// The document, with schemas referred to by their file names beside it.
pub fn asyncapi() -> Value {
    let mut messages = Map::new();
    let mut published = Map::new();
    for kind in published_kinds() {
        let name = kind.as_str().replace(['.', '_'], "-");
        messages.insert(
            name.clone(),
            json!({
                "name": kind.as_str(),
                "title": kind.as_str(),
                "contentType": "application/cloudevents+json",
                "bindings": {"amqp": {"messageType": EVENT_KIND}},
                "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12",
                    "schema": {"$ref": format!("./{}.json", schema_of(kind))}},
            }),
        );
        published.insert(name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
    }
    messages.insert(
        "job".into(),
        json!({
            "name": "job",
            "title": "One message to a number or a group",
            "contentType": "application/json",
            "bindings": {"amqp": {"messageType": JOB_KIND}},
            "headers": {"type": "object", "properties": {
                "traceparent": {"type": "string", "description": "W3C trace context"},
                "kurir-enqueued-at": {"type": "integer", "description": "Milliseconds since the Unix epoch"},
            }},
            "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": {"$ref": "./job.v1.json"}},
        }),
    );
    let exchange = |name: &str, kind: &str| json!({"amqp": {"is": "routingKey", "exchange": {"name": name, "type": kind, "durable": true, "autoDelete": false}}});
    let name = |what: &str| json!({"description": format!("{what}: letters, digits, - and _, at most 64")});
    let jobs = |target: &str, description: &str| {
        json!({
            "address": format!("{}.{{{target}}}.{{lane}}", &target[..1]),
            "description": description,
            "parameters": {target: name(&format!("A {target}")), "lane": {"enum": ["otp", "bulk"]}},
            "messages": {"job": {"$ref": "#/components/messages/job"}},
            "bindings": exchange("kurir.jobs", "direct"),
        })
    };
    let enqueue = |target: &str| {
        json!({
            "action": "receive",
            "summary": format!("kurir takes a job for a {target}."),
            "channel": {"$ref": format!("#/channels/{target}Jobs")},
            "bindings": {"amqp": {"deliveryMode": 2, "mandatory": true}},
        })
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "kurir",
            "version": "1.0.0",
            "description": "Producers publish jobs to `kurir.jobs` with `mandatory`, persistent and with confirms; a returned message means that there is no such session or pool. Consumers bind queues of their own to `kurir.events`.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "sessionJobs": jobs("session", "The queue of one session's lane."),
            "poolJobs": jobs("pool", "The queue of one pool's lane: any of its sessions sends what stands there."),
            "events": {
                "address": "{tenant}.{session}.{type}",
                "description": "What happened. The type has a dot (`message.sent`), so a binding for all of a tenant is `{tenant}.#`. `-` stands for the session where none is concerned: the fleet's own events, verifications, webhooks, alerts, and a pool's job while it is nobody's.",
                "parameters": {
                    "tenant": name("A tenant"),
                    "session": name("A session"),
                    "type": {"enum": published_kinds().map(EventKind::as_str).collect::<Vec<_>>()},
                },
                "messages": published,
                "bindings": exchange("kurir.events", "topic"),
            },
        },
        "operations": {
            "enqueue": enqueue("session"),
            "enqueueForPool": enqueue("pool"),
            "tell": {
                "action": "send",
                "summary": "kurir tells what happened, at least once; the id recognises a repetition.",
                "channel": {"$ref": "#/channels/events"},
                "bindings": {"amqp": {"deliveryMode": 2}},
            },
        },
        "components": {"messages": messages},
    })
}
