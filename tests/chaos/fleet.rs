//! The processes of a run, and the links between the workers and their servers.

use futures_util::StreamExt as _;
use serde_json::json;

use crate::link::Link;
use crate::place::Place;
use crate::plan::{Plan, Server};
use crate::servers;
use crate::witness::{Testimony, Witness};
use crate::words::Words;
use crate::world::{World, variable};

/// As short as their relations allow, so that each kind of trouble is noticed soon, and many fit into a run.
const SETTINGS: [(&str, &str); 18] = [
    ("KURIR_WORKER__LEASE_TTL", "9s"),
    ("KURIR_WORKER__RENEW_EVERY", "1500ms"),
    ("KURIR_WORKER__SCAN_EVERY", "500ms"),
    ("KURIR_WORKER__ACK_PATIENCE", "5s"),
    ("KURIR_WORKER__STOP_DEADLINE", "8500ms"),
    ("KURIR_WORKER__CONNECT_RATE", "60"),
    ("KURIR_RABBITMQ__PUBLISH_TIMEOUT", "3s"),
    ("KURIR_RABBITMQ__HEARTBEAT", "2s"),
    ("KURIR_RABBITMQ__RECONNECT_MAX", "1s"),
    ("KURIR_REDIS__TIMEOUT", "1s"),
    ("KURIR_RELAY__AGE", "3500ms"),
    ("KURIR_RELAY__SWEEP_EVERY", "300ms"),
    ("KURIR_RETRY__BACKOFF_BASE", "500ms"),
    ("KURIR_RETRY__BACKOFF_MAX", "2s"),
    ("KURIR_LIMITS__SENDER__EVERY", "50ms"),
    ("KURIR_LIMITS__SENDER__BURST", "5"),
    ("KURIR_SIMULATOR__DELIVERED_AFTER", "20ms"),
    ("KURIR_SIMULATOR__READ_AFTER", "50ms"),
];

/// How many sessions are linked at a time.
const LINKED_AT_ONCE: usize = 4;

pub struct Fleet {
    pub world: World,
    pub places: Vec<Place>,
    pub relay: Option<Place>,
    pub pools: Vec<String>,
    nodes: Vec<String>,
    witness: Witness,
}

/// What is known only when all have ended.
pub struct Ended {
    pub words: Vec<Words>,
    pub testimony: Testimony,
}

impl Fleet {
    /// Starts all of it, and links the sessions: half of them belong to pools.
    pub async fn start(plan: &Plan) -> Self {
        let mut nodes = vec![servers::address(&variable("KURIR_TEST_AMQP_URL"))];
        for node in 2..=plan.nodes {
            nodes.push(servers::join(&format!("rabbitmq{node}")).await);
        }
        let world = World::start_with(&SETTINGS).await;
        let witness = Witness::install(&world.environment["KURIR_POSTGRES__SCHEMA"]).await;
        let mut places = Vec::new();
        for at in 0..plan.workers {
            places.push(place(&world, at, &nodes).await);
        }
        let mut relay = Place::new("relay", "relay".into(), world.environment.clone());
        for place in places.iter_mut().chain([&mut relay]) {
            place.start().await;
        }
        let pools = vec![format!("one-{}", world.tag), format!("two-{}", world.tag)];
        let link = async |at: usize| {
            let mut body = json!({"id": world.session(at)});
            if at.is_multiple_of(2) {
                body["pool"] = json!(pools[at / 2 % 2]);
            }
            let (status, answer) = world.gateway.post("/v1/sessions", body).await;
            assert_eq!(status, 201, "{answer}");
            world.scan(&world.session(at), &number(&world, at)).await;
        };
        futures_util::stream::iter((0..plan.sessions).map(link)).buffer_unordered(LINKED_AT_ONCE).collect::<()>().await;
        Self { world, places, relay: Some(relay), pools, nodes, witness }
    }

    /// A way to the brokers that is never cut, and its URL.
    pub async fn broker(&self) -> (Link, String) {
        Link::before(&self.world.environment["KURIR_RABBITMQ__URL"], Some(self.nodes.clone())).await
    }

    /// Ends it.
    pub async fn stop(self) -> Ended {
        let mut words = Vec::new();
        for place in self.places.into_iter().chain(self.relay) {
            words.extend(place.leave().await);
        }
        Ended { words, testimony: self.witness.testimony().await }
    }
}

/// The number of a session.
pub fn number(world: &World, at: usize) -> String {
    let tag = u32::from_str_radix(&world.tag, 16).unwrap() % 90_000;
    format!("62819{tag:05}{at:03}")
}

async fn place(world: &World, at: usize, nodes: &[String]) -> Place {
    let mut environment = world.environment.clone();
    let name = format!("worker-{at}-{}", world.tag);
    environment.insert("KURIR_WORKER__NAME".into(), name.clone());
    // Each worker has a node that it likes best, as behind a balancer.
    let mut nodes = nodes.to_vec();
    let first = at % nodes.len();
    nodes.rotate_left(first);
    let servers = [
        (Server::RabbitMq, "KURIR_RABBITMQ__URL"),
        (Server::Redis, "KURIR_REDIS__URL"),
        (Server::Postgres, "KURIR_POSTGRES__URL"),
        (Server::WhatsApp, "KURIR_WHATSAPP__ENDPOINT"),
    ];
    let mut place = Place::new("worker", name, environment);
    place.link_to(servers, &nodes).await;
    place
}
