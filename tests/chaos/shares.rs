//! How many jobs of each kind were sent: without a least share of these, a run in which everything expired would do.

use std::collections::BTreeMap;

use kurir_core::domain::Lane;

/// Jobs of one kind.
#[derive(Clone, Copy, Default)]
struct Share {
    sent: usize,
    all: usize,
}

/// The shares by lane, and by whether the job was for a pool.
pub struct Shares(BTreeMap<(Lane, bool), Share>);

/// The least share of a lane in percent. Runs show over 99. What stands still for long expires among OTPs, which have 30
/// to 120 s, but never among bulk jobs, which have half an hour.
const fn least(lane: Lane) -> usize {
    match lane {
        Lane::Otp => 50,
        Lane::Bulk => 90,
    }
}

impl Shares {
    /// Of no jobs at all.
    pub fn new() -> Self {
        let kinds = Lane::ALL.into_iter().flat_map(|lane| [(lane, false), (lane, true)]);
        Self(kinds.map(|kind| (kind, Share::default())).collect())
    }

    pub fn count(&mut self, lane: Lane, of_pool: bool, sent: bool) {
        let share = self.0.entry((lane, of_pool)).or_default();
        share.all += 1;
        share.sent += usize::from(sent);
    }

    /// Each kind and its share.
    pub fn rows(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(&(lane, of_pool), Share { sent, all })| {
            let kind = format!("  sent of lane {lane}, for {}", if of_pool { "pools" } else { "sessions" });
            let tenths = sent * 1000 / all.max(&1);
            let share = format!("{}.{} % of {all} (at least {} %)", tenths / 10, tenths % 10, least(lane));
            (kind, share)
        })
    }

    /// The kinds of which too few were sent.
    pub fn too_small(&self) -> Vec<String> {
        let small = |&(&(lane, _), share): &(&(Lane, bool), &Share)| {
            share.all == 0 || share.sent * 100 < share.all * least(lane)
        };
        let named = |((lane, of_pool), share): (&(Lane, bool), &Share)| {
            format!("{} of {} of lane {lane}, of a pool: {of_pool}", share.sent, share.all)
        };
        self.0.iter().filter(small).map(named).collect()
    }
}

#[test]
fn a_kind_that_was_not_sent_is_too_small() {
    let mut shares = Shares::new();
    assert_eq!(shares.too_small().len(), 4, "no job is no proof");
    for lane in Lane::ALL {
        for of_pool in [false, true] {
            for at in 0..20 {
                shares.count(lane, of_pool, at > 0 && !(lane == Lane::Otp && of_pool));
            }
        }
    }
    assert_eq!(shares.too_small(), ["0 of 20 of lane otp, of a pool: true"]);
}
