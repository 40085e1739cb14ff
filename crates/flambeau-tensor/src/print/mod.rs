//! PyTorch's printing: `print(tensor)`, `torch.Size([3, 2])`, Python's `repr` of a float and of a text.

mod formatter;
mod number;
mod options;
mod tensor;
mod text;

#[cfg(test)]
mod goldens;

pub use number::{cpp_double, format_number, py_float};
pub use options::{PrintOptions, Profile, printoptions, set_printoptions};
pub use tensor::{Suffixes, format_size, format_tensor};
pub use text::py_str;
