//! The worker's loops over in-process ports.

mod attempts;
mod calls;
mod courier;
mod deletion;
mod incoming;
mod jobs;
mod life;
mod limits;
mod log_keeper;
mod media;
mod orders;
mod pools;
mod receipts;
mod suppression;
mod withdraw;
mod world;
