//! What is seen of the fleet's processes.

/// Something that was seen. A process is named by a number that is random per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// This process lives, and was not seen before or not for a while.
    Appeared(u64),
    /// This process was seen and is no more: what shows its life ended with it.
    Died(u64),
    /// Sessions may wait for an owner: it is worth a look.
    Look,
}
