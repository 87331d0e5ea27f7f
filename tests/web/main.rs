//! Requests to addresses that callers name, against a server on this machine: the suite, and what the guard keeps away.

mod server;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kurir::adapters::http::GuardedWeb;
use kurir_core::contract::{self, WebPlaces};
use kurir_core::domain::Secret;
use kurir_core::policy::Reach;
use kurir_core::port::{Web as _, WebError, WebMethod, WebRequest};

use server::Server;

fn web(allowed: &[&str]) -> GuardedWeb {
    let allowed = allowed.iter().map(|text| text.parse().expect("an allowance")).collect();
    GuardedWeb::new(Reach::new(allowed)).expect("a client")
}

fn get(url: String) -> WebRequest {
    WebRequest {
        method: WebMethod::Get,
        url: Secret::new(url),
        headers: Vec::new(),
        body: Bytes::new(),
        patience: Duration::from_secs(20),
        body_limit: 1000,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_what_the_port_promises() {
    contract::web(async || {
        let at = format!("http://127.0.0.1:{}", Server::start().port);
        let deserted = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
        WebPlaces {
            web: Arc::new(web(&["127.0.0.1"])),
            greets: format!("{at}/greets"),
            busy: format!("{at}/busy"),
            redirects: format!("{at}/redirects"),
            talks: format!("{at}/talks"),
            forbidden: "http://169.254.169.254/latest/meta-data/".to_owned(),
            deserted: format!("http://{deserted}/"),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_this_machine_is_refused_however_it_is_written() {
    let server = Server::start();
    let port = server.port;
    let web = web(&[]);
    for host in
        ["localhost", "127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
    {
        let asked = web.ask(get(format!("http://{host}:{port}/greets"))).await;
        let error = asked.map(|answer| answer.status).expect_err(host);
        assert!(matches!(error, WebError::Forbidden(Some(_))), "{host}: {error:?}");
    }
    assert_eq!(server.seen(), 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_can_be_allowed() {
    let server = Server::start();
    let answer = web(&["localhost"]).ask(get(format!("http://localhost:{}/greets", server.port))).await;
    assert_eq!(answer.expect("an answer").bytes().await.expect("a body"), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Server::start();
    let patience = Duration::from_millis(200);
    let request = WebRequest { patience, ..get(format!("http://127.0.0.1:{}/silent", server.port)) };
    let error = web(&["127.0.0.0/8"]).ask(request).await.map(|answer| answer.status).expect_err("no answer");
    assert_eq!(error, WebError::TimedOut(patience));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up() {
    let server = Server::start();
    let patience = Duration::from_secs(2);
    let request = WebRequest { patience, ..get(format!("http://127.0.0.1:{}/stalls", server.port)) };
    let answer = web(&["127.0.0.0/8"]).ask(request).await.expect("a head");
    assert_eq!(answer.bytes().await, Err(WebError::TimedOut(patience)));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_nothing_of_the_address() {
    let request = get("http://token-in-name.invalid/secret-path?key=secret".to_owned());
    let error = web(&[]).ask(request.clone()).await.map(|answer| answer.status).expect_err("no such host");
    assert_eq!(error, WebError::NoSuchHost);
    for told in [error.to_string(), format!("{error:?}"), format!("{request:?}")] {
        assert!(!told.contains("secret") && !told.contains("token"), "{told}");
    }
}
