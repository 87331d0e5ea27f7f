//! Signal state: scans. Keys hold whatever WhatsApp puts into them, so nothing in them is special.

use super::Stores;
use super::state::{done, put, puts};
use super::stores::Owned;

/// Writes the keys, each with its own text as the value.
async fn keys(stores: &Stores, keys: &[&str]) -> Owned {
    let owned = stores.owned().await;
    done(stores, &owned.fence, puts(keys.iter().map(|key| put("a", key, (*key).to_owned())).collect())).await;
    owned
}

/// The keys of a scan, after a look at the values.
async fn scan(stores: &Stores, owned: &Owned, prefix: &str) -> Vec<String> {
    let found = stores.state.scan(&owned.id, "a", prefix).await.unwrap();
    for (key, value) in &found {
        assert_eq!(key.as_bytes(), &value[..], "a key came with the value of another");
    }
    found.into_iter().map(|(key, _)| key).collect()
}

pub(super) async fn scan_gives_an_area_in_bytewise_order(stores: Stores) {
    let mut all = vec![
        "b",
        "a",
        "B",
        "_",
        "~",
        "a.1",
        "a:1",
        "a-1",
        "aa",
        "\u{e9}",
        "e",
        "f",
        "z",
        "\u{ff5e}",
        "\u{1f600}",
        "10",
        "9",
    ];
    let owned = keys(&stores, &all).await;
    all.sort_unstable();
    assert_eq!(scan(&stores, &owned, "").await, all);
}

pub(super) async fn a_prefix_is_no_pattern(stores: Stores) {
    let all = [
        "50%", "50%:1", "500", "a_1", "ab1", "a\\1", "a\\\\", "a*1", "a?1", "a[b]1", "%", "%%", "_", "\\", "\\%", "'",
        "''1",
    ];
    let owned = keys(&stores, &all).await;
    for prefix in ["50%", "a_", "a\\", "a\\\\", "a*", "a?", "a[", "%", "_", "\\", "\\%", "'", "''", "a", "5", "no"] {
        let mut expected: Vec<_> = all.iter().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        assert_eq!(scan(&stores, &owned, prefix).await.iter().collect::<Vec<_>>(), expected, "prefix {prefix:?}");
    }
}

pub(super) async fn a_prefix_minds_case(stores: Stores) {
    let owned = keys(&stores, &["abc", "ABC", "Abd", "\u{e9}1", "\u{c9}1"]).await;
    assert_eq!(scan(&stores, &owned, "ab").await, ["abc"]);
    assert_eq!(scan(&stores, &owned, "A").await, ["ABC", "Abd"]);
    assert_eq!(scan(&stores, &owned, "\u{e9}").await, ["\u{e9}1"]);
}

pub(super) async fn a_prefix_may_be_any_text(stores: Stores) {
    // An upper bound made by adding one to the last character fails at the last characters that there are.
    let all = ["k", "k\u{7f}", "k\u{d7ff}x", "k\u{ffff}x", "k\u{10ffff}", "k\u{10ffff}\u{10ffff}x", "l", "\u{10ffff}y"];
    let owned = keys(&stores, &all).await;
    for prefix in ["k", "k\u{7f}", "k\u{d7ff}", "k\u{ffff}", "k\u{10ffff}", "\u{10ffff}", "k\u{10ffff}\u{10ffff}x"] {
        let mut expected: Vec<_> = all.iter().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        assert_eq!(scan(&stores, &owned, prefix).await.iter().collect::<Vec<_>>(), expected, "prefix {prefix:?}");
    }
    assert_eq!(scan(&stores, &owned, "kk").await, [""; 0]);
}

pub(super) async fn scan_stays_in_its_area_and_session(stores: Stores) {
    let (one, two) = (stores.owned().await, stores.owned().await);
    let batch = puts(vec![put("a", "k1", "k1"), put("b", "k2", "k2"), put("ab", "k3", "k3")]);
    done(&stores, &one.fence, batch).await;
    done(&stores, &two.fence, puts(vec![put("a", "k4", "k4")])).await;
    assert_eq!(scan(&stores, &one, "k").await, ["k1"]);
    assert_eq!(scan(&stores, &two, "").await, ["k4"]);
    assert_eq!(stores.state.scan(&one.id, "unknown", "").await.unwrap(), []);
    assert_eq!(stores.state.scan(&one.id, "a%", "").await.unwrap(), []);
}
