//! Links the demo's sessions as a person would: create it, take the QR code, scan it with a phone.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kurir_core::domain::{EventKind, PhoneNumber, SessionId};
use kurir_core::port::{EventFilter, EventStream};
use kurir_core::wire::{EventV1, SessionDataV1};

use crate::compose::Embedded;

/// How long a step of the linking may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Creates a session through the HTTP gateway, scans its code with the phone of `number` and waits until it can send.
pub async fn link(up: &Embedded, id: &SessionId, number: &PhoneNumber, draw: bool) -> anyhow::Result<()> {
    // Before the session exists, so that none of its events is missed.
    let filter = EventFilter { session: Some(id.clone()), ..EventFilter::default() };
    let mut events = up.backends.event_source.subscribe(filter).await?;
    create(up, id).await?;
    let qr = wait(&mut *events, EventKind::SessionQr).await?.qr.context("the event session.qr holds no code")?;
    if draw {
        println!("{}", qr.terminal);
        println!("(the simulated phone scans this code)");
    }
    let device = super::flow::phones(up)?
        .scan(&qr.text, number.digits())
        .await
        .context("the simulated phone could not scan the code")?;
    wait(&mut *events, EventKind::SessionConnected).await?;
    println!("session {id} is linked to the simulated phone {number} as its device {}", device.device);
    std::io::stdout().flush()?;
    Ok(())
}

async fn create(up: &Embedded, id: &SessionId) -> anyhow::Result<()> {
    let url = format!("{}/v1/sessions", up.gateway_url);
    let key = up.api_key.clone();
    let body = serde_json::json!({"id": id});
    let status = tokio::task::spawn_blocking(move || -> anyhow::Result<u16> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
        let answer = agent
            .post(&url)
            .header("Authorization", &format!("Bearer {}", key.expose()))
            .send_json(body)
            .with_context(|| format!("the gateway at {url} can't be reached"))?;
        Ok(answer.status().as_u16())
    })
    .await??;
    if status != 201 {
        bail!("the gateway answered {status} to the creation of session {id}");
    }
    Ok(())
}

async fn wait(events: &mut dyn EventStream, kind: EventKind) -> anyhow::Result<SessionDataV1> {
    let found = tokio::time::timeout(PATIENCE, async {
        while let Some(event) = events.next().await? {
            let Ok(event) = serde_json::from_slice::<EventV1<SessionDataV1>>(&event.body) else { continue };
            if event.kind == kind.as_str() {
                return Ok(event.data);
            }
        }
        bail!("the events ended while waiting for {kind}")
    });
    found.await.with_context(|| format!("no {kind} within {} s", PATIENCE.as_secs()))?
}
