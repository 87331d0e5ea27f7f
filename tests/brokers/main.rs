//! The adapters of RabbitMQ and Redis on real servers: the conformance suites, and what only these adapters promise.

mod proxy;
mod rabbit_calls;
mod rabbit_conformance;
mod rabbit_contract;
mod rabbit_dead;
mod rabbit_letters;
mod rabbit_recovery;
mod redis_conformance;
mod redis_keys;
mod redis_recovery;
mod servers;
