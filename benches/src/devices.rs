//! Where benchmarks run, and how long work takes there.

use std::sync::LazyLock;
use std::time::{Duration, Instant};
use torch::Device;

static DEVICES: LazyLock<Vec<Device>> = LazyLock::new(|| match torch::wgpu::adapters().first() {
    Some(adapter) => {
        eprintln!("wgpu:0 is {adapter}");
        vec![Device::Cpu, Device::Wgpu(0)]
    }
    None => {
        eprintln!("this machine has no GPU adapter: the GPU's rows are left out");
        vec![Device::Cpu]
    }
});

/// The CPU and the first GPU; without a GPU, which is then said once on standard error, the CPU alone.
pub fn devices() -> &'static [Device] {
    &DEVICES
}

/// Waits until all work on a device is done.
pub fn synchronize(device: Device) {
    if let Device::Wgpu(index) = device {
        torch::wgpu::synchronize(index);
    }
}

/// How long `calls` calls take until the device has done their work: what `Bencher::iter_custom` asks for. A GPU is waited
/// for once, at the end.
pub fn timed(device: Device, calls: u64, mut work: impl FnMut()) -> Duration {
    synchronize(device);
    let start = Instant::now();
    for _ in 0..calls {
        work();
    }
    synchronize(device);
    start.elapsed()
}
