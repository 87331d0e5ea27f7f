//! The way back from whoever makes an event durable to whoever must not acknowledge it before.

use std::fmt;

/// To be told once the event that it came with is durable. Dropped untold, it says that this will not come about.
pub struct Stored(Option<Box<dyn FnOnce(bool) + Send + Sync>>);

impl Stored {
    /// Calls `told` once, from wherever the event ends: with `true` when it is durable. It must not wait.
    pub fn new(told: impl FnOnce(bool) + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(told)))
    }

    /// For events that nobody waits for.
    pub fn unawaited() -> Self {
        Self(None)
    }

    /// The event is durable.
    pub fn tell(mut self) {
        self.answer(true);
    }

    fn answer(&mut self, durable: bool) {
        if let Some(told) = self.0.take() {
            told(durable);
        }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.answer(false);
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::Stored;

    #[test]
    fn it_is_told_once_and_a_drop_tells_that_it_is_not_durable() {
        let (tell, told) = mpsc::channel();
        let stored = |tell: &mpsc::Sender<bool>| {
            let tell = tell.clone();
            Stored::new(move |durable| tell.send(durable).unwrap())
        };
        stored(&tell).tell();
        drop(stored(&tell));
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), [true, false]);
    }
}
