//! Where one process of the fleet stands: what runs there changes, its links and what was said there stay.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::link::Link;
use crate::plan::Server;
use crate::running::Running;
use crate::witness::signed;
use crate::words::Words;
use crate::world::stop;

/// How long a process may take to end that was killed.
const SOON: Duration = Duration::from_secs(20);

pub struct Place {
    role: &'static str,
    name: String,
    environment: BTreeMap<String, String>,
    links: BTreeMap<usize, Arc<Link>>,
    /// What runs there now.
    pub running: Option<Running>,
    starts: usize,
    said: Vec<Words>,
}

impl Place {
    pub fn new(role: &'static str, name: String, environment: BTreeMap<String, String>) -> Self {
        Self { role, name, environment, links: BTreeMap::new(), running: None, starts: 0, said: Vec::new() }
    }

    /// Puts a link before each server that is named by its variable; `nodes` are RabbitMQ's.
    pub async fn link_to(&mut self, servers: [(Server, &str); 4], nodes: &[String]) {
        for (server, variable) in servers {
            let nodes = (server == Server::RabbitMq).then(|| nodes.to_vec());
            let (link, url) = Link::before(&self.environment[variable], nodes).await;
            self.environment.insert(variable.into(), url);
            self.links.insert(server as usize, Arc::new(link));
        }
    }

    pub fn link(&self, server: Server) -> Arc<Link> {
        Arc::clone(&self.links[&(server as usize)])
    }

    /// The worker's name in the register.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts a process, in the place of one that has ended by itself. Each start of a worker signs what it writes.
    pub async fn start(&mut self) {
        if let Some(ended) = self.running.take() {
            self.wait(ended).await;
        }
        self.starts += 1;
        let mut environment = self.environment.clone();
        if self.role == "worker" {
            let writer = format!("{}.{}", self.name, self.starts);
            let url = signed(&environment["KURIR_POSTGRES__URL"], &writer);
            environment.insert("KURIR_POSTGRES__URL".into(), url);
        }
        self.running = Some(Running::start(&self.name, &[self.role], &environment));
    }

    /// Ends it at once.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal("KILL").await;
            self.wait(running).await;
        }
    }

    async fn wait(&mut self, running: Running) {
        let (_, said) = running.ended(SOON).await;
        self.heard(said);
    }

    /// Keeps what a process has said that has ended.
    pub fn heard(&mut self, said: String) {
        self.said.push(Words { who: self.name.clone(), said });
    }

    /// Ends it as it should be; all that was ever said here.
    pub async fn leave(mut self) -> Vec<Words> {
        if let Some(running) = self.running.take() {
            let said = stop(running).await;
            self.heard(said);
        }
        self.said
    }
}
