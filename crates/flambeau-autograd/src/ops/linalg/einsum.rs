//! Contractions of several tensors: einsum, tensordot, inner and Kronecker products.

use crate::error::{Error, Result};
use crate::mode::Casting;
use crate::ops::nn::linear::named_view;
use crate::ops::{mul, permute, reshape, sum, to_i64, unsqueeze};
use crate::{Tensor, mode, ops};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dim;
use std::borrow::Borrow;

/// One dimension's name in an equation: a letter's place in `A…Za…z`, or a dimension that an ellipsis stands for, numbered
/// after the letters so that the last one is last.
type Label = usize;
const LETTERS: usize = 52;

fn error(message: impl std::fmt::Display) -> Error {
    Error::runtime(format!("einsum(): {message}"))
}

fn label_of(letter: u8) -> Option<Label> {
    match letter {
        b'A'..=b'Z' => Some((letter - b'A') as Label),
        b'a'..=b'z' => Some((letter - b'a') as Label + 26),
        _ => None,
    }
}

fn letter_of(label: Label) -> char {
    match label {
        ..26 => (b'A' + label as u8) as char,
        26..LETTERS => (b'a' + (label - 26) as u8) as char,
        _ => '.',
    }
}

/// A subscript of an operand or of the output.
#[derive(Clone, Copy, PartialEq)]
enum Subscript {
    Label(Label),
    Ellipsis,
}

/// Reads one comma-free part of an equation; `at` is its place in the whole, `whose` whom errors name.
fn subscripts(part: &[u8], at: usize, whose: &str) -> Result<Vec<Subscript>> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < part.len() {
        match part[i] {
            b' ' => {}
            b'.' if out.contains(&Subscript::Ellipsis) => {
                return Err(error(format_args!("found '.' for {whose} for which an ellipsis was already found")));
            }
            b'.' if part[i..].starts_with(b"...") => {
                out.push(Subscript::Ellipsis);
                i += 2;
            }
            b'.' => return Err(error(format_args!("found '.' for {whose} that is not part of any ellipsis"))),
            letter => match label_of(letter) {
                Some(label) => out.push(Subscript::Label(label)),
                None => {
                    return Err(error(format_args!(
                        "invalid subscript given at index {} in the equation string, subscripts must be in [a-zA-Z]",
                        at + i
                    )));
                }
            },
        }
        i += 1;
    }
    Ok(out)
}

/// An equation, read and checked against its operands.
struct Plan {
    /// The labels of each operand's dimensions.
    operands: Vec<Vec<Label>>,
    /// Labels of the output, then those that are summed.
    order: Vec<Label>,
    /// How many of [`Plan::order`] stand in the output.
    kept: usize,
}

fn parse(equation: &str, dims: &[usize]) -> Result<Plan> {
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation, None),
    };
    let mut parts = Vec::new();
    let mut at = 0;
    for (i, part) in left.split(',').enumerate() {
        parts.push(subscripts(part.as_bytes(), at, &format!("operand {i}"))?);
        at += part.len() + 1;
    }
    if parts.len() > dims.len() {
        return Err(error("fewer operands were provided than specified in the equation"));
    }
    if parts.len() < dims.len() {
        return Err(error("more operands were provided than specified in the equation"));
    }
    let mut ellipsis = 0;
    for (i, (part, &ndim)) in parts.iter().zip(dims).enumerate() {
        let labels = part.iter().filter(|s| **s != Subscript::Ellipsis).count();
        let has_ellipsis = labels < part.len();
        if labels > ndim || (labels != ndim && !has_ellipsis) {
            let (relation, more) = match has_ellipsis {
                true => ("is more than the number of dimensions", "even though an ellipsis was given"),
                false => ("does not match the number of dimensions", "and no ellipsis was given"),
            };
            return Err(error(format_args!(
                "the number of subscripts in the equation ({labels}) {relation} ({ndim}) for operand {i} {more}"
            )));
        }
        ellipsis = ellipsis.max(if has_ellipsis { ndim - labels } else { 0 });
    }
    let expand = |part: &[Subscript], covered: usize| -> Vec<Label> {
        let labels = part.iter().flat_map(|s| match *s {
            Subscript::Label(l) => l..l + 1,
            Subscript::Ellipsis => LETTERS + ellipsis - covered..LETTERS + ellipsis,
        });
        labels.collect()
    };
    let operands: Vec<Vec<Label>> = parts
        .iter()
        .zip(dims)
        .map(|(part, &ndim)| {
            let labels = part.iter().filter(|s| **s != Subscript::Ellipsis).count();
            expand(part, ndim - labels)
        })
        .collect();
    let count = |label: Label| operands.iter().flatten().filter(|&&l| l == label).count();
    let mut order: Vec<Label> = match right {
        Some(right) => {
            let at = left.len() + 2;
            let out = expand(&subscripts(right.as_bytes(), at, "the output")?, ellipsis);
            for (i, &label) in out.iter().enumerate() {
                if out[..i].contains(&label) {
                    let letter = letter_of(label);
                    return Err(error(format_args!("output subscript {letter} appears more than once in the output")));
                }
                if count(label) == 0 {
                    let letter = letter_of(label);
                    return Err(error(format_args!(
                        "output subscript {letter} does not appear in the equation for any input operand"
                    )));
                }
            }
            out
        }
        // Without an output: the ellipsis, then what stands only once, in alphabetical order.
        None => {
            let once = (0..LETTERS).filter(|&l| count(l) == 1);
            (LETTERS..LETTERS + ellipsis).chain(once).collect()
        }
    };
    let kept = order.len();
    let mut rest: Vec<Label> = operands.iter().flatten().copied().filter(|l| !order.contains(l)).collect();
    rest.sort_unstable();
    rest.dedup();
    order.extend(rest);
    Ok(Plan { operands, order, kept })
}

/// A repeated label's dimensions as their diagonal.
fn take_diagonals(x: &Tensor, labels: &[Label], operand: usize) -> Result<(Tensor, Vec<Label>)> {
    let (mut x, mut labels) = (x.shallow_clone(), labels.to_vec());
    let mut i = 0;
    while i < labels.len() {
        match labels[..i].iter().position(|&l| l == labels[i]) {
            None => i += 1,
            Some(first) => {
                let size = x.size();
                if size[first] != size[i] {
                    return Err(error(format_args!(
                        "subscript {} is repeated for operand {operand} but the sizes don't match, {} != {}",
                        letter_of(labels[i]),
                        size[i],
                        size[first]
                    )));
                }
                x = ops::diagonal(&x, 0, first as i64, i as i64)?;
                let label = labels.remove(i);
                labels.remove(first);
                labels.push(label);
                // The diagonal stands last: both places are new.
                i = 0;
            }
        }
    }
    Ok((x, labels))
}

/// Sums of products by Einstein's convention: `torch.einsum`. The equation names each operand's dimensions by letters; equal
/// letters run together, and what does not stand after `->` is summed. Ellipses, diagonals (`ii`) and an implicit output are
/// understood. Operands are contracted from left to right.
///
/// # Errors
/// When the equation cannot be read or does not fit the operands.
///
/// ```
/// let a = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// let b = torch::tensor([[0.0, 1.0], [1.0, 0.0]]);
/// assert_eq!(torch::einsum("ij,jk->ik", &[&a, &b]).to_vec::<f32>(), [2.0, 1.0, 4.0, 3.0]);
/// assert_eq!(torch::einsum("ii", &[&a]).item(), 5.0);
/// ```
#[op(torch, cast_gpu = Low)]
pub fn einsum<T: Borrow<Tensor>>(equation: &str, operands: &[T]) -> Result<Tensor> {
    let tensors: Vec<&Tensor> = operands.iter().map(Borrow::borrow).collect();
    if tensors.is_empty() {
        return Err(error("must provide at least one operand"));
    }
    let dims: Vec<usize> = tensors.iter().map(|t| t.dim()).collect();
    let plan = parse(equation, &dims)?;
    // Every operand in the plan's order, length one where it lacks a label.
    let mut lengths = vec![1; plan.order.len()];
    let mut aligned = Vec::new();
    for (i, (x, labels)) in tensors.iter().zip(&plan.operands).enumerate() {
        let (mut x, labels) = take_diagonals(x, labels, i)?;
        let size = x.size();
        let mut from = Vec::new();
        for (d, &label) in plan.order.iter().enumerate() {
            let Some(at) = labels.iter().position(|&l| l == label) else {
                from.push((labels.len() + from.len()) as i64);
                continue;
            };
            if lengths[d] != 1 && size[at] != 1 && lengths[d] != size[at] {
                return Err(error(format_args!(
                    "subscript {} has size {} for operand {i} which does not broadcast with previously seen size {}",
                    letter_of(label),
                    size[at],
                    lengths[d]
                )));
            }
            if size[at] != 1 {
                lengths[d] = size[at];
            }
            from.push(at as i64);
        }
        // Missing dimensions come from new ones at the end.
        let mut next = labels.len() as i64;
        for (source, label) in from.iter_mut().zip(&plan.order) {
            if !labels.contains(label) {
                x = unsqueeze(&x, next)?;
                *source = next;
                next += 1;
            }
        }
        aligned.push(permute(&x, &from)?);
    }
    contract(aligned, &plan)
}

/// Multiplies the operands in turn and sums each label as soon as no later operand has it.
fn contract(aligned: Vec<Tensor>, plan: &Plan) -> Result<Tensor> {
    let mut users: Vec<usize> =
        (0..plan.order.len()).map(|d| aligned.iter().filter(|x| x.size()[d] != 1).count()).collect();
    let single = aligned.len() == 1;
    let mut rest = aligned.into_iter();
    let mut out = rest.next().expect("there is an operand");
    for x in rest {
        let (mut a, mut b) = (out, x);
        let (mut of_a, mut of_b, mut both) = (vec![], vec![], vec![]);
        for (d, users) in users.iter_mut().enumerate().skip(plan.kept) {
            match (a.size()[d] != 1, b.size()[d] != 1) {
                (true, true) => {
                    *users -= 1;
                    if *users == 1 {
                        both.push(d);
                        *users = 0;
                    }
                }
                (true, false) if *users == 1 => {
                    of_a.push(d as i64);
                    *users = 0;
                }
                (false, true) if *users == 1 => {
                    of_b.push(d as i64);
                    *users = 0;
                }
                _ => {}
            }
        }
        if !of_a.is_empty() {
            a = sum(&a, &of_a, true, None)?;
        }
        if !of_b.is_empty() {
            b = sum(&b, &of_b, true, None)?;
        }
        out = if both.is_empty() { mul(&a, &b)? } else { sum_of_products(&a, &b, &both)? };
    }
    if plan.kept == plan.order.len() {
        return Ok(out);
    }
    // What was summed on the way has length one.
    if !single && users[plan.kept..].iter().all(|&n| n == 0) {
        return ops::view(&out, &to_i64(&out.size()[..plan.kept]));
    }
    // All of them at once, so that the sum is the last step where there is nothing else.
    let dims: Vec<i64> = (plan.kept..plan.order.len()).map(|d| d as i64).collect();
    sum(&out, &dims, false, None)
}

/// Σ over `dims` of a · b, which have one number of dimensions; the summed ones stay with length one. One batched product.
fn sum_of_products(a: &Tensor, b: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let (sa, sb) = (a.size(), b.size());
    // Labels that both have stay apart as a batch; the others belong to one operand's rows or columns.
    let free = |d: &usize| !dims.contains(d);
    let batch: Vec<usize> = (0..sa.len()).filter(free).filter(|&d| sa[d] != 1 && sb[d] != 1).collect();
    let rows: Vec<usize> = (0..sa.len()).filter(free).filter(|&d| sa[d] != 1 && sb[d] == 1).collect();
    let columns: Vec<usize> = (0..sa.len()).filter(free).filter(|&d| sa[d] == 1).collect();
    let flat = |x: &Tensor, parts: [&[usize]; 3]| {
        let size = x.size();
        let named: Vec<usize> = parts.concat();
        // What is left has length one.
        let unnamed = (0..size.len()).filter(|d| !named.contains(d));
        let order: Vec<i64> = named.iter().copied().chain(unnamed).map(|d| d as i64).collect();
        let shape = parts.map(|part| part.iter().map(|&d| size[d]).product::<usize>());
        reshape(&permute(x, &order)?, &to_i64(&shape))
    };
    let left = flat(a, [&batch, &rows, dims])?;
    let right = flat(b, [&batch, dims, &columns])?;
    let out = ops::bmm(&left, &right)?;
    // From [batch, rows, columns, summed] to the common order.
    let order: Vec<usize> = [&batch[..], &rows, &columns, dims].concat();
    let length =
        |&d: &usize| if dims.contains(&d) { 1 } else { sa[d].max(sb[d]) * usize::from(sa[d] != 0 && sb[d] != 0) };
    let shape: Vec<usize> = order.iter().map(length).collect();
    let mut inverse = vec![0; order.len()];
    for (i, &d) in order.iter().enumerate() {
        inverse[d] = i as i64;
    }
    permute(&reshape(&out, &to_i64(&shape))?, &inverse)
}

/// Sums products over the dimensions `a_dims` of `a` and `b_dims` of `b`, where a length of one broadcasts; the other dimensions
/// of `a`, then of `b`, stay: `torch.tensordot(a, b, dims=(a_dims, b_dims))`.
///
/// # Errors
/// When the lists or the dimensions that they name differ in length.
///
/// ```
/// let a = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// let v = torch::tensor([1.0, 10.0]);
/// assert_eq!(torch::tensordot(&a, &v, [1], [0]).to_vec::<f32>(), [21.0, 43.0]);
/// ```
#[op(torch, cast_gpu = Widest)]
pub fn tensordot(a: &Tensor, b: &Tensor, a_dims: &[i64], b_dims: &[i64]) -> Result<Tensor> {
    if a_dims.len() != b_dims.len() {
        return Err(Error::runtime("both dimension lists should have same length"));
    }
    if a.dtype() != b.dtype() {
        return Err(Error::runtime("both inputs should have same dtype"));
    }
    let (mut a, mut b) = (a.shallow_clone(), b.shallow_clone());
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for (&da, &db) in a_dims.iter().zip(b_dims) {
        let (wa, wb) = (wrap_dim(da, a.dim())?, wrap_dim(db, b.dim())?);
        let (na, nb) = (a.size()[wa], b.size()[wb]);
        match (na, nb) {
            (na, nb) if na == nb => {}
            (1, _) => b = sum(&b, &[wb as i64], true, Some(b.dtype()))?,
            (_, 1) => a = sum(&a, &[wa as i64], true, Some(a.dtype()))?,
            _ => {
                return Err(Error::runtime(format!(
                    "contracted dimensions need to match, but first has size {na} in dim {da} and second has size {nb} in dim \
                     {db}"
                )));
            }
        }
        of_a.push(wa);
        of_b.push(wb);
    }
    let (sa, sb) = (a.size(), b.size());
    let free_a: Vec<usize> = (0..sa.len()).filter(|d| !of_a.contains(d)).collect();
    let free_b: Vec<usize> = (0..sb.len()).filter(|d| !of_b.contains(d)).collect();
    let flat = |x: &Tensor, first: &[usize], second: &[usize]| {
        let size = x.size();
        let count = |dims: &[usize]| dims.iter().map(|&d| size[d] as i64).product::<i64>();
        let order: Vec<i64> = first.iter().chain(second).map(|&d| d as i64).collect();
        reshape(&permute(x, &order)?, &[count(first), count(second)])
    };
    // What is one number PyTorch computes as a dot product, which a CPU's region of autocast leaves alone.
    let is_number = free_a.iter().all(|&d| sa[d] == 1) && free_b.iter().all(|&d| sb[d] == 1);
    let _opaque = (is_number && mode::watched()).then(|| Casting::opaque(&[&a, &b]));
    let out = ops::mm(&flat(&a, &free_a, &of_a)?, &flat(&b, &of_b, &free_b)?)?;
    let shape: Vec<i64> = free_a.iter().map(|&d| sa[d] as i64).chain(free_b.iter().map(|&d| sb[d] as i64)).collect();
    reshape(&out, &shape)
}

/// Sums products over the last `dims` dimensions of `a` and the first `dims` of `b`: `torch.tensordot(a, b, dims)`. See
/// [`tensordot`].
///
/// # Errors
/// When there are not as many dimensions, or they differ in length.
///
/// ```
/// let a = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(torch::tensordot_n(&a, &a, 2).item(), 30.0);
/// assert_eq!(torch::tensordot_n(&a, &a, 0).size(), [2, 2, 2, 2]);
/// ```
#[op(torch, cast_gpu = Widest)]
pub fn tensordot_n(a: &Tensor, b: &Tensor, dims: i64) -> Result<Tensor> {
    if dims < 0 {
        return Err(Error::runtime(format!("tensordot expects dims >= 0, but got dims={dims}")));
    }
    if dims as usize > a.dim().min(b.dim()) {
        return Err(Error::runtime(format!("tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")));
    }
    let a_dims: Vec<i64> = (-dims..0).collect();
    let b_dims: Vec<i64> = (0..dims).collect();
    tensordot(a, b, &a_dims, &b_dims)
}

/// Σₖ x[…, k] · other[…, k], summed over the last dimension of both, of vectors their dot product: `torch.inner`. A tensor
/// without dimensions multiplies.
///
/// # Errors
/// When the last dimensions differ in length.
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 2.0, 3.0]), torch::tensor([0.0, 2.0, 1.0]));
/// assert_eq!(a.inner(&b).item(), 7.0);
/// ```
#[op(torch, method)]
pub fn inner(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    if x.dim() == 0 || other.dim() == 0 {
        return mul(x, other);
    }
    let (sx, so) = (x.size(), other.size());
    if sx.last() != so.last() {
        return Err(Error::runtime(format!(
            "inner() the last dimension must match on both input tensors but got shapes {:?} and {:?}",
            &*sx, &*so
        )));
    }
    tensordot(x, other, &[-1], &[-1])
}

/// The Kronecker product: each element of the tensor times the whole of `other`, in its place: `torch.kron`.
///
/// ```
/// let (a, b) = (torch::tensor([1, 10]), torch::tensor([1, 2]));
/// assert_eq!(a.kron(&b).to_vec::<i64>(), [1, 2, 10, 20]);
/// ```
#[op(torch, method)]
pub fn kron(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    let n = x.dim().max(other.dim());
    let pad = |x: &Tensor, after: bool| {
        let mut shape = Vec::new();
        for d in 0..n {
            let length = (d + x.dim()).checked_sub(n).map_or(1, |i| x.size()[i] as i64);
            shape.extend(if after { [length, 1] } else { [1, length] });
        }
        reshape(x, &shape)
    };
    let out = mul(&pad(x, true)?, &pad(other, false)?)?;
    let shape: Vec<usize> = out.size().chunks(2).map(|pair| pair[0] * pair[1]).collect();
    named_view("UnsafeViewBackward0", &out, &shape)
}
