//! Archives of `torch.save` and of TorchScript.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flambeau_fuzz::bounded_file(data, 160 << 20, 4096, |path| {
    flambeau_serialize::load(path)
}));
