//! The worker's loops over in-process ports.

mod attempts;
mod deletion;
mod jobs;
mod life;
mod limits;
mod pools;
mod receipts;
mod suppression;
mod withdraw;
mod world;
