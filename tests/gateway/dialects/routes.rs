//! Every route of every dialect: the one table that the walks over all of them read. Who adds a route adds a row.

use kurir::gateway::Dialect;
use kurir::gateway::Dialect::{Admin, Multi, Otp, Socketio, Waziper};
use serde_json::Value;

use super::escaped;
use crate::fixture::Answer;

/// Where a request names its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Nowhere.
    Nowhere,
    /// In its path, where the route has `{}`.
    InPath,
    /// In this field.
    Field(&'static str),
}

/// What a route does that a walk has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It may answer 503: there is no code to scan yet.
    Waits,
    /// It makes the session that it names.
    Makes,
    /// It removes sessions or logs them out.
    Ends,
    /// It sends.
    Sends,
    /// Its path is no session's id but something else that callers choose.
    ChosenPath,
}

use Does::{ChosenPath, Ends, Makes, Sends, Waits};
use Named::{Field, InPath, Nowhere};

/// One route.
pub struct Route {
    pub dialect: Dialect,
    pub method: &'static str,
    /// From the gateway's root on.
    pub path: String,
    pub session: Named,
    /// The fields that it reads beside its session, each with a value that is good.
    pub fields: &'static [(&'static str, &'static str)],
    does: &'static [Does],
}

type Row = (Dialect, &'static str, &'static str, Named, &'static [(&'static str, &'static str)], &'static [Does]);

const NUMBER: (&str, &str) = ("number", "6281234567890");
const TO: (&str, &str) = ("to", "081234567890");
const MESSAGE: (&str, &str) = ("message", "halo");
const INSTANCE: Named = Field("instance_id");
const ID: Named = Field("sessionId");

/// The routes, each from where its dialect begins.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    (Waziper, "GET", "/generate-instance-id", Nowhere, &[], &[]),
    (Waziper, "GET", "/get_qrcode", INSTANCE, &[], &[Waits, Makes]),
    (Waziper, "POST", "/api/get_qrcode", INSTANCE, &[], &[Waits, Makes]),
    (Waziper, "POST", "/create_instance", Nowhere, &[], &[]),
    (Waziper, "POST", "/send", INSTANCE, &[NUMBER, MESSAGE], &[Sends]),
    (Waziper, "GET", "/api/send", INSTANCE, &[NUMBER, MESSAGE, ("type", "text")], &[Sends]),
    (Waziper, "POST", "/send", INSTANCE, &[NUMBER, ("type", "media"), ("media_url", "https://files.test/a.png"), ("filename", "a.png")], &[Sends]),
    (Waziper, "POST", "/set_webhook", INSTANCE, &[("webhook_url", "https://hooks.test/x"), ("enable", "true")], &[]),
    (Waziper, "POST", "/reconnect", INSTANCE, &[], &[]),
    (Waziper, "POST", "/reboot", INSTANCE, &[], &[Ends]),
    (Waziper, "GET", "/reset_instance", INSTANCE, &[], &[Ends]),
    (Otp, "GET", "/", Nowhere, &[], &[]),
    (Otp, "GET", "/api/health", Nowhere, &[], &[]),
    (Otp, "GET", "/api/webhook/stats", Nowhere, &[], &[]),
    (Otp, "GET", "/qr-page.js", Nowhere, &[], &[]),
    (Otp, "GET", "/qr-page.css", Nowhere, &[], &[]),
    (Otp, "GET", "/api/messages/format-phone/{}", Nowhere, &[], &[ChosenPath]),
    (Otp, "GET", "/api/sessions", Nowhere, &[], &[]),
    (Otp, "POST", "/api/sessions/create", ID, &[], &[Makes]),
    (Otp, "GET", "/api/sessions/{}", InPath, &[], &[]),
    (Otp, "GET", "/api/sessions/{}/status", InPath, &[], &[]),
    (Otp, "GET", "/api/sessions/{}/qr", InPath, &[], &[Waits]),
    (Otp, "GET", "/api/sessions/{}/qr-page", InPath, &[], &[]),
    (Otp, "POST", "/api/messages/{}/text", InPath, &[TO, MESSAGE], &[Sends]),
    (Otp, "POST", "/api/messages/{}/otp", InPath, &[TO, ("otp", "778899")], &[Sends]),
    (Otp, "POST", "/api/messages/{}/file", InPath, &[TO, ("caption", "halo")], &[Sends]),
    (Otp, "POST", "/api/messages/{}/image", InPath, &[TO, ("caption", "halo")], &[Sends]),
    (Otp, "PUT", "/api/sessions/{}/restart", InPath, &[], &[]),
    (Otp, "DELETE", "/api/sessions/{}", InPath, &[], &[Ends]),
    (Multi, "POST", "/api/admin/apikeys/generate", Nowhere, &[("name", "My Company")], &[]),
    (Multi, "GET", "/api/status", ID, &[], &[]),
    (Multi, "GET", "/api/sessions", Nowhere, &[], &[]),
    (Multi, "POST", "/api/send-message", ID, &[NUMBER, MESSAGE], &[Sends]),
    (Multi, "DELETE", "/api/sessions/{}", InPath, &[], &[Ends]),
    (Socketio, "GET", "/api/sessions", Nowhere, &[], &[]),
    (Socketio, "POST", "/api/sessions", Nowhere, &[("name", "Nama Session")], &[]),
    (Socketio, "GET", "/api/sessions/{}", InPath, &[], &[]),
    (Socketio, "POST", "/api/sessions/{}/start", InPath, &[], &[]),
    (Socketio, "POST", "/api/sessions/{}/send", InPath, &[TO, MESSAGE], &[Sends]),
    (Socketio, "POST", "/api/sessions/{}/stop", InPath, &[], &[Ends]),
    (Socketio, "POST", "/api/sessions/{}/logout", InPath, &[], &[Ends]),
    (Socketio, "DELETE", "/api/sessions/{}", InPath, &[], &[Ends]),
    (Admin, "GET", "", Nowhere, &[], &[]),
    (Admin, "POST", "", ID, &[("name", "Sales"), ("phoneNumber", "+6281234567890"), ("description", "x"), ("isActive", "true"), ("isDefault", "false")], &[Makes]),
    (Admin, "GET", "/{}", InPath, &[], &[]),
    (Admin, "GET", "/{}/status", InPath, &[], &[]),
    (Admin, "GET", "/{}/qr", InPath, &[], &[Waits]),
    (Admin, "POST", "/{}/start", InPath, &[], &[]),
    (Admin, "POST", "/send", Field("sessionName"), &[("to", "+6281234567890"), MESSAGE], &[Sends]),
    (Admin, "PUT", "", Field("id"), &[("name", "Sales 2"), ("phoneNumber", "+6281234567890"), ("description", "x"), ("isActive", "true")], &[]),
    (Admin, "DELETE", "", Field("id"), &[], &[Ends]),
    // Names are each tenant's own: behind this one the caller has a session of this name.
    (Multi, "GET", "/api/qr", ID, &[], &[Waits, Makes]),
];

/// All routes, at every place of the gateway's address where they stand.
pub fn routes() -> Vec<Route> {
    let home = "/api/admin/whatsapp-sessions";
    let mut all = Vec::new();
    for (dialect, method, path, session, fields, does) in ROWS.iter().copied() {
        let mut add = |path| all.push(Route { dialect, method, path, session, fields, does });
        match dialect {
            Admin => {
                add(format!("{home}{path}"));
                add(format!("/dialects/admin{home}{path}"));
            }
            _ => add(format!("/dialects/{dialect}{path}")),
        }
    }
    all
}

#[test]
fn every_dialect_is_in_the_table() {
    for dialect in Dialect::ALL {
        assert!(ROWS.iter().any(|row| row.0 == dialect), "{dialect} has no routes in the table");
    }
}

impl Route {
    pub fn does(&self, what: Does) -> bool {
        self.does.contains(&what)
    }

    /// Its path with this session, or whatever stands there.
    pub fn path_of(&self, part: &str) -> String {
        self.path.replace("{}", &escaped(part))
    }

    /// Whether its parameters stand in its query.
    pub fn has_query(&self) -> bool {
        matches!(self.method, "GET" | "DELETE")
    }

    /// Checks that an answer is the dialect's own, and no error of the server's but the one that is told of.
    pub fn check(&self, answer: &Answer, what: &dyn std::fmt::Debug) {
        let told = || format!("{} {}: {what:?} got {} {}", self.method, self.path, answer.status, answer.text());
        assert!(answer.status < 500 || (answer.status == 503 && self.does(Waits)), "{}", told());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", told());
        for header in ["set-cookie", "x-injected", "location"] {
            assert_eq!(answer.header(header), None, "{}", told());
        }
        let kind = answer.header("content-type").unwrap_or_default();
        if answer.status < 400 && !kind.starts_with("application/json") {
            assert!(
                ["text/html; charset=utf-8", "text/javascript; charset=utf-8", "text/css; charset=utf-8"]
                    .contains(&kind)
            );
            return;
        }
        assert_eq!(kind, "application/json", "{}", told());
        let body: Value = serde_json::from_slice(&answer.bytes).unwrap_or_else(|error| panic!("{error}: {}", told()));
        let is_text = |field: &str| body[field].as_str().is_some_and(|text| !text.is_empty());
        let is_good = answer.status < 400;
        let shaped = match self.dialect {
            Waziper if is_good => body["status"] == "success" || body["status"] == "accepted",
            Waziper => body["status"] == "error" && is_text("message"),
            _ if is_good => body["success"] == true,
            Otp => body["success"] == false && is_text("message"),
            Admin | Socketio => body["success"] == false && is_text("message") && is_text("error"),
            Multi => body["success"] == false && is_text("message") && is_text("error") && is_text("code"),
        };
        assert!(shaped, "{}", told());
    }
}
