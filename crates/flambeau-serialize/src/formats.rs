//! What a file is by its first bytes, to say so where another format was expected.

/// First bytes, and what begins so.
const KNOWN: [(&[u8], &str); 10] = [
    (b"PK\x03\x04", "a zip archive: torch.load reads a .pth, torch.numpy.load an .npz"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x93NUMPY", "a NumPy .npy file: torch.numpy.load reads it"),
    (b"\x89HDF", "an HDF5 file: convert it in Python, with h5py and safetensors.torch.save_file"),
    (b"GGUF", "a GGUF file: download the model as safetensors instead"),
    (b"\x80", "a Python pickle: torch.load reads it, if torch.save wrote it"),
    (b"\x1f\x8b", "compressed with gzip: unpack it with `gunzip` first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard: unpack it with `zstd -d` first"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file: `git lfs pull` fetches it"),
    (b"<", "a web page or XML, not the file itself: check the address that it was downloaded from"),
];

/// The most bytes that [`describe`] looks at.
pub(crate) const LONGEST: usize = 24;

/// What the format with these first bytes is, and what reads it.
pub(crate) fn describe(start: &[u8]) -> Option<&'static str> {
    if start.get(8) == Some(&b'{') {
        return Some("a safetensors file: torch.safetensors.load_file reads it");
    }
    KNOWN.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| *what)
}
