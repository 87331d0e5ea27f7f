//! The suite of the vigil.

use std::sync::Arc;

use tokio::time::timeout;
use uuid::Uuid;

use super::suite::{QUIET, SOON, checks};
use crate::domain::Sight;
use crate::port::{Vigil, Watch};

/// Checks what a vigil promises.
pub async fn vigil(make: impl AsyncFn() -> Arc<dyn Vigil>) {
    use self as vigil;
    checks!(
        "vigil",
        make,
        [
            vigil::all_who_live_are_seen,
            vigil::who_is_gone_has_died,
            vigil::who_lives_now_can_be_asked,
            vigil::who_comes_back_is_seen_again,
            vigil::a_nudge_reaches_all,
        ]
    );
}

type Fleet = Arc<dyn Vigil>;

fn process() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}

/// Waits for a sight; others of the fleet may be about as well.
async fn seen(watch: &mut Watch, wanted: Sight) {
    let sight = async {
        while let Some(sight) = watch.sights.recv().await {
            if sight == wanted {
                return;
            }
        }
        panic!("the vigil ended");
    };
    timeout(SOON, sight).await.unwrap_or_else(|_| panic!("{wanted:?} was not seen within {SOON:?}"));
}

/// Nothing of this is seen for a while.
async fn not_seen(watch: &mut Watch, unwanted: Sight) {
    let sight = async {
        while let Some(sight) = watch.sights.recv().await {
            assert_ne!(sight, unwanted);
        }
    };
    // Nobody else comes or goes, so the time runs out.
    let _ = timeout(QUIET, sight).await;
}

async fn all_who_live_are_seen(fleet: Fleet) {
    let (one, two) = (process(), process());
    let mut first = fleet.keep(one).await.unwrap();
    seen(&mut first, Sight::Appeared(one)).await;
    let mut second = fleet.keep(two).await.unwrap();
    seen(&mut first, Sight::Appeared(two)).await;
    seen(&mut second, Sight::Appeared(one)).await;
    not_seen(&mut first, Sight::Died(two)).await;
}

async fn who_is_gone_has_died(fleet: Fleet) {
    let (one, two, three) = (process(), process(), process());
    let mut first = fleet.keep(one).await.unwrap();
    let mut second = fleet.keep(two).await.unwrap();
    let third = fleet.keep(three).await.unwrap();
    for watch in [&mut first, &mut second] {
        seen(watch, Sight::Appeared(three)).await;
    }
    drop(third);
    for watch in [&mut first, &mut second] {
        seen(watch, Sight::Died(three)).await;
    }
    not_seen(&mut first, Sight::Died(two)).await;
}

async fn who_lives_now_can_be_asked(fleet: Fleet) {
    let (one, two) = (process(), process());
    let mut first = fleet.keep(one).await.unwrap();
    let second = fleet.keep(two).await.unwrap();
    let alive = fleet.alive().await.unwrap();
    assert!(alive.contains(&one) && alive.contains(&two), "{alive:?}");
    seen(&mut first, Sight::Appeared(two)).await;
    drop(second);
    seen(&mut first, Sight::Died(two)).await;
    let alive = fleet.alive().await.unwrap();
    assert!(alive.contains(&one) && !alive.contains(&two), "{alive:?}");
}

async fn who_comes_back_is_seen_again(fleet: Fleet) {
    let (one, two) = (process(), process());
    let mut first = fleet.keep(one).await.unwrap();
    for _ in 0..2 {
        let second = fleet.keep(two).await.unwrap();
        seen(&mut first, Sight::Appeared(two)).await;
        drop(second);
        seen(&mut first, Sight::Died(two)).await;
    }
}

async fn a_nudge_reaches_all(fleet: Fleet) {
    let mut first = fleet.keep(process()).await.unwrap();
    let mut second = fleet.keep(process()).await.unwrap();
    fleet.nudge().await.unwrap();
    for watch in [&mut first, &mut second] {
        seen(watch, Sight::Look).await;
    }
}
