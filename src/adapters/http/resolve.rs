//! From names to addresses that may be asked.

use std::net::SocketAddr;
use std::sync::Arc;

use kurir_core::port::WebError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use kurir_core::policy::Reach;

/// Resolves through the machine's name service and hands on only what may be asked. A name with one forbidden address is
/// forbidden as a whole: which of several is dialled would be a matter of chance.
pub(super) struct GuardedResolver {
    pub reach: Arc<Reach>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = Arc::clone(&self.reach);
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name, 0)).await.map_err(|_| WebError::NoSuchHost)?.collect();
            if found.is_empty() {
                return Err(WebError::NoSuchHost.into());
            }
            if !reach.may_ask_any_of(name)
                && let Some(forbidden) = found.iter().find(|address| !reach.may_ask(address.ip()))
            {
                return Err(WebError::Forbidden(Some(forbidden.ip())).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
