//! `torch.amp`: mixed precision. Regions in which products compute in 16 bits, and a scaler that keeps small gradients from becoming
//! zeros in float16.
//!
//! ```
//! use torch::prelude::*;
//! let net = nn::Linear::new(4, 2);
//! let optimizer = optim::SGD::new(net.parameters(), 0.1);
//! let scaler = torch::amp::GradScaler::new("cpu");
//! let (x, y) = (torch::randn((8, 4)), torch::zeros((8, 2)));
//! for _ in 0..3 {
//!     optimizer.zero_grad();
//!     let loss = {
//!         let _autocast = torch::autocast("cpu");
//!         F::mse_loss(net.call(&x), &y)
//!     };
//!     scaler.scale(&loss).backward();
//!     scaler.step(&optimizer);
//!     scaler.update();
//! }
//! assert_eq!(net.weight.dtype(), torch::float32);
//! ```

pub use flambeau_autograd::mode::{
    AutocastGuard, AutocastOptions, CustomBwd, CustomFwd, DeviceType, autocast, autocast_with, custom_bwd, custom_fwd,
    is_autocast_available,
};
pub use flambeau_optim::{GradScaler, GradScalerOptions, NewScale, Scalable, ScalerState, UpdateOptions};

/// `torch.amp.autocast_mode`: where PyTorch keeps [`autocast`].
///
/// ```
/// use torch::amp::autocast_mode::autocast;
/// let _autocast = autocast("cpu");
/// ```
pub mod autocast_mode {
    pub use super::{autocast, autocast_with, custom_bwd, custom_fwd, is_autocast_available};
}

/// `torch.amp.grad_scaler`: where PyTorch keeps [`GradScaler`].
///
/// ```
/// use torch::amp::grad_scaler::GradScaler;
/// assert!(GradScaler::new("cpu").is_enabled());
/// ```
pub mod grad_scaler {
    pub use super::GradScaler;
}
