//! Writing the container.

use super::StorageRef;
use crate::{Error, Result, pickle, value::Value};
use flambeau_tensor::DType;
use flambeau_tensor::file::write_whole;
use std::{
    hash::Hasher,
    io::{BufWriter, Write},
    path::Path,
};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// Writes `value` as `torch.save` does; `torch.load(path, weights_only=True)` reads it. Each storage that a tensor of
/// `value` indexes is written once, in full, so views and tied weights stay tied.
///
/// The file is written under a temporary name in the same folder and renamed when it is complete and on the disk, so a
/// crash leaves the old file as it was. Equal values give equal files.
///
/// # Errors
/// `Io` if the file cannot be written, `Invalid` if a tensor does not fit its storage or the value nests too deep.
pub fn write(path: impl AsRef<Path>, value: &Value, storages: &[StorageRef<'_>]) -> Result<()> {
    let path = path.as_ref();
    let shapes: Vec<(DType, usize)> = storages.iter().map(|s| (s.dtype, s.bytes.len())).collect();
    let (data, order) = pickle::dump(value, &shapes, path)?;
    let used: Vec<&[u8]> = order.iter().map(|&index| storages[index].bytes).collect();

    let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.is_ascii());
    let prefix = stem.unwrap_or("archive");
    let written = write_whole(path, |file| -> Result<(), ZipError> {
        let mut zip = ZipWriter::new(BufWriter::new(file));
        let mut entry = |name: &str, bytes: &[u8]| -> Result<(), ZipError> {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .with_alignment(ALIGNMENT)
                .large_file(bytes.len() >= u32::MAX as usize);
            zip.start_file(format!("{prefix}/{name}"), options)?;
            Ok(zip.write_all(bytes)?)
        };
        entry("data.pkl", &data)?;
        entry(".format_version", b"1")?;
        entry(".storage_alignment", ALIGNMENT.to_string().as_bytes())?;
        entry("byteorder", b"little")?;
        for (key, bytes) in used.iter().enumerate() {
            entry(&format!("data/{key}"), bytes)?;
        }
        entry("version", b"3\n")?;
        entry(".data/serialization_id", serialization_id(&data, &used).as_bytes())?;
        zip.finish()?.flush()?;
        Ok(())
    });
    written.map_err(|refused| Error::io(refused.action, path)(refused.source))
}

/// PyTorch's alignment of entries, in bytes.
const ALIGNMENT: u16 = 64;

/// Forty digits that identify the content, as PyTorch's two hashes do.
fn serialization_id(data: &[u8], storages: &[&[u8]]) -> String {
    // The keys of SipHash are fixed in `DefaultHasher::new`, so that equal content gives an equal file.
    let mut pickle = std::hash::DefaultHasher::new();
    pickle.write(data);
    let mut content = std::hash::DefaultHasher::new();
    storages.iter().for_each(|bytes| content.write(bytes));
    format!("{:020}{:020}", pickle.finish(), content.finish())
}
