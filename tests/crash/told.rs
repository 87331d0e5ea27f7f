//! The events as their followers get them: through RabbitMQ, or out of the one process' file.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use kurir::adapters::rabbitmq::{RabbitMq, RabbitOptions};
use kurir_core::domain::TenantId;
use kurir_core::port::{EventFilter, EventSource};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};
use uuid::Uuid;

use crate::world::variable;

/// A published event.
#[derive(Clone, Debug)]
pub struct Told {
    pub id: Uuid,
    pub kind: String,
}

/// All events of one world, those that were published twice twice.
pub enum Events {
    Followed { seen: Arc<Mutex<Vec<Told>>>, broker: RabbitMq },
    Read(PathBuf),
}

impl Events {
    /// Follows a tenant's events from now on.
    pub async fn follow(tenant: &str) -> Self {
        let broker = RabbitMq::connect(RabbitOptions::new(variable("KURIR_TEST_AMQP_URL"))).await.unwrap();
        let filter = EventFilter { tenant: Some(TenantId::new(tenant).unwrap()), ..EventFilter::default() };
        let mut stream = EventSource::subscribe(&broker, filter).await.unwrap();
        let seen: Arc<Mutex<Vec<Told>>> = Arc::default();
        let notes = Arc::clone(&seen);
        // Ends with the connection.
        tokio::spawn(async move {
            while let Ok(Some(event)) = stream.next().await {
                let event: Value = serde_json::from_slice(&event.body).unwrap();
                let told = Told {
                    id: event["id"].as_str().unwrap().parse().unwrap(),
                    kind: event["type"].as_str().unwrap().to_owned(),
                };
                notes.lock().unwrap().push(told);
            }
        });
        Self::Followed { seen, broker }
    }

    pub async fn so_far(&self) -> Vec<Told> {
        let file = match self {
            Self::Followed { seen, .. } => return seen.lock().unwrap().clone(),
            Self::Read(file) => file,
        };
        // Beside the process that has it open, which only reading allows.
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = options.connect().await.unwrap();
        let rows = sqlx::query("SELECT id, kind FROM event ORDER BY seq").fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| Told { id: Uuid::from_slice(row.get(0)).unwrap(), kind: row.get(1) }).collect()
    }

    /// The broker behind them.
    pub const fn broker(&self) -> Option<&RabbitMq> {
        match self {
            Self::Followed { broker, .. } => Some(broker),
            Self::Read(_) => None,
        }
    }
}
