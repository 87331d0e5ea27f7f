//! No HTTP: what a client of a simulator gets, so that nothing of a test leaves the machine.

use async_trait::async_trait;
use whatsapp_rust::anyhow;
use whatsapp_rust::wacore::net::{HttpClient, HttpRequest, HttpResponse};

#[derive(Clone, Copy)]
pub(super) struct OfflineHttp;

/// Said of every request.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP while the endpoint is a simulator")]
struct Offline;

#[async_trait]
impl HttpClient for OfflineHttp {
    async fn execute(&self, _request: HttpRequest) -> anyhow::Result<HttpResponse> {
        Err(Offline.into())
    }
}
