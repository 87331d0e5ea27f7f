//! The worker's loops over in-process ports.

mod attempts;
mod deletion;
mod incoming;
mod jobs;
mod life;
mod limits;
mod media;
mod pools;
mod receipts;
mod withdraw;
mod world;
