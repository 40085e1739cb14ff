//! Writing the container.

use super::StorageRef;
use super::zip::ZipWriter;
use crate::{
    Error, Result,
    blocks::{Stop, Take},
    pickle,
    value::Value,
};
use flambeau_tensor::DType;
use flambeau_tensor::file::write_whole;
use std::{
    hash::Hasher,
    io::{BufWriter, Error as IoError},
    path::Path,
};

/// Writes `value` as `torch.save` does; `torch.load(path, weights_only=True)` reads it. Each storage that a tensor of
/// `value` indexes is written once, in full, so views and tied weights stay tied.
///
/// The file is written under a temporary name in the same folder and renamed when it is complete and on the disk, so a
/// crash leaves the old file as it was. Equal values give equal files.
///
/// # Errors
/// `Io` if the file cannot be written, `Invalid` if a tensor does not fit its storage or the value nests too deep.
pub fn write(path: impl AsRef<Path>, value: &Value, storages: &[StorageRef<'_>]) -> Result<()> {
    let sizes: Vec<(DType, usize)> = storages.iter().map(|s| (s.dtype, s.bytes.len())).collect();
    write_parts(path.as_ref(), value, &sizes, &mut |index, take| {
        storages[index].bytes.chunks(1 << 18).try_for_each(|part| Ok(take(part)?))
    })
}

/// [`write()`] of storages (dtype and length in bytes) whose bytes `parts(index, take)` gives to `take` in order.
pub(crate) fn write_parts(
    path: &Path,
    value: &Value,
    sizes: &[(DType, usize)],
    parts: &mut dyn FnMut(usize, Take<'_>) -> Result<(), Stop>,
) -> Result<()> {
    let (data, order) = pickle::dump(value, sizes, path)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.is_ascii());
    let prefix = stem.unwrap_or("archive");
    // What stops the writing, if it is not the file.
    let mut stopped = None;
    let written = write_whole(path, |file| -> Result<(), IoError> {
        let mut zip = ZipWriter::new(BufWriter::new(file), ALIGNMENT);
        zip.entry(&format!("{prefix}/data.pkl"), &data)?;
        zip.entry(&format!("{prefix}/.format_version"), b"1")?;
        zip.entry(&format!("{prefix}/.storage_alignment"), ALIGNMENT.to_string().as_bytes())?;
        zip.entry(&format!("{prefix}/byteorder"), b"little")?;
        let mut checksums = Vec::with_capacity(order.len());
        for (key, &index) in order.iter().enumerate() {
            let name = format!("{prefix}/data/{key}");
            let checksum = zip.entry_in_parts(&name, sizes[index].1 as u64, |take| match parts(index, take) {
                Err(Stop::Memory(error)) => {
                    let message = error.to_string();
                    stopped = Some(message.clone());
                    Err(IoError::other(message))
                }
                Err(Stop::File(error)) => Err(error),
                Ok(()) => Ok(()),
            })?;
            checksums.push(checksum);
        }
        zip.entry(&format!("{prefix}/version"), b"3\n")?;
        zip.entry(&format!("{prefix}/.data/serialization_id"), serialization_id(&data, &checksums).as_bytes())?;
        zip.finish()
    });
    match (written, stopped) {
        (Err(_), Some(message)) => Err(Error::invalid(path, message)),
        (Err(refused), None) => Err(Error::io(refused.action, path)(refused.source)),
        (Ok(()), _) => Ok(()),
    }
}

/// PyTorch's alignment of entries, in bytes.
const ALIGNMENT: u64 = 64;

/// Forty digits that identify the content, as PyTorch's two hashes do: of the pickle, and of the storages' checksums.
fn serialization_id(data: &[u8], checksums: &[u32]) -> String {
    // The keys of SipHash are fixed in `DefaultHasher::new`, so that equal content gives an equal file.
    let mut pickle = std::hash::DefaultHasher::new();
    pickle.write(data);
    let mut content = std::hash::DefaultHasher::new();
    checksums.iter().for_each(|&checksum| content.write_u32(checksum));
    format!("{:020}{:020}", pickle.finish(), content.finish())
}
