//! Files of `torch.save` from before PyTorch 1.6, and the tar files before those.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flambeau_fuzz::bounded_file(data, 160 << 20, 64, |path| {
    flambeau_serialize::load(path)
}));
