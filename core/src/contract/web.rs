//! The suite of the web.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::suite::checks;
use crate::domain::Secret;
use crate::port::{Web, WebError, WebMethod, WebRequest};

/// A web with the places that the suite asks.
pub struct WebPlaces {
    /// The web.
    pub web: Arc<dyn Web>,
    /// Answers 200 with the type `text/plain` and `hello`.
    pub greets: String,
    /// Answers 429 and asks to come back after 7 seconds.
    pub busy: String,
    /// Leads to `greets` by a redirect.
    pub redirects: String,
    /// Answers 200 with more than 1000 bytes.
    pub talks: String,
    /// Is out of reach.
    pub forbidden: String,
    /// Nobody listens there.
    pub deserted: String,
}

/// Checks what the web promises.
pub async fn web(make: impl AsyncFn() -> WebPlaces) {
    use self as web;
    checks!(
        "web",
        make,
        [
            web::answers_come_with_status_type_and_body,
            web::an_answer_tells_when_to_come_back,
            web::redirects_are_not_followed,
            web::no_more_is_read_than_allowed,
            web::what_is_out_of_reach_is_not_asked,
            web::bad_addresses_are_told_without_asking,
            web::nobody_there_is_no_connection
        ]
    );
}

fn request(url: &str) -> WebRequest {
    WebRequest {
        method: WebMethod::Post,
        url: Secret::new(url.to_owned()),
        headers: vec![("x-of-the-suite", Secret::new("1".to_owned()))],
        body: Bytes::from_static(b"{}"),
        patience: Duration::from_secs(20),
        body_limit: 1000,
    }
}

async fn answers_come_with_status_type_and_body(at: WebPlaces) {
    at.web.check(&at.greets).unwrap();
    let answer = at.web.ask(request(&at.greets)).await.unwrap();
    assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some("text/plain")));
    assert_eq!(answer.bytes().await.unwrap(), "hello");
}

async fn an_answer_tells_when_to_come_back(at: WebPlaces) {
    let answer = at.web.ask(request(&at.busy)).await.unwrap();
    assert_eq!((answer.status, answer.retry_after), (429, Some(7)));
}

async fn redirects_are_not_followed(at: WebPlaces) {
    let answer = at.web.ask(request(&at.redirects)).await.unwrap();
    assert!((300..400).contains(&answer.status), "{}", answer.status);
}

async fn no_more_is_read_than_allowed(at: WebPlaces) {
    let read = match at.web.ask(request(&at.talks)).await {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    assert_eq!(read, Err(WebError::TooLarge(1000)));
    let enough = WebRequest { body_limit: 100_000, ..request(&at.talks) };
    assert!(at.web.ask(enough).await.unwrap().bytes().await.unwrap().len() > 1000);
}

async fn what_is_out_of_reach_is_not_asked(at: WebPlaces) {
    let error = at.web.ask(request(&at.forbidden)).await.map(|answer| answer.status).unwrap_err();
    assert!(matches!(error, WebError::Forbidden(_)), "{error:?}");
}

async fn bad_addresses_are_told_without_asking(at: WebPlaces) {
    for bad in ["ftp://example.com/x", "https://user:secret@example.com/x"] {
        let told = at.web.check(bad).unwrap_err();
        assert!(matches!(told, WebError::BadAddress(_)), "{told:?}");
        assert!(!told.to_string().contains("secret"));
        assert_eq!(at.web.ask(request(bad)).await.map(|answer| answer.status).unwrap_err(), told);
    }
}

async fn nobody_there_is_no_connection(at: WebPlaces) {
    let error = at.web.ask(request(&at.deserted)).await.map(|answer| answer.status).unwrap_err();
    assert_eq!(error, WebError::NotConnected);
}
