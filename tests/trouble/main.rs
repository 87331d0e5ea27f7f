//! Servers that fail under a working fleet: it stops sending while it can't record what it does, goes on by itself, and
//! in the end every job has been shown once.
#![cfg(feature = "simulator")]

mod balancer;
mod fleet;
#[path = "../fleet/http.rs"]
mod http;
mod late;
mod load;
#[path = "../brokers/proxy.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod proxy;
#[path = "../process/running.rs"]
mod running;
mod servers;
#[path = "../fleet/world.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod world;

use balancer::Balancer;
use fleet::Fleet;
use load::Load;
use proxy::Proxy;
use servers::{Alone, rabbitmqctl, read_only};
use world::variable;

/// Jobs that are on their way before there is trouble.
const BEFORE: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_restarted() {
    let _alone = Alone::wait().await;
    let fleet = Fleet::start(&[]).await;
    let load = Load::start(&fleet, 0).await;
    fleet.sends(BEFORE).await;
    servers::stop("postgres").await;
    let count = fleet.falls_silent().await;
    load.more(20).await;
    fleet.is_silent_since(count).await;
    servers::start("postgres").await;
    fleet.sends(BEFORE).await;
    let jobs = load.finish().await;
    fleet.has_sent(&jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_takes_no_writes() {
    let _alone = Alone::wait().await;
    let fleet = Fleet::start(&[]).await;
    let load = Load::start(&fleet, 0).await;
    fleet.sends(BEFORE).await;
    read_only(true).await;
    let count = fleet.falls_silent().await;
    load.more(20).await;
    fleet.is_silent_since(count).await;
    read_only(false).await;
    fleet.sends(BEFORE).await;
    let jobs = load.finish().await;
    fleet.has_sent(&jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_gone_and_comes_back_empty() {
    let _alone = Alone::wait().await;
    let fleet = Fleet::start(&[]).await;
    let load = Load::start(&fleet, 0).await;
    fleet.sends(BEFORE).await;
    servers::stop("redis").await;
    // Its leases have run out.
    let count = fleet.falls_silent().await;
    load.more(20).await;
    fleet.is_silent_since(count).await;
    servers::start("redis").await;
    fleet.sends(BEFORE).await;
    let jobs = load.finish().await;
    fleet.has_sent(&jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_rabbitmq_are_lost() {
    let _alone = Alone::wait().await;
    let (proxy, url) = Proxy::before(&variable("KURIR_TEST_AMQP_URL")).await;
    let fleet = Fleet::start(&[("KURIR_RABBITMQ__URL", &url)]).await;
    let load = Load::start(&fleet, 0).await;
    for _ in 0..3 {
        fleet.sends(BEFORE).await;
        proxy.cut();
    }
    fleet.sends(BEFORE).await;
    // Both ends believe in them; nothing comes through, until heartbeats tell.
    for connection in 0..proxy.count() {
        proxy.swallow(connection);
    }
    fleet.sends(BEFORE).await;
    let jobs = load.finish().await;
    fleet.has_sent(&jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_is_restarted() {
    let _alone = Alone::wait().await;
    let fleet = Fleet::start(&[]).await;
    let load = Load::start(&fleet, 0).await;
    fleet.sends(BEFORE).await;
    servers::stop("rabbitmq").await;
    fleet.falls_silent().await;
    servers::start("rabbitmq").await;
    fleet.sends(BEFORE).await;
    let jobs = load.finish().await;
    fleet.has_sent(&jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_blocks_publishers() {
    let _alone = Alone::wait().await;
    // Slower than the producer, so that there is always something to send.
    let fleet = Fleet::start(&[("KURIR_LIMITS__SENDER__EVERY", "700ms"), ("KURIR_LIMITS__SENDER__BURST", "1")]).await;
    let load = Load::start(&fleet, 0).await;
    for (alarm, none) in [
        (["set_disk_free_limit", "900000GB"], ["set_disk_free_limit", "50MB"]),
        (["set_vm_memory_high_watermark", "0.0000001"], ["set_vm_memory_high_watermark", "0.4"]),
    ] {
        fleet.sends(BEFORE).await;
        rabbitmqctl(&alarm).await;
        // Nobody would hear of what it sends now.
        let count = fleet.falls_silent().await;
        assert!(count < load.so_far() as u64, "there was nothing left to send");
        rabbitmqctl(&none).await;
        fleet.sends(BEFORE).await;
    }
    let jobs = load.finish().await;
    fleet.has_sent(&jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessions_queues_are_deleted() {
    let _alone = Alone::wait().await;
    let fleet = Fleet::start(&[]).await;
    let load = Load::start(&fleet, 0).await;
    fleet.sends(BEFORE).await;
    // What stands in a queue goes with it, so there must be nothing.
    let first = load.finish().await;
    fleet.have_ended(&first).await;
    for lane in ["otp", "bulk"] {
        rabbitmqctl(&["delete_queue", &format!("kurir.s.{}.{lane}", fleet.sessions[0])]).await;
    }
    let load = Load::start(&fleet, first.len()).await;
    fleet.sends(BEFORE).await;
    let mut jobs = load.finish().await;
    jobs.extend(first);
    fleet.has_sent(&jobs).await;
}

/// From 3.10 to 4: not in place, which RabbitMQ does not support, but once the old one has nothing left.
#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_is_replaced_by_version_4() {
    let _alone = Alone::wait().await;
    if !servers::version_4().await {
        println!("skipped: RabbitMQ 4 can't be had here");
        return;
    }
    let fleet = Fleet::start(&[]).await;
    let load = Load::start(&fleet, 0).await;
    fleet.sends(BEFORE).await;
    let first = load.finish().await;
    fleet.have_ended(&first).await;
    servers::replace_by_4().await;
    // Nobody was restarted and nothing declared by hand. The producer goes on when the sessions' queues are there.
    let load = Load::start(&fleet, first.len()).await;
    fleet.sends(2 * BEFORE).await;
    let mut jobs = load.finish().await;
    jobs.extend(first);
    fleet.has_sent(&jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_is_killed() {
    let _alone = Alone::wait().await;
    let url = variable("KURIR_TEST_AMQP_URL");
    let first = servers::address(&url);
    let (second, third) = (servers::join("rabbitmq2").await, servers::join("rabbitmq3").await);
    // The fleet's connections, and with them the leaders of its queues, are at the node that dies.
    let balancer = Balancer::start(vec![second, third, first.clone()]).await;
    let fleet = Fleet::start(&[("KURIR_RABBITMQ__URL", &url.replace(&first, balancer.address()))]).await;
    let load = Load::start(&fleet, 0).await;
    fleet.sends(BEFORE).await;
    servers::kill("rabbitmq2").await;
    fleet.sends(2 * BEFORE).await;
    servers::start("rabbitmq2").await;
    fleet.sends(BEFORE).await;
    let jobs = load.finish().await;
    fleet.has_sent(&jobs).await;
    for node in ["rabbitmq2", "rabbitmq3"] {
        servers::leave(node).await;
    }
}
