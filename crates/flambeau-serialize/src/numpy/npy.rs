//! The `.npy` format: a magic, a header that says dtype, order and shape, and the elements.

use super::dtype;
use super::literal::Literal;
use crate::{Error, Result, blocks};
use flambeau_autograd::Tensor;
use flambeau_tensor::{Array, DType, Device, Dims, dims};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::iter::once;
use std::path::Path;

/// What every `.npy` file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Longer headers are refused, as by NumPy.
const MAX_HEADER: usize = 10_000;

/// The most dimensions that an array of NumPy has.
const MAX_DIMS: usize = 64;

/// What a header says.
struct Header {
    dtype: DType,
    order: blocks::Order,
    /// Whether the first index runs fastest.
    fortran: bool,
    shape: Vec<usize>,
}

/// Reads an array from where its magic begins. `len` is how many bytes there are. An array in Fortran's order has the
/// strides that NumPy gives it.
pub(super) fn read(from: &mut impl Read, len: u64, path: &Path) -> Result<Tensor> {
    let (header, read) = read_header(from, path)?;
    let Header { dtype, order, fortran, mut shape } = header;
    let elements = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d)).map(|n| n as u64);
    let elements = if shape.contains(&0) { Some(0) } else { elements };
    let there = len.saturating_sub(read as u64);
    if elements.is_none_or(|needed| needed > there) {
        let what = format!(
            "Failed to read all data for array. Expected {shape:?} of {}, could only read {} elements. (file seems not fully \
             written?)",
            dtype.name(),
            there / dtype.size() as u64
        );
        return Err(Error::corrupt(path, what));
    }
    if fortran {
        shape.reverse();
    }
    let array = blocks::read(from, Device::Cpu, dtype, &shape, order, path)?;
    let (shape, strides): (Dims, Dims) = match (array.shape(), array.strides()) {
        // What NumPy makes of a line without elements.
        ([0], _) => (once(0).collect(), once(0).collect()),
        (shape, strides) if fortran => (shape.iter().rev().copied().collect(), strides.iter().rev().copied().collect()),
        _ => return Ok(array.into()),
    };
    Array::from_parts(array.storage().clone(), dtype, shape, strides, 0)
        .map(Tensor::from)
        .map_err(|source| Error::Memory { path: path.to_owned(), source })
}

/// Reads the header, and says how many bytes it has.
fn read_header(from: &mut impl Read, path: &Path) -> Result<(Header, usize)> {
    let corrupt = |what: String| Error::corrupt(path, what);
    let mut take = |n: usize, what: &str| {
        let mut bytes = Vec::new();
        from.by_ref().take(n as u64).read_to_end(&mut bytes).map_err(Error::reading(path))?;
        if bytes.len() == n {
            return Ok(bytes);
        }
        Err(corrupt(format!("EOF: reading {what}, expected {n} bytes got {}", bytes.len())))
    };
    let magic = take(8, "magic string")?;
    if !magic.starts_with(MAGIC) {
        return Err(corrupt(format!("the magic string is not correct: '{}'", magic[..6].escape_ascii())));
    }
    let version = (magic[6], magic[7]);
    let width = match version {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        _ => {
            let what = format!("we only support format version (1,0), (2,0), and (3,0), not {version:?}");
            return Err(Error::unsupported(path, what));
        }
    };
    let length = take(width, "array header length")?;
    let length = length.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte));
    if length > MAX_HEADER {
        let what = format!("Header info length ({length}) is large and may not be safe to load securely");
        return Err(Error::unsupported(path, what));
    }
    let bytes = take(length, "array header")?;
    let text = match version {
        (3, _) => String::from_utf8(bytes).map_err(|e| corrupt(format!("its header is no UTF-8: {e}")))?,
        // Latin-1, whose bytes are the first characters of Unicode.
        _ => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    Ok((parse(&text, path)?, 8 + width + length))
}

fn parse(text: &str, path: &Path) -> Result<Header> {
    let corrupt = |what: String| Error::corrupt(path, what);
    let value = Literal::parse(text).map_err(|what| corrupt(format!("Cannot parse header: {what}")))?;
    let Literal::Dict(items) = value else {
        return Err(corrupt(format!("Header is not a dictionary: {value}")));
    };
    // Of a key that comes twice Python takes the later.
    let get =
        |name: &str| items.iter().rev().find(|(key, _)| *key == Literal::Str(name.into())).map(|(_, value)| value);
    let known =
        |key: &Literal| matches!(key, Literal::Str(key) if ["descr", "fortran_order", "shape"].contains(&&**key));
    let (Some(descr), Some(fortran), Some(shape), true) =
        (get("descr"), get("fortran_order"), get("shape"), items.iter().all(|(key, _)| known(key)))
    else {
        let keys: Vec<String> = items.iter().map(|(key, _)| key.to_string()).collect();
        return Err(corrupt(format!("Header does not contain the correct keys: [{}]", keys.join(", "))));
    };
    let Literal::Bool(fortran) = *fortran else {
        return Err(corrupt(format!("fortran_order is not a valid bool: {fortran}")));
    };
    let lengths = match shape {
        Literal::Tuple(items) => items.iter().map(length).collect::<Option<Vec<usize>>>(),
        _ => None,
    };
    let lengths = lengths.filter(|lengths| lengths.len() <= MAX_DIMS);
    let lengths = lengths.ok_or_else(|| corrupt(format!("shape is not valid: {shape}")))?;
    let (dtype, order) = dtype::parse(descr).map_err(|what| Error::unsupported(path, what))?;
    Ok(Header { dtype, order, fortran, shape: lengths })
}

fn length(item: &Literal) -> Option<usize> {
    let Literal::Int(n) = item else { return None };
    usize::try_from(*n).ok().filter(|&n| n <= isize::MAX as usize)
}

/// An array as it is written: its header, and its elements in the order of memory.
pub(super) struct Written {
    header: Vec<u8>,
    elements: Array,
}

impl Written {
    /// A tensor as NumPy would write it: in Fortran's order if that, and not C's, is its own.
    pub fn new(tensor: &Tensor, path: &Path) -> Result<Self> {
        let refuse = |what: String| Err(Error::invalid(path, what));
        if tensor.is_uninitialized() {
            return refuse(tensor.uninitialized_message("storage"));
        }
        if tensor.requires_grad() {
            let what = "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.";
            return refuse(what.into());
        }
        let array = tensor.array();
        if !array.device().is_host() {
            return refuse(format!(
                "can't convert {} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.",
                array.device()
            ));
        }
        let Some(descr) = dtype::name(array.dtype()) else {
            return refuse(
                "Got unsupported ScalarType BFloat16, which NumPy has not; save tensor.float() instead".into(),
            );
        };
        if array.ndim() > MAX_DIMS {
            return refuse(format!(
                "NumPy's arrays have at most {MAX_DIMS} dimensions, and the tensor {}",
                array.ndim()
            ));
        }
        let reversed = |dims: &[usize]| dims.iter().rev().copied().collect::<Vec<_>>();
        let (shape, strides) = (reversed(array.shape()), reversed(array.strides()));
        let fortran = !array.is_contiguous() && dims::is_contiguous(&shape, &strides);
        let elements = match fortran {
            true => {
                Array::from_parts(array.storage().clone(), array.dtype(), shape.into(), strides.into(), array.offset())
            }
            false => array.contiguous(),
        };
        let elements = elements.map_err(|e| Error::invalid(path, e.to_string()))?;
        Ok(Written { header: header(descr, fortran, array.shape()), elements })
    }

    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.header)?;
        blocks::write(&self.elements, out)
    }
}

/// The magic and the header, byte for byte as NumPy writes them: with room for a longer number where the array grows, and
/// padded so that the elements begin at a multiple of 64.
fn header(descr: &str, fortran: bool, shape: &[usize]) -> Vec<u8> {
    let tuple = Literal::Tuple(shape.iter().map(|&n| Literal::Int(n as i128)).collect());
    let order = Literal::Bool(fortran);
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {tuple}, }}");
    if let Some(grows) = if fortran { shape.last() } else { shape.first() } {
        let room = 21 - grows.to_string().len();
        write!(text, "{:room$}", "").expect("a String takes all");
    }
    // The magic, the version, the length's two bytes and the newline; even a full line of padding is written.
    let fixed = MAGIC.len() + 2 + 2 + 1;
    let padding = 64 - (fixed + text.len()) % 64;
    let mut out = [MAGIC, &[1, 0]].concat();
    // Sixty-four lengths of twenty digits stay far below 2¹⁶.
    out.extend(((text.len() + padding + 1) as u16).to_le_bytes());
    out.extend(text.bytes().chain(std::iter::repeat_n(b' ', padding)));
    out.push(b'\n');
    out
}
