//! kurir
