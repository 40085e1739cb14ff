//! The JSON header: which tensors a file has, and where.

use crate::formats::{self, Format};
use crate::{Error, Result};
use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};
use flambeau_tensor::DType;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

/// Longer headers are refused, as by Python's package.
const MAX_BYTES: u64 = 100_000_000;

/// The key of what is no tensor.
const METADATA: &str = "__metadata__";

/// What a file holds.
pub(super) struct Header {
    /// The texts that were saved beside the tensors.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Names and places, in the order of the file. They cover the bytes behind the header without holes or overlaps.
    pub tensors: Vec<(String, TensorInfo)>,
    /// Where each name stands among the tensors.
    places: HashMap<String, usize>,
    /// Where the tensors' bytes begin.
    pub start: u64,
}

impl Header {
    /// Reads and checks the header of a file of `total` bytes.
    pub fn read(from: &mut impl Read, total: u64, path: &Path) -> Result<Self> {
        let corrupt = |what: String| Error::corrupt(path, what);
        let mut start = Vec::new();
        from.by_ref().take(8).read_to_end(&mut start).map_err(Error::io("read", path))?;
        let Ok(length) = <[u8; 8]>::try_from(&start[..]).map(u64::from_le_bytes) else {
            return Err(corrupt(format!("it has {total} bytes, and a safetensors file at least 8 (header too small)")));
        };
        let behind = total.saturating_sub(8);
        if length > MAX_BYTES || behind < length {
            let mut more = Vec::new();
            let longest = (formats::LONGEST - 8) as u64;
            from.take(longest).read_to_end(&mut more).map_err(Error::io("read", path))?;
            start.extend(more);
            if let Some(other) = Format::of(&start).filter(|_| start.get(8) != Some(&b'{')) {
                let what = format!("it is no safetensors file, but {}", other.describe(": "));
                return Err(Error::unsupported(path, what));
            }
            return Err(corrupt(match length > MAX_BYTES {
                true => format!("its header is to have {length} bytes, more than {MAX_BYTES} (header too large)"),
                false => {
                    format!("its header is to have {length} bytes, and the file ends before (invalid header length)")
                }
            }));
        }
        let mut bytes = vec![0; length as usize];
        from.read_exact(&mut bytes).map_err(Error::io("read", path))?;
        let text = std::str::from_utf8(&bytes).map_err(|e| corrupt(format!("invalid UTF-8 in header: {e}")))?;
        let json = |e: serde_json::Error| corrupt(format!("invalid JSON in header: {e}"));
        // The crate's own rules: each tensor's bytes fit its shape, and begin where those of the one before end.
        let metadata: Metadata = serde_json::from_str(text).map_err(json)?;
        let Distinct(names) = serde_json::from_str(text).map_err(json)?;
        if metadata.data_len() as u64 != behind - length {
            let (data, rest) = (metadata.data_len(), behind - length);
            return Err(corrupt(format!(
                "its tensors need {data} bytes behind the header, and there are {rest} (incomplete metadata, file not fully covered)"
            )));
        }
        let texts = metadata.metadata().as_ref().map(|m| m.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
        let names = names.into_iter().filter(|name| name != METADATA);
        let mut tensors: Vec<(String, TensorInfo)> =
            names.filter_map(|name| metadata.info(&name).cloned().map(|info| (name, info))).collect();
        // Tensors without elements may lie at one place; they stay in the header's order.
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let places = tensors.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        Ok(Header { metadata: texts, tensors, places, start: 8 + length })
    }

    /// A tensor by name.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.places.get(name).map(|&at| &self.tensors[at].1)
    }
}

/// The keys of a JSON object, none of which comes twice, its metadata included: of two tensors with one name only one would be
/// seen.
struct Distinct(Vec<String>);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Distinct;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distinct, A::Error> {
                let (mut seen, mut keys) = (HashSet::new(), Vec::new());
                while let Some(key) = map.next_key::<String>()? {
                    match key == METADATA {
                        true => drop(map.next_value::<Option<Distinct>>()?),
                        false => drop(map.next_value::<IgnoredAny>()?),
                    }
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format_args!("the key `{key}` comes twice")));
                    }
                    keys.push(key);
                }
                Ok(Distinct(keys))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// The header of these tensors, with its length before it and padded with spaces, and the order in which their bytes follow:
/// wider elements first, so that all lie as their elements must, and by name among equals.
pub(super) fn write(
    tensors: &[(&str, Dtype, &[usize], usize)],
    metadata: Option<&BTreeMap<String, String>>,
) -> serde_json::Result<(Vec<u8>, Vec<usize>)> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by(|&a, &b| tensors[b].1.cmp(&tensors[a].1).then(tensors[a].0.cmp(tensors[b].0)));
    let mut text = String::from("{");
    if let Some(metadata) = metadata {
        write!(text, "\"{METADATA}\":{},", serde_json::to_string(metadata)?).expect("a String takes all");
    }
    let mut at = 0;
    for &i in &order {
        let (name, dtype, shape, bytes) = tensors[i];
        let info = TensorInfo { dtype, shape: shape.to_vec(), data_offsets: (at, at + bytes) };
        at += bytes;
        let (name, info) = (serde_json::to_string(name)?, serde_json::to_string(&info)?);
        write!(text, "{name}:{info},").expect("a String takes all");
    }
    if text.ends_with(',') {
        text.pop();
    }
    text.push('}');
    let mut bytes = text.into_bytes();
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    let mut header = (bytes.len() as u64).to_le_bytes().to_vec();
    header.append(&mut bytes);
    Ok((header, order))
}

/// Our dtypes and the format's.
const DTYPES: [(DType, Dtype); 10] = [
    (DType::Bool, Dtype::BOOL),
    (DType::U8, Dtype::U8),
    (DType::I8, Dtype::I8),
    (DType::I16, Dtype::I16),
    (DType::I32, Dtype::I32),
    (DType::I64, Dtype::I64),
    (DType::F16, Dtype::F16),
    (DType::BF16, Dtype::BF16),
    (DType::F32, Dtype::F32),
    (DType::F64, Dtype::F64),
];

/// The format's name for one of our dtypes.
pub(super) fn to_dtype(dtype: DType) -> Dtype {
    DTYPES.iter().find(|(ours, _)| *ours == dtype).expect("the table has every dtype").1
}

/// Our dtype for the format's; what is said of one that we lack names it.
pub(super) fn from_dtype(name: &str, dtype: Dtype, path: &Path) -> Result<DType> {
    if let Some((ours, _)) = DTYPES.iter().find(|(_, theirs)| *theirs == dtype) {
        return Ok(*ours);
    }
    let advice = match dtype {
        Dtype::U16 => "convert it in Python with .to(torch.int32)",
        Dtype::U32 | Dtype::U64 => "convert it in Python with .to(torch.int64)",
        Dtype::C64 => "save its torch.view_as_real(…) in Python",
        _ => "convert it in Python with .to(torch.bfloat16)",
    };
    Err(Error::unsupported(
        path,
        format!("the tensor '{name}' has the dtype {dtype}, which is not supported; {advice}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_has_a_name() {
        for dtype in DType::ALL {
            assert_eq!(from_dtype("x", to_dtype(dtype), Path::new("x")).unwrap(), dtype);
            assert_eq!(to_dtype(dtype).bitsize(), 8 * dtype.size());
        }
    }
}
