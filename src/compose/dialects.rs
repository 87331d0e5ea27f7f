//! The interfaces of older systems: from the configuration to what the gateway takes.

use std::net::SocketAddr;

use anyhow::Context as _;
use kurir_core::domain::TenantId;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::gateway::{Dialect, DialectOptions, Place};

/// How each dialect is served; `tenant` is the one of callers without a key where the settings name none.
pub(super) fn options(config: &Config, tenant: &TenantId) -> Vec<DialectOptions> {
    let dialects = &config.dialects;
    let of = |dialect| DialectOptions {
        dialect,
        tenant: match dialect {
            Dialect::Otp => &dialects.otp.tenant,
            Dialect::Socketio => &dialects.socketio.tenant,
            // Their callers always have a key.
            Dialect::Waziper | Dialect::Multi | Dialect::Admin => &None,
        }
        .clone()
        .unwrap_or_else(|| tenant.clone()),
        admin_key: dialects.multi.admin_key.clone().filter(|_| dialect == Dialect::Multi),
        max_sessions: dialects.admin.max_sessions,
        send_wait: dialects.send_wait,
        qr_wait: dialects.qr_wait,
        qr_timeout: dialects.socketio.qr_timeout,
    };
    Dialect::ALL.into_iter().map(of).collect()
}

/// The address that a dialect can have of its own.
fn address(config: &Config, dialect: Dialect) -> Option<SocketAddr> {
    Some(match dialect {
        Dialect::Waziper => config.dialects.waziper.listen,
        Dialect::Otp => config.dialects.otp.listen,
        Dialect::Multi => config.dialects.multi.listen,
        Dialect::Socketio => config.dialects.socketio.listen,
        Dialect::Admin => return None,
    })
}

/// Listens on the dialects' own addresses, those that the settings want.
pub(super) async fn places(config: &Config) -> anyhow::Result<Vec<Place>> {
    let mut places = Vec::new();
    for dialect in Dialect::ALL.into_iter().filter(|dialect| config.dialects.own_ports.contains(dialect.as_str())) {
        let Some(listen) = address(config, dialect) else { continue };
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("dialects.{dialect}.listen: {listen} can't be listened on; is another process there?")
        })?;
        tracing::info!(%dialect, address = %listener.local_addr()?, "dialect served");
        places.push(Place { dialect, listener });
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_name_the_dialects_that_there_are() {
        let config = Config::load(&crate::config::Sources::default()).unwrap();
        let with_address = Dialect::ALL.into_iter().filter(|dialect| address(&config, *dialect).is_some());
        assert!(crate::config::DIALECTS.into_iter().eq(with_address.map(Dialect::as_str)));
    }
}
