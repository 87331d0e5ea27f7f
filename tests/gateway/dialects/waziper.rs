use kurir_core::domain::{Lane, SessionState};
use serde_json::{Value, json};

use super::is_picture;
use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY};

fn ask(it: &Fixture, path: &str) -> Answer {
    it.call("GET", &format!("/dialects/waziper{path}"), &[], b"")
}

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.json(), json!({"status": "error", "message": message}));
}

fn new_id(it: &Fixture) -> String {
    let answer = ask(it, "/generate-instance-id").json();
    assert_eq!(answer["status"], "success");
    assert_eq!(answer["message"], "Use this instance_id to create a new WhatsApp session");
    answer["instance_id"].as_str().unwrap().to_owned()
}

#[test]
fn an_instance_is_made_by_asking_for_its_code() {
    let it = Fixture::new();
    let (one, two) = (new_id(&it), new_id(&it));
    assert!(one < two && one.len() == 14, "{one} {two}");
    let qr = |token: &str, id: &str| ask(&it, &format!("/get_qrcode?access_token={token}&instance_id={id}"));
    refused(&qr(KEY, &one), 503, "The QR code is not ready yet, try again in a moment");
    it.shows(&one, "2@one");
    let answer = qr(KEY, &one).json();
    assert_eq!((&answer["status"], &answer["instance_id"]), (&json!("success"), &json!(one)));
    assert!(is_picture(&answer["qrcode"]), "{answer}");
    assert_eq!(answer["qrcode"], qr(KEY, &one).json()["qrcode"]);
    refused(&qr(KEY, &two), 503, "The QR code is not ready yet, try again in a moment");
    it.shows(&two, "2@two");
    assert_ne!(qr(KEY, &two).json()["qrcode"], answer["qrcode"], "never another instance's");

    refused(&qr("wrong", &one), 401, "The access token is not valid");
    refused(&qr("", &one), 401, "access_token is required");
    refused(&qr(KEY, "123"), 400, "instance_id: is malformed; get one from /generate-instance-id");
    refused(&qr(KEY, ""), 400, "instance_id is required");
    refused(&qr(OTHER_KEY, &one), 404, "Instance ID does not exist");
    it.put(&one, SessionState::Connected, None);
    refused(&qr(KEY, &one), 409, "Instance is already connected");
}

#[test]
fn messages_go_as_get_as_form_and_as_json() {
    let it = Fixture::new();
    let id = new_id(&it);
    ask(&it, &format!("/get_qrcode?access_token={KEY}&instance_id={id}"));
    let call = format!("access_token={KEY}&instance_id={id}&number=628123456789&type=text&message=halo+dunia");
    refused(&ask(&it, &format!("/send?{call}")), 409, "Instance is not connected (created), scan its QR code first");
    it.put(&id, SessionState::Connected, None);
    let accepted = |answer: &Answer| {
        assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("accepted")), "{}", answer.text());
        assert!(answer.json()["message_id"].as_str().unwrap().starts_with("3EB0"));
    };
    accepted(&ask(&it, &format!("/api/send?{call}")));
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    accepted(&it.call("POST", "/dialects/waziper/send", &form, call.as_bytes()));
    let body = json!({
        "access_token": KEY, "instance_id": id, "number": 628_123_456_789_u64, "type": "media", "message": "lihat",
        "media_url": "https://files.example/a.pdf", "filename": "a.pdf"
    });
    accepted(&it.ask("POST", "/dialects/waziper/api/send", &body));
    assert_eq!(it.depth(&id, Lane::Bulk), 3);

    let without = |field: &str| {
        let mut body = body.clone();
        body[field] = Value::Null;
        it.ask("POST", "/dialects/waziper/send", &body)
    };
    refused(&without("number"), 400, "number is required");
    refused(&without("media_url"), 400, "media_url is required");
    refused(&ask(&it, &format!("/send?{}", call.replace("halo+dunia", ""))), 400, "message is required");
    refused(&ask(&it, &format!("/send?{}", call.replace("628123456789", "12"))), 400, "The phone number is not valid");
    assert_eq!(it.depth(&id, Lane::Bulk), 3);
}

#[test]
fn instances_are_reconnected_rebooted_reset_and_told_of() {
    let it = Fixture::new();
    let made = ask(&it, &format!("/create_instance?access_token={KEY}")).json();
    let id = made["instance_id"].as_str().unwrap();
    it.put(id, SessionState::Connected, None);
    let call = |name: &str, more: &str| ask(&it, &format!("/{name}?access_token={KEY}&instance_id={id}{more}"));
    assert_eq!(call("reconnect", "").json()["status"], "success");
    assert_eq!(call("reboot", "").json()["status"], "success");

    let hook = "&enable=true&webhook_url=https%3A%2F%2Fhooks.example%2Fwa";
    let set = call("set_webhook", hook).json();
    assert_eq!(set["status"], "success", "{set}");
    assert_eq!(call("set_webhook", hook).json()["webhook_secret"], set["webhook_secret"], "it is the same webhook");
    let hooks = it.get("/v1/webhooks").json();
    assert_eq!(hooks["webhooks"].as_array().unwrap().len(), 1, "{hooks}");
    assert_eq!(hooks["webhooks"][0]["sessions"], json!([id]), "{hooks}");
    assert_eq!(call("set_webhook", "&enable=false").json()["status"], "success");
    assert_eq!(call("set_webhook", "&webhook_url=ftp%3A%2F%2Fhooks.example%2F").status, 400);

    let reset = call("reset_instance", "").json();
    assert_eq!(reset["status"], "success", "{reset}");
    assert_ne!(reset["instance_id"], json!(id));
    refused(&call("reconnect", ""), 404, "Instance ID does not exist");
}
