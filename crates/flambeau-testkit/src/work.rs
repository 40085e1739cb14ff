//! What ran where while something was computed.

use flambeau_tensor::Device;
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The GPU that tests use. A machine without one fails them.
pub const GPU: Device = Device::Wgpu(0);

/// What a call made the devices do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Kernels that were launched on the GPU.
    pub launches: u64,
    /// Times that the host waited for data of the GPU.
    pub readbacks: u64,
    /// Kernels that this thread ran on the CPU.
    pub cpu_kernels: u64,
}

impl Work {
    /// Says what is wrong with the work of a call whose tensors are on a GPU: nothing may run on the CPU, nothing may be read
    /// unless `may_read`, and unless there is nothing to compute a kernel must be launched.
    pub fn misplaced(&self, may_read: bool, must_launch: bool) -> Option<String> {
        match *self {
            Work { cpu_kernels: 1.., .. } => Some(format!("{} kernels ran on the CPU", self.cpu_kernels)),
            Work { readbacks: 1.., .. } if !may_read => Some(format!("{} reads from the GPU", self.readbacks)),
            Work { launches: 0, .. } if must_launch => Some("no kernel was launched".into()),
            _ => None,
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        self.launches += other.launches;
        self.readbacks += other.readbacks;
        self.cpu_kernels += other.cpu_kernels;
    }
}

/// Makes a call and tells what work it was. The GPU's counters are those of all threads: of a test program, only one test may
/// use the GPU at a time (see [`OnGpu`]).
pub fn watch<R>(device: Device, call: impl FnOnce() -> R) -> (R, Work) {
    let gpu = || if device.is_cpu() { Default::default() } else { counters(device) };
    let (before, cpu_before) = (gpu(), flambeau_cpu::kernels_run());
    let result = call();
    let (after, cpu_after) = (gpu(), flambeau_cpu::kernels_run());
    let work = Work {
        launches: after.dispatches - before.dispatches,
        readbacks: after.readbacks - before.readbacks,
        cpu_kernels: cpu_after - cpu_before,
    };
    (result, work)
}

/// What the GPU has done so far.
///
/// # Panics
/// When there is none.
pub fn counters(device: Device) -> flambeau_wgpu::Counters {
    flambeau_wgpu::counters(device).unwrap_or_else(|e| panic!("{e}"))
}

/// Keeps what all tests of a program share, the default generators and the GPU, to one test while the guard lives.
pub fn alone() -> MutexGuard<'static, ()> {
    static SHARED: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind that others depend on.
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// [`alone`] for a test on the GPU. When it is dropped, it prints how many pipelines were made; `cargo xtask test` adds these
/// lines up.
pub struct OnGpu {
    pipelines: u64,
    _alone: MutexGuard<'static, ()>,
}

impl OnGpu {
    /// Waits for the other tests.
    ///
    /// # Panics
    /// When there is no GPU.
    #[allow(clippy::new_without_default, reason = "a lock is not a value")]
    pub fn new() -> Self {
        let _alone = alone();
        OnGpu { pipelines: counters(GPU).pipelines, _alone }
    }
}

impl Drop for OnGpu {
    fn drop(&mut self) {
        println!("count: {} pipelines made by GPU tests", counters(GPU).pipelines - self.pipelines);
    }
}

/// Makes a device the default one until the guard is dropped.
pub struct DefaultDevice(Device);

impl DefaultDevice {
    /// Sets it.
    ///
    /// # Panics
    /// When there is no such device.
    pub fn set(device: Device) -> Self {
        let before = flambeau_device::default_device();
        flambeau_device::set_default_device(device).unwrap_or_else(|e| panic!("{e}"));
        DefaultDevice(before)
    }
}

impl Drop for DefaultDevice {
    fn drop(&mut self) {
        flambeau_device::set_default_device(self.0).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flambeau_autograd::ones;

    #[test]
    fn work_is_seen_where_it_is_done() {
        let _gpu = OnGpu::new();
        let x = ones([8]).to(GPU);
        let (_, there) = watch(GPU, || &x * 2.0);
        assert_eq!(there, Work { launches: 1, readbacks: 0, cpu_kernels: 0 });
        assert_eq!(there.misplaced(false, true), None);
        let (_, fallen_back) = watch(GPU, || (x.to(Device::Cpu) * 2.0).to(GPU));
        assert_eq!((fallen_back.cpu_kernels, fallen_back.readbacks), (1, 1));
        assert_eq!(fallen_back.misplaced(true, true).as_deref(), Some("1 kernels ran on the CPU"));
        let (_, read) = watch(GPU, || (&x * 2.0).to_vec::<f32>());
        assert_eq!(read.misplaced(false, true).as_deref(), Some("1 reads from the GPU"));
        assert_eq!(read.misplaced(true, true), None);
        let (_, idle) = watch(GPU, || x.view([2, 4]));
        assert_eq!(idle.misplaced(false, true).as_deref(), Some("no kernel was launched"));
        assert_eq!(idle.misplaced(false, false), None);
    }
}
