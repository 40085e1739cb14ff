//! Attention within windows of a plane.

use flambeau_autograd::{OrPanic, Tensor, from_vec, ones, ops, zeros};
use flambeau_device::default_device;
use flambeau_nn::functional as F;
use flambeau_nn::{self as nn, Buffer, Module, Parameter, forward, init};

/// Which Swin transformer: in the second version keys and queries are compared by their angle, and the positions' bias is computed by
/// a small network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Swin.
    First,
    /// Swin v2.
    Second,
}

impl Version {
    /// The side of a window.
    fn window(self) -> usize {
        match self {
            Version::First => 7,
            Version::Second => 8,
        }
    }
}

/// Attention within windows of `[n, height, width, channels]`, which may be shifted by half a window: torchvision's
/// `ShiftedWindowAttention` and `ShiftedWindowAttentionV2`.
#[derive(Module)]
#[module(type_name)]
pub struct WindowAttention {
    version: Version,
    heads: usize,
    shifted: bool,
    attention_dropout: f64,
    dropout: f64,
    /// The first version's bias of each relative position and head.
    pub relative_position_bias_table: Option<Parameter>,
    /// The second version's logarithm of each head's factor, `[heads, 1, 1]`.
    pub logit_scale: Option<Parameter>,
    /// Where the second version's relative positions lie, on a logarithmic scale, `[1, 2·side − 1, 2·side − 1, 2]`.
    pub relative_coords_table: Option<Buffer>,
    /// Which relative position each pair of tokens of a window has.
    pub relative_position_index: Buffer,
    /// To queries, keys and values.
    pub qkv: nn::Linear,
    /// Behind the attention.
    pub proj: nn::Linear,
    /// The second version's network from relative positions to biases.
    pub cpb_mlp: Option<nn::Sequential>,
    state: nn::ModuleState,
}

impl WindowAttention {
    #[track_caller]
    pub(super) fn new(version: Version, dim: usize, heads: usize, shifted: bool, dropouts: (f64, f64)) -> Self {
        let (side, second) = (version.window(), version == Version::Second);
        let (qkv, proj) = (nn::Linear::new(dim, 3 * dim), nn::Linear::new(dim, dim));
        let relative_position_bias_table = (!second).then(|| {
            let table = zeros(((2 * side - 1).pow(2), heads));
            init::trunc_normal_with_(&table, |o| o.std(0.02));
            Parameter::new(table)
        });
        WindowAttention {
            version,
            heads,
            shifted,
            attention_dropout: dropouts.0,
            dropout: dropouts.1,
            relative_position_bias_table,
            logit_scale: second.then(|| Parameter::new(ones((heads, 1, 1)).mul(10).log())),
            relative_coords_table: second.then(|| Buffer::new(relative_coords(side).to(default_device()))),
            relative_position_index: Buffer::new(relative_positions(side).to(default_device())),
            qkv,
            proj,
            cpb_mlp: second.then(|| {
                nn::sequential![
                    nn::Linear::new(2, 512),
                    nn::ReLU::with(|o| o.inplace(true)),
                    nn::Linear::with(512, heads, |o| o.bias(false)),
                ]
            }),
            state: nn::ModuleState::new(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self.version {
            Version::First => "ShiftedWindowAttention",
            Version::Second => "ShiftedWindowAttentionV2",
        }
    }

    /// What is added to the logits of each head and pair of tokens, `[1, heads, tokens, tokens]`.
    #[track_caller]
    fn bias(&self) -> Tensor {
        let tokens = self.version.window().pow(2);
        let pairs = |table: &Tensor| {
            let rows = table.index_select(0, &self.relative_position_index);
            rows.view((tokens, tokens, -1)).permute([2, 0, 1]).unsqueeze(0)
        };
        match (&self.relative_position_bias_table, &self.cpb_mlp, &self.relative_coords_table) {
            (Some(table), _, _) => pairs(table),
            (None, Some(mlp), Some(coords)) => pairs(&mlp.call(&**coords).view((-1, self.heads))).sigmoid().mul(16),
            _ => unreachable!("a version has a table or a network"),
        }
    }

    /// The shift of queries, keys and values: the second version's keys have none.
    #[track_caller]
    fn qkv_bias(&self) -> Option<Tensor> {
        let bias = self.qkv.bias.as_ref()?;
        if self.version == Version::First {
            return Some(bias.shallow_clone());
        }
        let n = bias.len() / 3;
        let parts = [bias.narrow(0, 0, n), bias.narrow(0, n, n).detach().zeros_like(), bias.narrow(0, 2 * n, n)];
        Some(ops::cat(&parts, 0).or_panic())
    }

    /// The logits of `[windows, heads, tokens, channels]`.
    #[track_caller]
    fn logits(&self, q: &Tensor, k: &Tensor) -> Tensor {
        match &self.logit_scale {
            None => {
                let width = q.size()[3];
                q.mul((width as f64).powf(-0.5)).matmul(k.transpose(-2, -1))
            }
            Some(scale) => {
                let unit = |x: &Tensor| F::normalize_with(x, |o| o.dim(-1));
                let cosines = unit(q).matmul(unit(k).transpose(-2, -1));
                cosines.mul(scale.clamp(None, 100f64.ln()).exp())
            }
        }
    }
}

#[forward]
impl WindowAttention {
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        let (side, heads) = (self.version.window(), self.heads);
        let [n, height, width, channels] = input.sizes::<[usize; 4]>();
        let up = |length: usize| length.next_multiple_of(side);
        let (padded_height, padded_width) = (up(height), up(width));
        let pad = [0, 0, 0, (padded_width - width) as i64, 0, (padded_height - height) as i64];
        let mut x = F::pad(input, pad);
        // One window has nothing to be shifted into.
        let shift = |padded: usize| if self.shifted && side < padded { (side / 2) as i64 } else { 0 };
        let shifts = [shift(padded_height), shift(padded_width)];
        let is_shifted = shifts != [0, 0];
        if is_shifted {
            x = x.roll(shifts.map(|s| -s), [1, 2]);
        }
        let (rows, columns, tokens) = (padded_height / side, padded_width / side, side * side);
        let windows = n * rows * columns;
        let x = x.view((n, rows, side, columns, side, channels)).permute([0, 1, 3, 2, 4, 5]);
        let x = x.reshape((windows, tokens, channels));
        let qkv = F::linear(&x, &self.qkv.weight, &self.qkv_bias());
        let qkv = qkv.reshape((windows, tokens, 3, heads, channels / heads)).permute([2, 0, 3, 1, 4]);
        let [q, k, v] = [0, 1, 2].map(|i| qkv.select(0, i));
        let mut logits = self.logits(&q, &k).add(self.bias());
        if is_shifted {
            let mask = mask([padded_height, padded_width], side, shifts).to(input.dtype()).to(input.device());
            let grouped = logits.view((n, rows * columns, heads, tokens, tokens));
            logits = grouped.add(mask.unsqueeze(1).unsqueeze(0)).view((-1, heads, tokens, tokens));
        }
        let training = self.state.training();
        let weights = F::dropout(logits.softmax(-1), self.attention_dropout, training);
        let x = weights.matmul(v).transpose(1, 2).reshape((windows, tokens, channels));
        let x = F::dropout(F::linear(&x, &self.proj.weight, &self.proj.bias), self.dropout, training);
        let x = x.view((n, rows, columns, side, side, channels)).permute([0, 1, 3, 2, 4, 5]);
        let mut x = x.reshape((n, padded_height, padded_width, channels));
        if is_shifted {
            x = x.roll(shifts, [1, 2]);
        }
        x.narrow(1, 0, height).narrow(2, 0, width).contiguous()
    }
}

/// Which row of the table of relative positions each pair of tokens of a window has, `[tokens²]`.
#[track_caller]
fn relative_positions(side: usize) -> Tensor {
    let (tokens, span) = (side * side, 2 * side - 1);
    let row = |a: usize, b: usize| {
        let (dy, dx) = (a / side + side - 1 - b / side, a % side + side - 1 - b % side);
        (dy * span + dx) as i64
    };
    let rows = (0..tokens * tokens).map(|i| row(i / tokens, i % tokens)).collect();
    from_vec(rows, [tokens * tokens])
}

/// Relative rows and columns from −8 to 8 on a logarithmic scale, `[1, 2·side − 1, 2·side − 1, 2]`.
#[track_caller]
fn relative_coords(side: usize) -> Tensor {
    let (span, reach) = (2 * side - 1, side as f32 - 1.0);
    let steps: Vec<f32> = (0..span).map(|i| (i as f32 - reach) / reach * 8.0).collect();
    let pairs = (0..span * span).flat_map(|i| [steps[i / span], steps[i % span]]).collect();
    let coords = from_vec::<f32>(pairs, [1, span, span, 2]);
    coords.sign().mul(coords.abs().add(1).log2()).div(3)
}

/// −100 for pairs of tokens that the shift brought together from different ends of the plane, else 0: `[windows, tokens, tokens]`.
#[track_caller]
fn mask([height, width]: [usize; 2], side: usize, [down, right]: [i64; 2]) -> Tensor {
    let part = |at: usize, length: usize, shift: i64| match shift as usize {
        0 => 0,
        shift => usize::from(at >= length - side) + usize::from(at >= length - shift),
    };
    let (columns, tokens) = (width / side, side * side);
    let windows = (height / side) * columns;
    let mut values = Vec::with_capacity(windows * tokens * tokens);
    for window in 0..windows {
        let region = |token: usize| {
            let (y, x) = (window / columns * side + token / side, window % columns * side + token % side);
            3 * part(y, height, down) + part(x, width, right)
        };
        let regions: Vec<usize> = (0..tokens).map(region).collect();
        for a in &regions {
            values.extend(regions.iter().map(|b| if a == b { 0.0f32 } else { -100.0 }));
        }
    }
    from_vec(values, [windows, tokens, tokens])
}
