//! The worker's loops over in-process ports.

mod jobs;
mod life;
mod limits;
mod world;
