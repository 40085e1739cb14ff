//! `print(tensor)`.

use super::formatter::Formatter;
use super::options::PrintOptions;
use crate::{DType, Scalar};

/// What follows the elements inside the parentheses.
#[derive(Clone, Debug)]
pub struct Suffixes {
    /// The device's name, where it is not the default one: `device='cuda:0'`.
    pub device: Option<String>,
    /// The default float dtype; it, int64 and bool are not named.
    pub default_dtype: DType,
    /// The name of the backward node: `AddmmBackward0` prints as `grad_fn=<AddmmBackward0>`.
    pub grad_fn: Option<String>,
    /// `requires_grad=True`, printed where there is no `grad_fn`.
    pub requires_grad: bool,
    /// Starts with the line `Parameter containing:`.
    pub is_parameter: bool,
}

impl Default for Suffixes {
    fn default() -> Self {
        Self { device: None, default_dtype: DType::F32, grad_fn: None, requires_grad: false, is_parameter: false }
    }
}

/// A shape as PyTorch prints it: `torch.Size([3, 2])`.
pub fn format_size(shape: &[usize]) -> String {
    format!("torch.Size({shape:?})")
}

/// A tensor as `print(tensor)` shows it, byte for byte. `get` yields the element at an index; it is called only for
/// elements that are shown, so that a large tensor prints at once. Its scalars are of the dtype's category: floats for
/// the floating-point dtypes, integers, or booleans.
///
/// ```
/// # use flambeau_tensor::{DType, Scalar, print::{PrintOptions, Suffixes, format_tensor}};
/// let get = |index: &[usize]| Scalar::Float(index[0] as f64 / 2.0);
/// let text = format_tensor(&[3], DType::F64, &get, &Suffixes::default(), &PrintOptions::default());
/// assert_eq!(text, "tensor([0.0000, 0.5000, 1.0000], dtype=torch.float64)");
/// ```
pub fn format_tensor(
    shape: &[usize],
    dtype: DType,
    get: &dyn Fn(&[usize]) -> Scalar,
    suffixes: &Suffixes,
    options: &PrintOptions,
) -> String {
    const PREFIX: &str = "tensor(";
    let mut text = String::new();
    let empty = shape.contains(&0);
    if empty {
        text.push_str("[]");
    } else {
        let mut printer = Printer { shape, get, options, summarize: false, index: Vec::with_capacity(shape.len()) };
        printer.summarize = crate::dims::numel(shape) > options.threshold;
        let mut values = Vec::new();
        printer.collect(&mut values);
        let formatter = Formatter::new(&values, options);
        printer.write(&mut text, PREFIX.len(), &formatter);
    }
    let mut notes = Vec::new();
    if let Some(device) = &suffixes.device {
        notes.push(format!("device='{device}'"));
    }
    if (empty && shape.len() != 1) || (!empty && options.edgeitems == 0) {
        notes.push(format!("size={}", tuple(shape)));
    }
    // An empty tensor has no elements that tell integers and booleans from floats.
    let told = dtype == suffixes.default_dtype || !empty && matches!(dtype, DType::I64 | DType::Bool);
    if !told {
        notes.push(format!("dtype={dtype}"));
    }
    if let Some(name) = &suffixes.grad_fn {
        notes.push(format!("grad_fn=<{name}>"));
    } else if suffixes.requires_grad {
        notes.push("requires_grad=True".into());
    }
    let body = add_suffixes(format!("{PREFIX}{text}"), &notes, PREFIX.len(), options.linewidth);
    if suffixes.is_parameter { format!("Parameter containing:\n{body}") } else { body }
}

/// A Python tuple: `(0, 3)`, `(5,)`.
fn tuple(shape: &[usize]) -> String {
    match shape {
        [n] => format!("({n},)"),
        _ => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Puts each suffix on the last line, or on a new one where the line would grow too long.
fn add_suffixes(mut text: String, notes: &[String], indent: usize, linewidth: usize) -> String {
    // PyTorch's reckoning: without a newline, `rfind` is -1 there.
    let mut last_line = text.rfind('\n').map_or(text.len() + 2, |at| text.len() - at + 1);
    for note in notes {
        if last_line + note.len() + 2 > linewidth {
            text.push_str(",\n");
            text.push_str(&" ".repeat(indent));
            last_line = indent + note.len();
        } else {
            text.push_str(", ");
            last_line += note.len() + 2;
        }
        text.push_str(note);
    }
    text.push(')');
    text
}

/// Walks the shown part of a tensor.
struct Printer<'a> {
    shape: &'a [usize],
    get: &'a dyn Fn(&[usize]) -> Scalar,
    options: &'a PrintOptions,
    summarize: bool,
    /// The index of the part being walked, one entry per dimension entered.
    index: Vec<usize>,
}

impl Printer<'_> {
    /// The positions shown of a dimension; `None` stands for the dots.
    fn positions(&self, len: usize) -> impl Iterator<Item = Option<usize>> + use<> {
        let edge = self.options.edgeitems;
        let dots = self.summarize && len > edge.saturating_mul(2);
        let (head, tail) = if dots { (edge, len - edge) } else { (len, len) };
        (0..head).map(Some).chain(dots.then_some(None)).chain((tail..len).map(Some))
    }

    /// The values shown.
    fn collect(&mut self, values: &mut Vec<Scalar>) {
        let Some(&len) = self.shape.get(self.index.len()) else {
            values.push((self.get)(&self.index));
            return;
        };
        for position in self.positions(len).flatten() {
            self.index.push(position);
            self.collect(values);
            self.index.pop();
        }
    }

    fn write(&mut self, text: &mut String, indent: usize, formatter: &Formatter) {
        match self.shape[self.index.len()..] {
            [] => text.push_str(&formatter.format((self.get)(&self.index))),
            [len] => self.write_vector(text, indent, len, formatter),
            [len, ..] => {
                let inner = self.shape.len() - self.index.len() - 1;
                text.push('[');
                for (i, position) in self.positions(len).enumerate() {
                    if i > 0 {
                        text.push(',');
                        text.push_str(&"\n".repeat(inner));
                        text.push_str(&" ".repeat(indent + 1));
                    }
                    let Some(position) = position else {
                        text.push_str("...");
                        continue;
                    };
                    self.index.push(position);
                    self.write(text, indent + 1, formatter);
                    self.index.pop();
                }
                text.push(']');
            }
        }
    }

    fn write_vector(&mut self, text: &mut String, indent: usize, len: usize, formatter: &Formatter) {
        let room = self.options.linewidth.saturating_sub(indent);
        let per_line = (room / (formatter.width + 2)).max(1);
        // The dots carry a space, except where they are all that is shown.
        let dots = if self.options.edgeitems == 0 { "..." } else { " ..." };
        text.push('[');
        for (i, position) in self.positions(len).enumerate() {
            if i > 0 {
                if i % per_line == 0 {
                    text.push_str(",\n");
                    text.push_str(&" ".repeat(indent + 1));
                } else {
                    text.push_str(", ");
                }
            }
            let Some(position) = position else {
                text.push_str(dots);
                continue;
            };
            self.index.push(position);
            text.push_str(&formatter.format((self.get)(&self.index)));
            self.index.pop();
        }
        text.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn only_what_is_shown_is_read() {
        let reads = Cell::new(0);
        let get = |index: &[usize]| {
            reads.set(reads.get() + 1);
            Scalar::Int(index.iter().sum::<usize>() as i64)
        };
        let shape = [10_000, 10_000];
        let text = format_tensor(&shape, DType::I64, &get, &Suffixes::default(), &PrintOptions::default());
        assert!(text.starts_with("tensor([[    0,     1,     2,  ...,  9997,  9998,  9999],\n"), "{text}");
        assert_eq!(reads.get(), 2 * 36);
    }

    #[test]
    fn sizes() {
        assert_eq!(format_size(&[3, 2]), "torch.Size([3, 2])");
        assert_eq!(format_size(&[]), "torch.Size([])");
    }
}
