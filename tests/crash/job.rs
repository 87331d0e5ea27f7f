//! A one-time password to send, and how many of it its phone got.

use std::time::{Duration, SystemTime};

use kurir_core::domain::{EventId, EventKind, JobId, JobKey, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::until;
use crate::world::World;

/// The longest that a job which must arrive may take.
const LIFE: Duration = Duration::from_mins(5);

/// Most times that a job of these tests is delayed.
const DELAYS: u32 = 16;

pub struct Job {
    pub id: Uuid,
    pub to: String,
    pub deadline: SystemTime,
    code: String,
}

/// What a phone got of a job.
#[derive(Debug, PartialEq, Eq)]
pub struct Got {
    /// How often it was on the wire.
    pub arrivals: u64,
    /// How often the phone showed it.
    pub shown: u64,
}

impl Job {
    /// A password to this number.
    pub fn to(number: &str) -> Self {
        Self::within(number, LIFE)
    }

    /// A password that is worth nothing after this span.
    pub fn within(number: &str, life: Duration) -> Self {
        let id = Uuid::new_v4();
        let deadline = SystemTime::now() + life;
        Self { id, to: number.to_owned(), deadline, code: (id.as_u128() % 1_000_000_000_000).to_string() }
    }

    fn text(&self) -> String {
        format!("Kode {}", self.code)
    }

    fn millis(&self) -> u128 {
        self.deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
    }

    /// As the gateway takes it.
    pub fn request(&self, session: &str) -> Value {
        let deadline = kurir_core::domain::Timestamp::from_millis(i64::try_from(self.millis()).unwrap());
        json!({
            "id": self.id, "session": session, "to": self.to, "expires_at": deadline.to_rfc3339(),
            "content": {"type": "otp", "code": self.code, "text": "Kode {code}"},
        })
    }

    /// As the contract has it.
    pub fn body(&self, tenant: &str, session: &str) -> Vec<u8> {
        let mut body = self.request(session);
        body["tenant"] = tenant.into();
        body["lane"] = "otp".into();
        body.to_string().into_bytes()
    }

    /// What was told of it, by the kinds of the events: the ids in the order of publication.
    pub async fn told(&self, world: &World, kind: EventKind) -> Vec<Uuid> {
        let key = JobKey::new(TenantId::new(&world.tenant).unwrap(), JobId::new(self.id));
        let mine: Vec<Uuid> = (0..DELAYS).map(|turn| EventId::of_job(&key, kind, turn).0).collect();
        let told = world.told().await;
        told.into_iter().filter(|event| event.kind == kind.as_str() && mine.contains(&event.id)).map(|e| e.id).collect()
    }

    /// Waits until an event of this kind was told `times`, and demands that it had one id.
    pub async fn is_told(&self, world: &World, kind: EventKind, times: usize) {
        let told = self.is_told_at_least(world, kind, times).await;
        assert_eq!(told, times, "{kind} was told too often");
    }

    /// The same, where the one that died may or may not have told it: whoever follows it tells it once more then, under the
    /// same id. Returns how often it was told so far.
    pub async fn is_told_at_least(&self, world: &World, kind: EventKind, times: usize) -> usize {
        let ids = until(kind.as_str(), async || {
            let ids = self.told(world, kind).await;
            if ids.len() >= times { Ok(ids) } else { Err(format!("{} of {times}", ids.len())) }
        })
        .await;
        assert!(ids.iter().all(|id| *id == ids[0]), "{kind} has several ids: {ids:?}");
        ids.len()
    }

    /// Waits until the ledger says so.
    pub async fn is(&self, world: &World, state: &str) {
        let path = format!("/v1/messages/{}", self.id);
        world.gateway().until(state, &path, |(_, body)| (body["state"] == state).then_some(())).await;
    }

    /// Waits until WhatsApp has taken it, whatever its phone says.
    pub async fn is_sent(&self, world: &World) {
        let sent = |state: &Value| ["sent", "delivered", "read"].iter().any(|one| state == one);
        let path = format!("/v1/messages/{}", self.id);
        world.gateway().until("sent", &path, |(_, body)| sent(&body["state"]).then_some(())).await;
    }

    /// What its phone got.
    pub async fn got(&self, world: &World) -> Got {
        let (status, inbox) = world.sim.get(&format!("/phones/{}/inbox", self.to)).await;
        assert_eq!(status, 200, "{inbox}");
        let all: Vec<&Value> =
            inbox.as_array().unwrap().iter().filter(|message| message["text"] == self.text().as_str()).collect();
        let ids: std::collections::BTreeSet<&str> = all.iter().filter_map(|message| message["id"].as_str()).collect();
        assert!(ids.len() <= 1, "one job under two message ids: {inbox}");
        let sum = |field: &str| all.iter().map(|message| message[field].as_u64().unwrap()).sum();
        Got { arrivals: sum("arrivals"), shown: sum("shown") }
    }

    /// Waits until its phone got it.
    pub async fn arrives(&self, world: &World) {
        until("arrival", async || if self.got(world).await.arrivals > 0 { Ok(()) } else { Err("none".into()) }).await;
    }

    /// Lets the simulator judge whether it comes too late.
    pub async fn watch_deadline(&self, world: &World) {
        let (_, known) = world.gateway().get(&format!("/v1/messages/{}", self.id)).await;
        let id = known["message_id"].as_str().unwrap_or_else(|| panic!("no such message: {known}")).to_owned();
        let deadlines = json!({ id: u64::try_from(self.millis()).unwrap() });
        let (status, answer) = world.sim.post("/deadlines", deadlines).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }

    /// Waits until it is worth nothing any more.
    pub async fn passes(&self) {
        until("deadline", async || if SystemTime::now() > self.deadline { Ok(()) } else { Err("not yet".into()) })
            .await;
    }
}
