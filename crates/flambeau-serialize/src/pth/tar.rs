//! The tar archive of PyTorch 0.1: the members `storages`, `tensors` and `pickle`, whose persistent ids are the numbers
//! under which the first two list their objects.

use super::legacy::{Parts, Walk};
use crate::{
    Error, Result,
    pickle::{self, Context, Input, Node},
    value::{RawTensor, Value},
};
use flambeau_tensor::DType;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

const BLOCK: usize = 512;

/// Whether a file that starts so is a tar archive: its first header's checksum is right.
pub(super) fn starts_one(start: &[u8]) -> bool {
    start.len() == BLOCK && header(start).is_some()
}

/// Name and size of the member whose header this is.
fn header(block: &[u8]) -> Option<(String, u64)> {
    // The checksum counts its own field as spaces.
    let sum = |at: usize| if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(block[at]) };
    if octal(&block[148..156])? != (0..BLOCK).map(sum).sum::<u64>() {
        return None;
    }
    let name = block[..100].split(|&b| b == 0).next().unwrap_or(&[]);
    Some((String::from_utf8_lossy(name).into_owned(), octal(&block[124..136])?))
}

/// A number in octal digits or, where it has more than they hold, in bytes after a mark.
fn octal(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        return rest.iter().try_fold(0u64, |n, &b| Some(n.checked_mul(256)? + u64::from(b)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// Where the member starts and ends.
fn member(file: &mut File, file_len: u64, wanted: &str, path: &Path) -> Result<(u64, u64)> {
    let mut at = 0;
    let mut block = [0; BLOCK];
    while at + BLOCK as u64 <= file_len {
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut block));
        read.map_err(Error::io("read", path))?;
        if block == [0; BLOCK] {
            break;
        }
        let (name, size) =
            header(&block).ok_or_else(|| Error::corrupt(path, "a header of the tar archive is damaged"))?;
        let start = at + BLOCK as u64;
        let end = start.checked_add(size).filter(|&end| end <= file_len);
        let end = end.ok_or_else(|| Error::corrupt(path, format!("its member {name} reaches beyond the file")))?;
        if name.trim_start_matches("./") == wanted {
            return Ok((start, end));
        }
        at = end.next_multiple_of(BLOCK as u64);
    }
    Err(Error::unsupported(path, format!("it is a tar archive without `{wanted}`, so torch.save did not write it")))
}

/// A member's pickles and what lies between them.
struct Member<'a> {
    walk: Walk<'a>,
    context: &'a mut Context,
}

impl Member<'_> {
    fn of<'a>(
        file: &'a mut File,
        file_len: u64,
        name: &str,
        path: &'a Path,
        context: &'a mut Context,
    ) -> Result<Member<'a>> {
        let (position, file_len) = member(file, file_len, name, path)?;
        Ok(Member { walk: Walk { file, position, file_len, path }, context })
    }

    /// Reads the pickle at the position.
    fn pickle<T>(&mut self, read: impl FnOnce(&mut Input<'_>, &mut Context) -> Result<T>) -> Result<T> {
        let Walk { file, position, file_len, path } = &mut self.walk;
        file.seek(SeekFrom::Start(*position)).map_err(Error::io("read", path))?;
        let mut rest = (&mut **file).take(*file_len - *position);
        let mut input = Input::new(&mut rest, *file_len, path);
        let value = read(&mut input, self.context)?;
        *position += input.position();
        Ok(value)
    }

    /// The number of objects that the member lists.
    fn len(&mut self) -> Result<i64> {
        self.pickle(pickle::read)?.as_i64().ok_or_else(|| self.corrupt("a number of objects is none"))
    }

    fn corrupt(&self, what: &str) -> Error {
        Error::corrupt(self.walk.path, what)
    }
}

pub(super) fn read(file: &mut File, file_len: u64, path: &Path) -> Result<Parts> {
    let mut context = Context::default();
    let mut starts = Vec::new();
    storages(Member::of(file, file_len, "storages", path, &mut context)?, &mut starts)?;
    tensors(Member::of(file, file_len, "tensors", path, &mut context)?)?;
    let value = Member::of(file, file_len, "pickle", path, &mut context)?.pickle(pickle::read)?;
    // What NumPy's arrays add has its bytes with it.
    starts.resize(context.storages.entries.len(), 0);
    Ok((value, context.storages.entries, starts))
}

/// `(key, location, class)`, the number of elements and the elements, of each storage; then which of them are views:
/// `(key, key of the root, offset, length)`.
fn storages(mut member: Member<'_>, starts: &mut Vec<u64>) -> Result<()> {
    for _ in 0..member.len()? {
        let parts = member.pickle(pickle::read_nodes)?;
        let [Node::Leaf(Value::Int(key)), _location, class] = parts.as_slice() else {
            return Err(member.corrupt("a storage has not three parts"));
        };
        let dtype = class.storage_type().ok_or_else(|| member.corrupt("a storage has no class"))?;
        let len = usize::try_from(member.walk.count()?).map_err(|_| member.corrupt("a storage is too long"))?;
        let named = member.context.storages.name(&key.to_string(), dtype, len);
        let part = named.map_err(|fault| member.corrupt(&fault))?;
        if part.storage != starts.len() {
            return Err(member.corrupt("a storage comes twice"));
        }
        starts.push(member.walk.skip((len * dtype.map_or(1, DType::size)) as u64)?);
        member.context.objects.insert(*key, Node::Storage(part));
    }
    let views = member.pickle(pickle::read)?;
    for view in views.as_slice().unwrap_or(&[]) {
        let ints: Vec<i64> = view.as_slice().unwrap_or(&[]).iter().filter_map(Value::as_i64).collect();
        let &[key, root, offset, len] = ints.as_slice() else {
            return Err(member.corrupt("a view of a storage has not four parts"));
        };
        let Some(&Node::Storage(mut part)) = member.context.objects.get(&root) else {
            return Err(member.corrupt("a view of a storage has no root"));
        };
        let (Ok(offset), Ok(len)) = (usize::try_from(offset), usize::try_from(len)) else {
            return Err(member.corrupt("a view of a storage has a negative length"));
        };
        if offset.checked_add(len).is_none_or(|end| end > part.len) {
            return Err(member.corrupt("a view of a storage reaches beyond it"));
        }
        (part.offset, part.len) = (part.offset + offset, len);
        member.context.objects.insert(key, Node::Storage(part));
    }
    Ok(())
}

/// `(key, key of the storage, class)` of each tensor, then its dimensions: their number, four bytes that say nothing, sizes,
/// strides, offset.
fn tensors(mut member: Member<'_>) -> Result<()> {
    for _ in 0..member.len()? {
        let parts = member.pickle(pickle::read_nodes)?;
        let [Node::Leaf(Value::Int(key)), Node::Leaf(Value::Int(storage)), _class] = parts.as_slice() else {
            return Err(member.corrupt("a tensor has not three parts"));
        };
        let Some(&Node::Storage(part)) = member.context.objects.get(storage) else {
            return Err(member.corrupt("a tensor has no storage"));
        };
        let dims = (member.walk.count()? & 0xffff_ffff) as usize;
        let mut numbers = |len: usize| -> Result<Vec<usize>> {
            let mut numbers = Vec::new();
            for _ in 0..len {
                let number = usize::try_from(member.walk.count()?);
                numbers.push(number.map_err(|_| Error::corrupt(member.walk.path, "a size is too large"))?);
            }
            Ok(numbers)
        };
        let (shape, strides, offset) = (numbers(dims)?, numbers(dims)?, numbers(1)?[0]);
        let dtype = part.dtype.unwrap_or(DType::U8);
        let tensor = RawTensor { dtype, shape, strides, offset, storage: 0, requires_grad: false, is_parameter: false };
        let tensor = member.context.view(part, tensor).map_err(|fault| member.corrupt(&fault))?;
        member.context.objects.insert(*key, Node::Leaf(Value::Tensor(tensor)));
    }
    Ok(())
}
