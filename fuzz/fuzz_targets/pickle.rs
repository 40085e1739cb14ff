//! Pickles alone, as the value of a file from before PyTorch 1.6, so that no archive stands between the fuzzer and its opcodes.
#![no_main]

/// The magic number, the version of the protocol, and the description of a system, in three pickles.
const HEAD: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00.";
/// No storage follows.
const TAIL: &[u8] = b"\x80\x02].";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flambeau_fuzz::bounded_file(&[HEAD, data, TAIL].concat(), 160 << 20, 64, |path| flambeau_serialize::load(path));
});
