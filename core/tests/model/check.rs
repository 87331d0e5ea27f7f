//! Visits every state that can be reached, breadth first, so that the first trace found is a shortest one.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash as _, Hasher};

use super::invariant::{Breach, broken, ended};
use super::rules::Rules;
use super::state::State;
use super::step::{Step, next};

/// Multiplies and rotates: states are many, and nobody chooses them to collide.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n.unsigned_abs() as u64);
    }
}

/// What was found.
pub struct Found {
    /// Every state visited.
    pub states: Vec<State>,
    pub steps: usize,
    /// States in which all is over.
    pub ends: usize,
    pub breach: Option<(Breach, Trace)>,
}

/// How it came to that.
pub struct Trace {
    steps: Vec<(Step, State)>,
}

impl Trace {
    /// How many steps it took.
    pub const fn len(&self) -> usize {
        self.steps.len()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (step, after)) in self.steps.iter().enumerate() {
            writeln!(f, "{:3}. {}", at + 1, step)?;
            writeln!(f, "       {after}")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Visited {
    states: Vec<State>,
    /// From where, by which step; the first state has none.
    origins: Vec<Option<(u32, Step)>>,
    /// The last state of each hash, and for each state the one of the same hash before it: a state is kept once.
    by_hash: HashMap<u64, u32, BuildHasherDefault<Mix>>,
    same_hash: Vec<Option<u32>>,
}

impl Visited {
    /// The state's number, and whether it is new.
    fn number(&mut self, state: State, origin: Option<(u32, Step)>) -> (u32, bool) {
        let mut hash = Mix::default();
        state.hash(&mut hash);
        let new = u32::try_from(self.states.len()).expect("fewer than four thousand million states");
        let last = self.by_hash.get(&hash.finish()).copied();
        let mut old = last;
        while let Some(number) = old {
            if self.states[number as usize] == state {
                return (number, false);
            }
            old = self.same_hash[number as usize];
        }
        self.by_hash.insert(hash.finish(), new);
        self.same_hash.push(last);
        self.states.push(state);
        self.origins.push(origin);
        (new, true)
    }

    fn trace(&self, end: u32) -> Trace {
        let mut steps = Vec::new();
        let mut at = end as usize;
        while let Some((from, step)) = self.origins[at] {
            steps.push((step, self.states[at]));
            at = from as usize;
        }
        steps.reverse();
        Trace { steps }
    }
}

/// Explores all that can follow `first`. A breach ends the search.
pub fn check(rules: &Rules, first: State) -> Found {
    let mut visited = Visited::default();
    visited.number(first, None);
    // Steps that happen by themselves sooner or later; trouble need not happen.
    let mut fair: Vec<(u32, u32)> = Vec::new();
    let mut steps = 0;
    let mut here = 0;
    while let Some(state) = visited.states.get(here as usize).copied() {
        for (step, mut after) in next(rules, &state) {
            steps += 1;
            after.breach = after.breach.filter(|breach| rules.minds(*breach));
            let (there, new) = visited.number(after, Some((here, step)));
            if new && let Some(breach) = broken(&after).find(|breach| rules.minds(*breach)) {
                let breach = Some((breach, visited.trace(there)));
                return Found { states: visited.states, steps, ends: 0, breach };
            }
            if !step.is_trouble() {
                fair.push((there, here));
            }
        }
        here += 1;
    }
    let ends: Vec<u32> =
        (0..).zip(&visited.states).filter(|(_, state)| ended(state)).map(|(number, _)| number).collect();
    let stuck = first_without_end(visited.states.len(), fair, &ends).filter(|_| rules.minds(Breach::NoEnd));
    let breach = stuck.map(|number| (Breach::NoEnd, visited.trace(number)));
    Found { states: visited.states, steps, ends: ends.len(), breach }
}

/// The first state from which no end can be reached if no more trouble comes. `back` has each step turned round.
fn first_without_end(states: usize, mut back: Vec<(u32, u32)>, ends: &[u32]) -> Option<u32> {
    back.sort_unstable();
    let mut good = vec![false; states];
    let mut open = ends.to_vec();
    for end in ends {
        good[*end as usize] = true;
    }
    while let Some(there) = open.pop() {
        let start = back.partition_point(|(to, _)| *to < there);
        for (_, from) in back[start..].iter().take_while(|(to, _)| *to == there) {
            if !std::mem::replace(&mut good[*from as usize], true) {
                open.push(*from);
            }
        }
    }
    (0..).zip(good).find(|(_, good)| !good).map(|(number, _)| number)
}
