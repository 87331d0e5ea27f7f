//! What one step has measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Two ranks of a set of latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them are at most this.
    pub p50: Duration,
    /// 99 of 100 are at most this.
    pub p99: Duration,
}

impl Latency {
    /// Of these; zero if there are none.
    pub fn of(mut spans: Vec<Duration>) -> Self {
        spans.sort_unstable();
        // Nearest rank.
        let rank = |percent: usize| {
            let rank = (spans.len() * percent).div_ceil(100);
            rank.checked_sub(1).and_then(|at| spans.get(at)).copied().unwrap_or_default()
        };
        Self { p50: rank(50), p99: rank(99) }
    }
}

/// One step: some messages, the time and the CPU time that they took.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What was measured, in a few words.
    pub name: String,
    /// How many messages.
    pub count: u32,
    /// From the first to WhatsApp's last ack.
    pub took: Duration,
    /// Of the messages of this span.
    pub latency: Latency,
    /// Of messages that were sent one after another, where that was measured apart.
    pub single: Option<Latency>,
    /// CPU time of the sending process, to the last read receipt.
    pub sender_cpu: Duration,
    /// CPU time of the simulator in the same span.
    pub simulator_cpu: Duration,
    /// CPU time of the benchmark's own process in the same span, where it does something: it publishes and follows.
    pub bench_cpu: Option<Duration>,
}

impl Figures {
    /// Messages per second.
    pub fn rate(&self) -> f64 {
        f64::from(self.count) / self.took.as_secs_f64()
    }

    /// Milliseconds of this CPU time for one message.
    pub fn per_message(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1000.0 / f64::from(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_sorted_spans() {
        let spans: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(spans);
        assert_eq!((latency.p50.as_millis(), latency.p99.as_millis()), (100, 198));
        assert_eq!(Latency::of(Vec::new()), Latency::default());
        let one = Duration::from_secs(1);
        assert_eq!(Latency::of(vec![one]), Latency { p50: one, p99: one });
    }

    #[test]
    fn figures_are_per_second_and_per_message() {
        let figures = Figures {
            name: "x".into(),
            count: 100,
            took: Duration::from_millis(500),
            latency: Latency::default(),
            single: None,
            sender_cpu: Duration::from_millis(250),
            simulator_cpu: Duration::ZERO,
            bench_cpu: None,
        };
        assert!((figures.rate() - 200.0).abs() < 1e-9);
        assert!((figures.per_message(figures.sender_cpu) - 2.5).abs() < 1e-9);
    }
}
