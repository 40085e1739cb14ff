//! Motion as colours.

use crate::error::{Error, Result};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, from_vec, no_grad, ops};
use flambeau_tensor::DType;

/// A flow `[2, h, w]` or `[n, 2, h, w]` of float32 as an image of bytes: the hue is the direction, the colour's strength the
/// speed, of the fastest 1: `torchvision.utils.flow_to_image`.
///
/// # Panics
/// When the flow is of another kind.
#[track_caller]
pub fn flow_to_image(flow: impl AsTensor) -> Tensor {
    picture(flow.as_tensor()).or_panic()
}

/// The colours around the wheel of Baker et al. (2007): six fades from one pure colour to the next.
fn wheel() -> Vec<[f32; 3]> {
    // How many steps a fade has, the channel that changes, whether it rises, and the channel that is full.
    const FADES: [(usize, usize, bool, usize); 6] =
        [(15, 1, true, 0), (6, 0, false, 1), (4, 2, true, 1), (11, 1, false, 2), (13, 0, true, 2), (6, 2, false, 0)];
    let mut colours = Vec::new();
    for (steps, channel, rises, full) in FADES {
        for i in 0..steps {
            let part = (255.0 * i as f32 / steps as f32).floor();
            let mut colour = [0.0; 3];
            colour[full] = 255.0;
            colour[channel] = if rises { part } else { 255.0 - part };
            colours.push(colour);
        }
    }
    colours
}

fn picture(flow: &Tensor) -> Result<Tensor> {
    let _guard = no_grad();
    if flow.dtype() != DType::F32 {
        return Err(Error::Value(format!("Flow should be of dtype torch.float, got {}.", flow.dtype())));
    }
    let batch = if flow.dim() == 3 { flow.unsqueeze(0) } else { flow.shallow_clone() };
    if batch.dim() != 4 || batch.size_dim(1) != 2 {
        let size = flow.size();
        return Err(Error::Value(format!("Input flow should have shape (2, H, W) or (N, 2, H, W), got {size}.")));
    }
    let speed = |x: &Tensor| x.pow(2).sum_dim(1, false).sqrt();
    let batch = batch.div(speed(&batch).max().add(f64::from(f32::EPSILON)));
    let norm = speed(&batch);
    let (x, y) = (batch.narrow(1, 0, 1).squeeze_dim(1), batch.narrow(1, 1, 1).squeeze_dim(1));
    let angle = y.neg().atan2(x.neg()).div(std::f64::consts::PI);
    let wheel = wheel();
    let count = wheel.len() as i64;
    let place = angle.add(1).div(2).mul(count - 1);
    let low = ops::to_dtype(&place.floor(), DType::I64)?;
    let high = low.add(1).remainder(count);
    let f = place.sub(&low);
    let mut channels = Vec::new();
    for channel in 0..3 {
        let values: Vec<f32> = wheel.iter().map(|colour| colour[channel]).collect();
        let table = from_vec(values, [wheel.len()]).to(flow.device());
        let [a, b] = [&low, &high].map(|index| table.i(index).div(255.0));
        let colour = (1.0 - &f).mul(a).add(f.mul(b));
        let colour = 1.0 - norm.mul(1.0 - colour);
        channels.push(ops::to_dtype(&colour.mul(255).floor(), DType::U8)?);
    }
    let image = ops::stack(&channels, 1)?;
    Ok(if flow.dim() == 3 { image.squeeze_dim(0) } else { image })
}
