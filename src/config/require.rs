//! What a role needs beyond a configuration that is right in itself.

use super::problem::{ConfigError, Problem};
use super::{Config, StoreKind};

/// The roles of the program that need a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The HTTP gateway of a fleet.
    Gateway,
    /// A worker of a fleet.
    Worker,
    /// The relay of a fleet.
    Relay,
    /// All roles in one process.
    Up,
    /// All roles in one process, with the simulator.
    Demo,
    /// The simulator alone.
    Sim,
    /// A tool that reads or writes the store.
    Tool,
    /// The tool that looks at dead letters.
    Dead,
}

impl Role {
    /// The role's name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Relay => "relay",
            Self::Up => "up",
            Self::Demo => "demo",
            Self::Sim => "sim",
            Self::Tool => "tool",
            Self::Dead => "dead",
        }
    }

    /// Whether it is the only process there is.
    const fn is_alone(self) -> bool {
        matches!(self, Self::Up | Self::Demo)
    }

    const fn is_of_a_fleet(self) -> bool {
        matches!(self, Self::Gateway | Self::Worker | Self::Relay)
    }
}

impl Config {
    /// Checks that everything is set that `role` can't do without; tells all that is missing.
    pub fn require_for(&self, role: Role) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        let mut missing = |key: &str, what: &str| {
            let variable = format!("KURIR_{}", key.to_ascii_uppercase().replace('.', "__"));
            let advice = format!("`kurir {}` needs {what}; set it in a file or as {variable}", role.as_str());
            problems.push(Problem { key: key.to_owned(), value: Some("\"\"".to_owned()), origin: None, advice });
        };
        let fleet = self.store.kind == StoreKind::Postgres && !role.is_alone();
        if role != Role::Sim {
            // Dead letters are RabbitMQ's, and plain in it.
            let stores = !(fleet && role == Role::Dead);
            if fleet && stores && self.postgres.url.is_none() {
                missing("postgres.url", "the address of PostgreSQL");
            }
            if fleet && role != Role::Tool && self.rabbitmq.url.is_none() {
                missing("rabbitmq.url", "the address of RabbitMQ");
            }
            if fleet && matches!(role, Role::Worker | Role::Gateway) && self.redis.url.is_none() {
                missing("redis.url", "the address of Redis");
            }
            let keys = self.store.encryption_keys.is_some() || self.store.encryption_keys_file.is_some();
            // The demo keeps its key beside its database, in a folder that it chooses itself.
            if !keys && stores && role != Role::Demo {
                missing("store.encryption_keys", "the keys that stored state is encrypted with");
            }
            // One process alone makes a key for the run and tells it to whoever started it.
            if role == Role::Gateway && self.gateway.api_key.is_none() {
                missing("gateway.api_key", "the key that callers of the HTTP interface give");
            }
        }
        if role.is_of_a_fleet() && self.store.kind == StoreKind::Sqlite {
            let advice = format!(
                "`kurir {}` is one process among others, and SQLite can't be shared between them; set it to \"postgres\", \
                 or run everything in one process with `kurir up`",
                role.as_str()
            );
            let value = Some("\"sqlite\"".to_owned());
            problems.push(Problem { key: "store.kind".to_owned(), value, origin: None, advice });
        }
        if role.is_alone() && self.store.kind == StoreKind::Postgres {
            let advice = format!(
                "`kurir {}` is everything in one process over SQLite; set it to \"sqlite\", or start the roles one by one \
                 with `kurir gateway`, `kurir worker` and `kurir relay`",
                role.as_str()
            );
            let value = Some("\"postgres\"".to_owned());
            problems.push(Problem { key: "store.kind".to_owned(), value, origin: None, advice });
        }
        ConfigError::unless_none(problems)
    }
}
