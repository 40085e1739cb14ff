//! Archives of NumPy.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flambeau_fuzz::bounded_file(data, 2 << 20, 4096, |path| {
    flambeau_serialize::numpy::load(path)?.items()
}));
