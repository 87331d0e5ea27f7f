//! The store on a real PostgreSQL: the conformance suite, and what only this store promises.

mod claims;
mod conformance;
mod connections;
mod database;
mod migrations;
mod sealed;
mod storm;
