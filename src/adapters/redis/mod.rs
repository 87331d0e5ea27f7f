//! Redis: what is short-lived and shared by the fleet. All of it may be lost without loss of data: leases are guarded
//! by the epoch, members beat again, and a recipient's books begin anew.
//!
//! Works on Redis 6 and later and on Valkey, on one node or a primary with replicas behind one address.

mod leases;
mod members;
mod options;
mod recipients;
mod scripts;
mod store;
mod wishes;

pub use self::options::RedisOptions;
pub use self::store::RedisStore;
