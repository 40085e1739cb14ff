//! What TensorBoard shows of a training: `torch.utils.tensorboard`.
//!
//! [`SummaryWriter`] writes the event files. `tensorboard --logdir runs` shows them.
//!
//! ```
//! use torch::prelude::*;
//! use torch::utils::tensorboard::SummaryWriter;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runs = std::env::temp_dir().join(format!("flambeau-tensorboard-{}", std::process::id()));
//! let writer = SummaryWriter::with(|o| o.log_dir(&runs))?;
//! let model = nn::sequential![nn::Linear::new(4, 8), nn::ReLU::new(), nn::Linear::new(8, 1)];
//! writer.add_graph(&model, torch::rand((2, 4)));
//! let optimizer = optim::SGD::new(model.parameters(), 0.1);
//! for step in 0..3 {
//!     let loss = model.call(torch::rand((2, 4))).square().mean();
//!     optimizer.zero_grad();
//!     loss.backward();
//!     optimizer.step();
//!     writer.add_scalar("loss", &loss, step);
//!     for (name, p) in model.named_parameters() {
//!         writer.add_histogram(&name, &p, step);
//!     }
//! }
//! # writer.close()?;
//! # std::fs::remove_dir_all(runs)?;
//! # Ok(())
//! # }
//! ```

mod error;
mod file;
mod histogram;
mod names;
mod picture;
mod record;
mod summary;
mod values;
mod wire;
mod writer;

pub use error::{Error, Result};
pub use histogram::Bins;
pub use summary::*;
pub use values::{Nest, Numbers, Values};
pub use writer::{SummaryWriter, SummaryWriterOptions};

/// What `flambeau-plot` draws its texts with where there is no font.
#[doc(hidden)]
pub mod pixel_font {
    pub use crate::picture::font::{HEIGHT, dots, width};
}
