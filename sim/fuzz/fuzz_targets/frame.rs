//! Bytes of a socket, cut anywhere, on their way to frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kurir_sim::fuzzing::frames(bytes));
