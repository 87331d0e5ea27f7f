//! The worker's loops over in-process ports.

mod attempts;
mod jobs;
mod life;
mod withdraw;
mod world;
