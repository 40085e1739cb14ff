//! What the driver reports on its own time, kept until the next call can say so.

use crate::error::{Error, Result};
use flambeau_tensor::Device;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Runs calls that make something, and returns the first error among theirs, whatever its kind: it does not reach
/// [`Failure`], and what was made must not be used.
pub(crate) fn scoped<R>(device: &wgpu::Device, make: impl FnOnce() -> R) -> (R, Option<wgpu::Error>) {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let scopes = [OutOfMemory, Internal, Validation].map(|filter| device.push_error_scope(filter));
    let made = make();
    // On native targets the answer is there at once.
    let error = scopes.into_iter().rev().filter_map(|scope| pollster::block_on(scope.pop())).last();
    (made, error)
}

/// The errors that arrived since the last call.
pub(crate) struct Failure {
    device: Device,
    pending: AtomicBool,
    error: Mutex<Option<Error>>,
}

impl Failure {
    /// Catches a device's errors, which wgpu would panic with otherwise.
    pub fn install(device: &wgpu::Device, name: Device) -> Arc<Self> {
        let failure = Arc::new(Failure { device: name, pending: AtomicBool::new(false), error: Mutex::new(None) });
        let uncaptured = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error| uncaptured.report(&error)));
        let lost = failure.clone();
        device.set_device_lost_callback(move |_, reason| lost.lost(&reason));
        failure
    }

    fn report(&self, error: &wgpu::Error) {
        let reason = error.to_string();
        let device = self.device;
        self.set(match error {
            wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory { device, bytes: 0, reason },
            wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. } => Error::Validation { device, reason },
        });
    }

    /// Notes that the device is gone.
    pub fn lost(&self, reason: &str) {
        self.set(Error::Lost { device: self.device, reason: reason.to_owned() });
    }

    /// The first error stays, but a lost device outdoes all.
    fn set(&self, error: Error) {
        let mut slot = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() || matches!(error, Error::Lost { .. }) {
            *slot = Some(error);
        }
        self.pending.store(true, Ordering::Release);
    }

    /// Reports what arrived since the last call. Other errors are told once; a lost device stays lost.
    pub fn check(&self) -> Result<()> {
        if !self.pending.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut slot = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        let error = match &*slot {
            Some(lost @ Error::Lost { .. }) => Some(lost.clone()),
            _ => {
                self.pending.store(false, Ordering::Release);
                slot.take()
            }
        };
        error.map_or(Ok(()), Err)
    }
}
