//! Carries the plan's faults out, each at its moment and beside the others.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{SessionId, Timestamp};
use kurir_core::memory::SystemClock;
use kurir_core::port::{Clock as _, SessionStore};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fleet::{Fleet, number};
use crate::http::Client;
use crate::link::Link;
use crate::place::Place;
use crate::plan::{Fault, Ill, Plan, Server};
use crate::running::Running;
use crate::servers;

/// A worker that was killed, and the sessions that it had.
pub struct Killed {
    pub at: Timestamp,
    pub sessions: Vec<SessionId>,
}

/// How long workers may need that were started when something was still broken.
const SETTLING: Duration = Duration::from_secs(10);

/// What the faults share.
struct Scene {
    places: Vec<Mutex<Place>>,
    /// Apart from the places, since a worker that hangs can be cut off too.
    links: Vec<[Arc<Link>; 4]>,
    relay: Mutex<Place>,
    /// Nodes of RabbitMQ fall one at a time, as their cluster is made for.
    brokers: Mutex<()>,
    redis: Mutex<()>,
    postgres: Mutex<()>,
    numbers: Vec<String>,
    sim: Client,
    store: Arc<dyn SessionStore>,
    killed: Mutex<Vec<Killed>>,
}

/// Carries out all faults of the plan and makes everything whole again; which workers were killed.
pub async fn carry_out(plan: &Plan, mut fleet: Fleet) -> (Fleet, Vec<Killed>) {
    let links = fleet.places.iter().map(|place| Server::ALL.map(|server| place.link(server))).collect();
    let scene = Arc::new(Scene {
        links,
        places: std::mem::take(&mut fleet.places).into_iter().map(Mutex::new).collect(),
        relay: Mutex::new(fleet.relay.take().expect("it was started with the fleet")),
        brokers: Mutex::default(),
        redis: Mutex::default(),
        postgres: Mutex::default(),
        numbers: (0..plan.sessions).map(|at| number(&fleet.world, at)).collect(),
        sim: fleet.world.sim.clone(),
        store: fleet.world.store().await,
        killed: Mutex::default(),
    });
    let supervisor = tokio::spawn(supervise(Arc::clone(&scene)));
    let begun = Instant::now();
    let mut strikes = JoinSet::new();
    for strike in plan.strikes.clone() {
        sleep_until(begun + strike.at).await; // tidy: the plan says how long [sleep]
        println!("chaos: {:>6.1} s  {:?}", begun.elapsed().as_secs_f64(), strike.fault);
        let scene = Arc::clone(&scene);
        strikes.spawn(async move { scene.strike(strike.fault).await });
    }
    strikes.join_all().await;
    // Whoever still starts while the last server comes back gets its chance.
    sleep(SETTLING).await; // tidy: the plan says how long [sleep]
    supervisor.abort();
    let _ = supervisor.await;
    let Ok(scene) = Arc::try_unwrap(scene) else { panic!("a fault goes on") };
    fleet.places = scene.places.into_iter().map(Mutex::into_inner).collect();
    fleet.relay = Some(scene.relay.into_inner());
    (fleet, scene.killed.into_inner())
}

/// Starts processes again that have ended by themselves, as every operator's supervisor does: one that starts while its
/// servers are away says so and ends.
async fn supervise(scene: Arc<Scene>) {
    let mut timer = tokio::time::interval(Duration::from_millis(500));
    loop {
        timer.tick().await;
        for place in scene.places.iter().chain([&scene.relay]) {
            let Ok(mut place) = place.try_lock() else { continue };
            if place.running.as_mut().is_some_and(Running::has_ended) {
                println!("chaos:           {} ended by itself and is started again", place.name());
                place.start().await;
            }
        }
    }
}

impl Scene {
    async fn strike(&self, fault: Fault) {
        match fault {
            Fault::Kill { worker, back } => {
                let mut place = self.alive(worker).await;
                // A moment before, since the store may be away: then this death is not measured.
                let owned = self.owned(place.name()).await;
                place.kill().await;
                if let Some(sessions) = owned {
                    self.killed.lock().await.push(Killed { at: SystemClock.now(), sessions });
                }
                sleep(back).await; // tidy: the plan says how long [sleep]
                place.start().await;
            }
            Fault::Freeze { worker, span } => {
                let place = self.alive(worker).await;
                let Some(running) = &place.running else { return };
                running.signal("STOP").await;
                sleep(span).await; // tidy: the plan says how long [sleep]
                running.signal("CONT").await;
            }
            Fault::Stop { worker, back } => {
                let mut place = self.alive(worker).await;
                let Some(running) = place.running.take() else { return };
                running.signal("TERM").await;
                let (status, said) = running.ended(Duration::from_mins(2)).await;
                if !status.success() {
                    // It was just starting, while something else was broken.
                    println!("chaos:           {} was stopped: {status}", place.name());
                }
                place.heard(said);
                sleep(back).await; // tidy: the plan says how long [sleep]
                place.start().await;
            }
            Fault::Cut { worker, server, span } => {
                let link = &self.links[worker][server as usize];
                link.cut();
                sleep(span).await; // tidy: the plan says how long [sleep]
                link.mend();
            }
            Fault::Swallow { worker, server, span } => {
                let link = &self.links[worker][server as usize];
                link.swallow();
                sleep(span).await; // tidy: the plan says how long [sleep]
                link.mend();
            }
            Fault::KillBroker { node, back } => {
                let name = if node == 0 { "rabbitmq".to_owned() } else { format!("rabbitmq{}", node + 1) };
                let _one = self.brokers.lock().await;
                servers::kill(&name).await;
                sleep(back).await; // tidy: the plan says how long [sleep]
                servers::start(&name).await;
            }
            Fault::RestartRedis { back } => {
                let _one = self.redis.lock().await;
                servers::stop("redis").await;
                sleep(back).await; // tidy: the plan says how long [sleep]
                servers::start("redis").await;
            }
            Fault::RestartPostgres { back } => {
                let _one = self.postgres.lock().await;
                servers::stop("postgres").await;
                sleep(back).await; // tidy: the plan says how long [sleep]
                servers::start("postgres").await;
            }
            Fault::RestartWhatsApp { back } => {
                let down = u64::try_from(back.as_millis()).unwrap();
                let (status, answer) = self.sim.post("/restart", json!({ "down_for_ms": down })).await;
                assert_eq!(status, 204, "{answer}");
            }
            Fault::Account { session, ill } => {
                let (status, answer) = self.sim.post("/faults", order(&self.numbers[session], ill)).await;
                assert!((200..300).contains(&status), "{ill:?}: {status} {answer}");
            }
            Fault::KillRelay => {
                let mut relay = self.relay.lock().await;
                relay.kill().await;
                relay.start().await;
            }
        }
    }

    /// A place with a worker that has not ended by itself.
    async fn alive(&self, worker: usize) -> tokio::sync::MutexGuard<'_, Place> {
        let mut place = self.places[worker].lock().await;
        if place.running.as_mut().is_some_and(Running::has_ended) {
            place.start().await;
        }
        place
    }

    /// The sessions that a worker has, as far as the store can tell.
    async fn owned(&self, worker: &str) -> Option<Vec<SessionId>> {
        let records = self.store.list(None, None, 10_000).await.ok()?;
        let owned = records.into_iter().filter(|record| {
            record.owner.as_ref().is_some_and(|owner| owner.as_str() == worker)
                && record.status.state == kurir_core::domain::SessionState::Connected
        });
        Some(owned.map(|record| record.id).collect())
    }
}

fn order(account: &str, ill: Ill) -> Value {
    let message = json!({"tag": "message", "direction": "from_client"});
    let (effect, stanza, times) = match ill {
        Ill::StreamError(code) => (json!({"do": "stream_error", "code": code}), None, 1),
        Ill::CutAtMessage(moment) => (json!({"do": "cut", "moment": moment}), Some(message), 1),
        Ill::HalfOpen => (json!({"do": "half_open"}), None, 1),
        Ill::CorruptFrame => (json!({"do": "corrupt_frame"}), None, 1),
        Ill::NoAnswer { deliver } => (json!({"do": "no_ack", "deliver": deliver}), None, 2),
        Ill::SlowAnswer => (json!({"do": "slow_ack", "delay_ms": 3000}), None, 5),
        Ill::TwoAnswers => (json!({"do": "duplicate_ack"}), None, 5),
        Ill::Refused(code) => (json!({"do": "ack_error", "code": code}), None, 2),
        Ill::NoReceipts => (json!({"do": "lose_receipt"}), None, 10),
        Ill::Banned => return json!({"kind": "ban", "account": account, "expire_secs": 15}),
    };
    let mut order = json!({"kind": "rule", "account": account, "times": times, "effect": effect});
    if let Some(stanza) = stanza {
        order["stanza"] = stanza;
    }
    order
}
