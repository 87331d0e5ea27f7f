//! The ports of `kurir-core`, each on a vendor's system. An adapter imports neither another adapter nor a role.

pub mod http;
pub mod postgres;
pub mod rabbitmq;
pub mod redis;
pub mod sqlite;
pub mod whatsapp;
