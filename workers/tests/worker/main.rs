//! The worker's loops over in-process ports.

mod attempts;
mod calls;
mod deletion;
mod jobs;
mod life;
mod limits;
mod orders;
mod pools;
mod receipts;
mod withdraw;
mod world;
