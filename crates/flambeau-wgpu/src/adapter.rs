//! Which GPU: listing adapters, choosing among them, opening them.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::self_test::self_test;
use flambeau_tensor::{DType, Device};
use std::sync::{LazyLock, OnceLock};

/// What is known about an adapter before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The device's name, such as "NVIDIA H100 80GB HBM3".
    pub name: String,
    /// Discrete GPU, integrated GPU, virtual GPU, or software on the CPU.
    pub kind: String,
    /// The API it is reached through: Vulkan, Metal or DX12.
    pub api: String,
    /// The driver and its version.
    pub driver: String,
}

impl Adapter {
    /// Whether it is a program on the CPU and no GPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }
}

impl std::fmt::Display for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {}, {})", self.name, self.kind, self.api, self.driver)
    }
}

struct Slot {
    adapter: wgpu::Adapter,
    gpu: OnceLock<Result<Gpu>>,
    /// What the test of its arithmetic says of f32, without which nothing works.
    tested: OnceLock<Result<()>>,
}

/// The machine's adapters, discrete GPUs first and software last. One that several APIs reach stands here once.
static ALL: LazyLock<Vec<wgpu::Adapter>> = LazyLock::new(|| {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let rank = |a: &wgpu::Adapter| match a.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    adapters.sort_by_key(rank);
    let api = adapters.first().map(|a| a.get_info().backend);
    adapters.retain(|a| Some(a.get_info().backend) == api);
    adapters
});

/// Those that `FLAMBEAU_ADAPTER` leaves.
static SLOTS: LazyLock<Vec<Slot>> = LazyLock::new(|| {
    let mut adapters = ALL.clone();
    if let Ok(wanted) = std::env::var("FLAMBEAU_ADAPTER") {
        let index = wanted.parse::<usize>().ok();
        let mut position = 0..;
        adapters.retain(|a| {
            let i = position.next();
            a.get_info().name.to_lowercase().contains(&wanted.to_lowercase()) || (index.is_some() && i == index)
        });
    }
    adapters.into_iter().map(|adapter| Slot { adapter, gpu: OnceLock::new(), tested: OnceLock::new() }).collect()
});

fn describe(adapter: &wgpu::Adapter) -> Adapter {
    let info = adapter.get_info();
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete GPU",
        wgpu::DeviceType::IntegratedGpu => "integrated GPU",
        wgpu::DeviceType::VirtualGpu => "virtual GPU",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    };
    let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
    Adapter { name: info.name, kind: kind.to_owned(), api: info.backend.to_string(), driver }
}

/// The adapters that the devices `wgpu:0`, `wgpu:1`, … stand for. The environment variable `FLAMBEAU_ADAPTER`, a part of a
/// name or a number in this list, leaves only the adapters that it names.
pub fn adapters() -> Vec<Adapter> {
    SLOTS.iter().map(|slot| describe(&slot.adapter)).collect()
}

/// The opened GPU of a device.
///
/// # Errors
/// When there is no such adapter, its driver refuses to open it, or computes wrong numbers.
pub(crate) fn gpu(device: Device) -> Result<&'static Gpu> {
    let Device::Wgpu(index) = device else {
        return Err(Error::NoAdapter { wanted: format!(" is called {device}"), found: found() });
    };
    let Some(slot) = SLOTS.get(index) else {
        let wanted = match std::env::var("FLAMBEAU_ADAPTER") {
            Ok(name) => format!(" for {device} among those that FLAMBEAU_ADAPTER=\"{name}\" names"),
            Err(_) => format!(" for {device}"),
        };
        return Err(Error::NoAdapter { wanted, found: found() });
    };
    let opened = slot.gpu.get_or_init(|| pollster::block_on(Gpu::open(&slot.adapter, device)));
    let gpu = opened.as_ref().map_err(Clone::clone)?;
    slot.tested.get_or_init(|| self_test(gpu, DType::F32)).clone()?;
    Ok(gpu)
}

/// The GPUs that were opened so far.
pub(crate) fn opened() -> impl Iterator<Item = &'static Gpu> {
    SLOTS.iter().filter_map(|slot| slot.gpu.get()?.as_ref().ok())
}

/// Opens the first adapter once more, under a name of the caller's.
#[cfg(test)]
pub(crate) fn open_first(name: Device) -> Result<Gpu> {
    pollster::block_on(Gpu::open(&SLOTS[0].adapter, name))
}

/// What the machine has, for errors.
fn found() -> String {
    let names: Vec<String> = ALL.iter().map(|a| describe(a).to_string()).collect();
    match names.is_empty() {
        true => "none. flambeau needs a Vulkan, Metal or DX12 driver; on Debian and Ubuntu, `apt install \
                 mesa-vulkan-drivers libvulkan1` brings a software one"
            .to_owned(),
        false => names.join("; "),
    }
}
