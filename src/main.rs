//! The `kurir` program.

fn main() {}
