//! Who should hold which session: weighted rendezvous hashing with bounded load. Every worker computes it by itself
//! from the same facts and comes to the same answer; when a worker joins or leaves, few sessions move.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::domain::SessionId;

/// A worker that may hold sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name and instance, as text; the same for all who compute.
    pub id: String,
    /// How many sessions it is ready to hold; also its weight.
    pub capacity: u32,
}

/// How much more than its fair share a worker may get, in percent. More moves fewer sessions, less is more even.
const SLACK_PERCENT: u64 = 10;

/// Gives each session a worker: the index into `workers`, or `None` where all are full. The order of the sessions must
/// be the same for all who compute, so sort them.
///
/// `pinned` tells where a session is wanted by its operator: an index into `workers`. Such sessions are placed first, and
/// count for the others' bounds; one whose worker is full goes where it would go by itself.
pub fn place(
    sessions: &[SessionId],
    workers: &[Candidate],
    pinned: impl Fn(&SessionId) -> Option<usize>,
) -> Vec<Option<usize>> {
    let total: u64 = workers.iter().map(|worker| u64::from(worker.capacity)).sum();
    let count = sessions.len() as u64;
    let bounds: Vec<u64> = workers
        .iter()
        .map(|worker| {
            let capacity = u64::from(worker.capacity);
            // Rounding the slack up as well would let two of three workers hold all of six sessions.
            let fair = (count * capacity).div_ceil(total.max(1));
            let slack = count * capacity * (100 + SLACK_PERCENT) / (total.max(1) * 100);
            fair.max(slack).min(capacity)
        })
        .collect();
    let mut load: HashMap<usize, u64> = HashMap::new();
    let wanted: Vec<Option<usize>> = sessions
        .iter()
        .map(|session| {
            let at = pinned(session)?;
            let held = load.entry(at).or_default();
            (*held < u64::from(workers.get(at)?.capacity)).then(|| {
                *held += 1;
                at
            })
        })
        .collect();
    sessions
        .iter()
        .zip(wanted)
        .map(|(session, wanted)| {
            if wanted.is_some() {
                return wanted;
            }
            let mut ranked: Vec<(f64, usize)> =
                workers.iter().enumerate().map(|(at, worker)| (score(session, worker), at)).collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let chosen =
                ranked.into_iter().map(|(_, at)| at).find(|at| load.get(at).copied().unwrap_or(0) < bounds[*at])?;
            *load.entry(chosen).or_default() += 1;
            Some(chosen)
        })
        .collect()
}

/// The weighted rendezvous score: `-weight / ln(u)` with `u` drawn from the hash of both names, evenly in `0..1`.
fn score(session: &SessionId, worker: &Candidate) -> f64 {
    let mut hash = Sha256::new();
    hash.update(session.as_str().as_bytes());
    hash.update(b"\0");
    hash.update(worker.id.as_bytes());
    let bytes = hash.finalize();
    let draw = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let even = (f64::from(draw) + 0.5) / (f64::from(u32::MAX) + 1.0);
    -f64::from(worker.capacity) / even.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(count: usize) -> Vec<SessionId> {
        (0..count).map(|n| SessionId::new(format!("s{n:05}")).unwrap()).collect()
    }

    fn workers(capacities: &[u32]) -> Vec<Candidate> {
        capacities
            .iter()
            .enumerate()
            .map(|(n, capacity)| Candidate { id: format!("w{n}"), capacity: *capacity })
            .collect()
    }

    fn loads(placed: &[Option<usize>], workers: usize) -> Vec<usize> {
        (0..workers).map(|at| placed.iter().filter(|p| **p == Some(at)).count()).collect()
    }

    #[test]
    fn the_load_follows_the_capacity_within_its_bound() {
        let load = loads(&place(&sessions(1000), &workers(&[1000, 1000, 2000]), |_| None), 3);
        assert_eq!(load.iter().sum::<usize>(), 1000);
        assert!(load[0] <= 275 && load[1] <= 275 && load[2] <= 550, "{load:?}");
        assert!(load[0] >= 200 && load[1] >= 200, "{load:?}");
    }

    #[test]
    fn two_sessions_go_to_two_workers() {
        // Bounded load rounds up, so this is about few sessions: nobody gets more than its share and one.
        for count in 1..20 {
            let load = loads(&place(&sessions(count), &workers(&[10, 10]), |_| None), 2);
            assert!(load.iter().all(|l| *l <= (count * 11).div_ceil(20)), "{count}: {load:?}");
        }
    }

    #[test]
    fn a_new_worker_moves_about_its_share() {
        let all = sessions(1000);
        let before = place(&all, &workers(&[1000; 4]), |_| None);
        let after = place(&all, &workers(&[1000; 5]), |_| None);
        let moved = before.iter().zip(&after).filter(|(b, a)| b != a).count();
        assert!((180..330).contains(&moved), "{moved} of 1000 moved, 200 would be the least");
    }

    #[test]
    fn a_third_worker_gets_its_share_of_few_sessions() {
        for start in 0..50 {
            let few: Vec<SessionId> = (0..6).map(|n| SessionId::new(format!("x{start}-{n}")).unwrap()).collect();
            assert_eq!(loads(&place(&few, &workers(&[200; 3]), |_| None), 3), [2, 2, 2]);
        }
    }

    #[test]
    fn a_pinned_session_goes_where_it_is_wanted_if_there_is_room() {
        let (all, workers) = (sessions(9), workers(&[10, 10, 2]));
        let pinned = |session: &SessionId| all[..3].contains(session).then_some(2);
        let placed = place(&all, &workers, pinned);
        assert_eq!(&placed[..2], [Some(2), Some(2)]);
        assert!(placed[2].is_some_and(|at| at < 2), "the third one does not fit: {placed:?}");
        assert_eq!(loads(&placed, 3).iter().sum::<usize>(), 9);
        assert_eq!(place(&all, &workers, |_| Some(7)), place(&all, &workers, |_| None), "a worker that is not there");
    }

    #[test]
    fn nobody_gets_more_than_the_capacity() {
        let placed = place(&sessions(10), &workers(&[2, 3]), |_| None);
        assert_eq!(loads(&placed, 2), [2, 3]);
        assert_eq!(place(&sessions(2), &[], |_| None), [None, None]);
    }
}
