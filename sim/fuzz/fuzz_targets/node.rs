//! The plaintext of a frame on its way to a stanza, which must survive being written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kurir_sim::fuzzing::node(bytes));
