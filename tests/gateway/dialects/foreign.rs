//! Another tenant's sessions are as good as none, word for word.

use kurir_core::port::SessionStore as _;
use serde_json::Value;

use super::routes::{Does, Named, routes};
use super::world;
use crate::fixture::{KEY, OTHER_KEY, session};

#[test]
fn the_session_of_somebody_else_looks_like_one_that_nobody_has() {
    let world = world();
    let it = &world.it;
    let record = |id: &str| it.runtime.block_on(it.stores.get(&session(id))).unwrap();
    let mut walked = 0;
    for route in routes().into_iter().filter(|route| route.session != Named::Nowhere) {
        let (theirs, nobodys) = (world.session_of(&route), "MIJ2X9WQ04K1ZT");
        let id = world.id_of(&route);
        let before = record(id);
        let answer = world.good(&route, OTHER_KEY, theirs);
        let what = format!("{} {}: {}", route.method, route.path, answer.text());
        assert_eq!(record(id), before, "it was changed: {what}");
        if route.path.ends_with("/qr-page") {
            // The page is the same for whoever asks and whatever is asked; its script asks with the caller's key.
            let nobodys_page = world.good(&route, OTHER_KEY, nobodys).text().replace(nobodys, theirs);
            assert_eq!(answer.text(), nobodys_page);
            continue;
        }
        if route.does(Does::Makes) {
            // Ids are everybody's, so one that is taken can be noticed by who wants it; names are each tenant's own.
            assert!([404, 409, 503].contains(&answer.status), "{what}");
        } else {
            let other = world.good(&route, OTHER_KEY, nobodys);
            assert_eq!((answer.status, answer.text()), (other.status, other.text().replace(nobodys, theirs)), "{what}");
            assert_eq!(answer.status, 404, "{what}");
        }
        assert!(!answer.text().contains("Toko Rahasia") && !answer.text().contains("628999"), "{what}");
        // The same request is good for its owner.
        if !route.does(Does::Ends) && !route.does(Does::Makes) {
            assert_ne!(world.good(&route, KEY, theirs).status, 404, "{what}");
        }
        walked += 1;
    }
    assert!(walked > 25, "{walked}");
    for path in ["/dialects/otp/api/sessions", "/dialects/multi/api/sessions", "/api/admin/whatsapp-sessions"] {
        let listed = it.ask_as(&[("X-Api-Key", OTHER_KEY)], "GET", path, &Value::Null).text();
        assert!(!listed.contains("Toko Rahasia") && !listed.contains(&world.instance), "{listed}");
    }
}
