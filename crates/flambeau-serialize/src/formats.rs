//! What a file is by its first bytes, to say so where another format was expected.

/// A format, and what to do with a file of it.
pub(crate) struct Format {
    /// What it is, with its article.
    pub name: &'static str,
    /// What reads it, or makes something readable of it.
    pub advice: &'static str,
}

/// First bytes, and what begins so.
const KNOWN: [(&[u8], &str, &str); 10] = [
    (b"PK\x03\x04", "a zip archive", "torch.load reads a .pth, torch.numpy.load an .npz"),
    (b"PK\x05\x06", "an empty zip archive", "save it again"),
    (b"\x93NUMPY", "a NumPy .npy file", "torch.numpy.load reads it"),
    (b"\x89HDF", "an HDF5 file", "convert it in Python, with h5py and safetensors.torch.save_file"),
    (b"GGUF", "a GGUF file", "download the model as safetensors instead"),
    (b"\x80", "a Python pickle", "torch.load reads it, if torch.save wrote it"),
    (b"\x1f\x8b\x08", "compressed with gzip", "unpack it with `gunzip` first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it with `zstd -d` first"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file", "`git lfs pull` fetches it"),
    (b"<", "a web page or XML, not the file itself", "check the address that it was downloaded from"),
];

/// The most bytes that [`Format::of`] looks at.
pub(crate) const LONGEST: usize = 24;

impl Format {
    /// The format with these first bytes.
    pub fn of(start: &[u8]) -> Option<Format> {
        let known = |one_byte: bool| {
            let is_it = |magic: &[u8]| (magic.len() == 1) == one_byte && start.starts_with(magic);
            KNOWN.iter().find(|(magic, ..)| is_it(magic)).map(|&(_, name, advice)| Format { name, advice })
        };
        // The length of a JSON header, and the header. A length may begin as a format that is known by one byte does.
        let safetensors = start.get(8) == Some(&b'{');
        known(false)
            .or(safetensors
                .then_some(Format { name: "a safetensors file", advice: "torch.safetensors.load_file reads it" }))
            .or_else(|| known(true))
    }

    /// Name and advice with `between` between them.
    pub fn describe(&self, between: &str) -> String {
        format!("{}{between}{}", self.name, self.advice)
    }
}
