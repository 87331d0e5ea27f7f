//! A web of what a test puts there.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::lock;
use crate::port::{Web, WebBody, WebError, WebRequest, WebResponse};

/// What an address answers.
#[derive(Clone, Debug)]
pub struct WebReply {
    /// The status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Retry-After`, seconds.
    pub retry_after: Option<u64>,
    /// The body, in pieces as they come.
    pub body: Vec<Bytes>,
}

impl WebReply {
    /// A status and nothing else.
    pub const fn of(status: u16) -> Self {
        Self { status, content_type: None, retry_after: None, body: Vec::new() }
    }
}

/// A web in which only those addresses answer that a reply was put at; all others can't be connected to.
#[derive(Default)]
pub struct MemoryWeb {
    replies: Mutex<HashMap<String, Result<WebReply, WebError>>>,
    asked: Mutex<Vec<WebRequest>>,
}

impl MemoryWeb {
    /// What an address answers from now on, or why it does not.
    pub fn put(&self, url: &str, reply: Result<WebReply, WebError>) {
        lock(&self.replies).insert(url.to_owned(), reply);
    }

    /// The requests so far, in order.
    pub fn asked(&self) -> Vec<WebRequest> {
        lock(&self.asked).clone()
    }
}

#[async_trait]
impl Web for MemoryWeb {
    fn check(&self, url: &str) -> Result<(), WebError> {
        let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
            return Err(WebError::BadAddress("another scheme"));
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(WebError::BadAddress("a user or password in it"));
        }
        match lock(&self.replies).get(url) {
            Some(Err(error @ WebError::Forbidden(_))) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    async fn ask(&self, request: WebRequest) -> Result<WebResponse, WebError> {
        self.check(request.url.expose())?;
        let reply = lock(&self.replies).get(request.url.expose()).cloned().unwrap_or(Err(WebError::NotConnected));
        let limit = request.body_limit;
        lock(&self.asked).push(request);
        let reply = reply?;
        let length = reply.body.iter().map(|piece| piece.len() as u64).sum::<u64>();
        Ok(WebResponse {
            status: reply.status,
            content_type: reply.content_type,
            length: None,
            retry_after: reply.retry_after,
            body: Box::new(Body { pieces: reply.body.into_iter(), over: length > limit, limit }),
        })
    }
}

struct Body {
    pieces: std::vec::IntoIter<Bytes>,
    over: bool,
    limit: u64,
}

#[async_trait]
impl WebBody for Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, WebError> {
        let piece = self.pieces.next();
        // The last piece is the one that is too much.
        if self.over && self.pieces.len() == 0 {
            return Err(WebError::TooLarge(self.limit));
        }
        Ok(piece)
    }
}
