//! Arrays of NumPy.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flambeau_fuzz::bounded_file(data, 2 << 20, 64, |path| {
    flambeau_serialize::numpy::load(path)
}));
