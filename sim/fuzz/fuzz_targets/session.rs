//! Well-formed stanzas of a logged-in client that mean nonsense.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kurir_sim::fuzzing::session(bytes));
