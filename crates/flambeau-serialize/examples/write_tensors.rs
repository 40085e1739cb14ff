//! Writes a file of many kinds of tensors: `write_tensors OUT.pth`. `goldens/check_tensors.py` reads it with PyTorch.

use flambeau_autograd::{arange, from_vec, ones};
use flambeau_serialize::{Value, save};
use flambeau_tensor::DType;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: write_tensors OUT.pth")?;
    let base = arange(12).float().view([3, 4]);
    let x = from_vec(vec![0.0_f64, 1.0, 2.5, 100.0], [4]);
    let dtypes = DType::ALL.map(|d| (d.name(), Value::from(x.to(d))));
    let value = Value::dict([
        ("base", Value::from(&base)),
        ("transposed", Value::from(base.transpose(0, 1))),
        ("column", Value::from(base.select(1, 1))),
        ("expanded", Value::from(ones([1, 3]).expand([5, 3]))),
        ("leaf", Value::from(ones([2]).requires_grad_(true))),
        ("parameter", Value::from(ones([2, 2]).into_parameter(true))),
        ("frozen", Value::from(ones([2]).into_parameter(false))),
        ("empty", Value::from(ones([0, 3]))),
        ("dtypes", Value::ordered_dict(dtypes)),
        ("epoch", Value::Int(3)),
    ]);
    save(&value, path)?;
    Ok(())
}
