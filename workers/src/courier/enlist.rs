//! What webhooks are to hear of: out of the log, into deliveries.

use kurir_core::domain::{Delivery, DeliveryId, LogFilter, Webhook};
use kurir_core::port::PortError;
use tokio_util::sync::CancellationToken;

use super::{CourierOptions, CourierPorts};

/// Most events of one step.
const PAGE: u32 = 200;

/// Most webhooks of one look.
const MOST: u32 = 100;

/// Most rounds of one look, so that what is due gets its turn.
const ROUNDS: u32 = 10;

/// Moves the cursors of all webhooks towards the end of the log.
pub(super) async fn enlist(
    options: &CourierOptions,
    ports: &CourierPorts,
    stop: &CancellationToken,
) -> Result<(), PortError> {
    let Some(span) = ports.log.span().await? else { return Ok(()) };
    for _ in 0..ROUNDS {
        let behind = ports.webhooks.behind(span.newest, options.most_pending, MOST).await?;
        if behind.is_empty() {
            return Ok(());
        }
        for webhook in behind {
            if stop.is_cancelled() {
                return Ok(());
            }
            step(ports, &webhook).await?;
        }
    }
    Ok(())
}

async fn step(ports: &CourierPorts, webhook: &Webhook) -> Result<(), PortError> {
    let filter = LogFilter {
        tenant: Some(webhook.tenant.clone()),
        sessions: webhook.settings.sessions.clone(),
        kinds: webhook.settings.types.kinds(),
    };
    let page = ports.log.read(webhook.cursor, &filter, PAGE).await?;
    if page.to == webhook.cursor {
        return Ok(());
    }
    let now = ports.clock.now();
    let delivery = |entry: &kurir_core::domain::LoggedEvent| {
        let what = (entry.event.id, entry.event.kind, Some(entry.position));
        Delivery::new(DeliveryId::new(now, ports.entropy.nonce()), webhook.id.clone(), what, now)
    };
    let deliveries: Vec<_> = page.events.iter().map(delivery).collect();
    // Refused where another relay was faster: it enlisted the same.
    ports.webhooks.enlist(&webhook.id, webhook.cursor, page.to, &deliveries).await?;
    Ok(())
}
