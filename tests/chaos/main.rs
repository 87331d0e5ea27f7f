//! A fleet under load while everything around it breaks, in an order that a seed decides; then what came of it is compared
//! with what was asked for. `make chaos` runs it; a run is repeated by its seed.
#![cfg(feature = "simulator")]

mod fleet;
#[path = "../fleet/http.rs"]
mod http;
mod lies;
mod link;
mod load;
mod phones;
mod place;
mod plan;
#[path = "../process/running.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod running;
#[path = "../trouble/servers.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod servers;
mod shares;
mod story;
mod strike;
mod stuck;
mod told;
mod verdict;
mod witness;
mod words;
#[path = "../fleet/world.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod world;

use fleet::Fleet;
use load::Load;
use plan::Plan;
use servers::Alone;

#[tokio::test(flavor = "multi_thread")]
async fn every_job_has_one_outcome_and_reaches_its_phone_at_most_once() {
    let plan = Plan::of_environment();
    let _alone = Alone::wait().await;
    println!("chaos: {plan}");
    let fleet = Fleet::start(&plan).await;
    println!("chaos: {} sessions are linked", plan.sessions);
    told::listen(&fleet).await;
    let load = Load::start(&plan, &fleet).await;
    let (fleet, killed) = strike::carry_out(&plan, fleet).await;
    println!("chaos: all is whole again");
    let jobs = load.finish().await;
    let verdict = verdict::reach(&fleet, &jobs).await;
    let ended = fleet.stop().await;
    let broken = verdict.tell(&plan, &jobs, &killed, ended);
    assert!(broken.is_empty(), "seed {}:\n{}", plan.seed, broken.join("\n"));
}
