//! The other pages, each by the program that looks at it.

use crate::chromium::chromium;
use crate::messages::Place;
use crate::world::{KEY, PASSWORD, USER, World};
use crate::{fleet, messages};

const PHONE: &str = "6281100000092";
const FRIEND: &str = "6281288880092";

#[tokio::test(flavor = "multi_thread")]
async fn messages_fleet_verifications_and_limits_are_live_and_can_be_read() {
    let Some(chromium) = chromium() else { return };
    let world = World::start().await;
    world.link("toko-2", PHONE).await;
    let place = Place {
        gateway: &world.base,
        phones: &world.phones_url,
        key: KEY,
        user: USER,
        password: PASSWORD,
        session: "toko-2",
        number: FRIEND,
    };
    messages::are_live_and_accessible(&place, &chromium).await;
    // Charts need something that was sent.
    fleet::pages_can_be_read_and_charts_are_drawn(&world.base, USER, PASSWORD).await;
    world.stop(&[PHONE, FRIEND]).await;
}
