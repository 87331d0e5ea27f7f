//! Handshake messages and the client payload behind them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kurir_sim::fuzzing::handshake(bytes));
