//! Files of safetensors.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flambeau_fuzz::bounded(data.len(), 1 << 20, 64, || {
    flambeau_serialize::safetensors::load(data)
}));
