//! Names of devices.

use crate::Error;

/// Where an array's memory lies. A plain name; `flambeau-device` maps it to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// The host's memory and processors.
    #[default]
    Cpu,
    /// A GPU by its number, through wgpu.
    Wgpu(usize),
}

/// The kinds of devices that PyTorch knows, as it lists them.
pub const PYTORCH_DEVICES: [&str; 20] = [
    "cpu",
    "cuda",
    "ipu",
    "xpu",
    "mkldnn",
    "opengl",
    "opencl",
    "ideep",
    "hip",
    "ve",
    "fpga",
    "maia",
    "xla",
    "lazy",
    "vulkan",
    "mps",
    "meta",
    "hpu",
    "mtia",
    "privateuseone",
];

impl Device {
    /// Whether arrays on this device lie in host memory.
    pub fn is_cpu(self) -> bool {
        self == Device::Cpu
    }

    /// Whether its memory is the host's, which a pointer reaches.
    pub fn is_host(self) -> bool {
        self.is_cpu()
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Wgpu(i) => write!(f, "wgpu:{i}"),
        }
    }
}

impl std::str::FromStr for Device {
    type Err = Error;

    /// Reads `cpu`, `wgpu`, `wgpu:1`; `gpu` and `cuda` are other words for `wgpu`.
    fn from_str(s: &str) -> Result<Self, Error> {
        let (kind, index) = s.split_once(':').map_or((s, None), |(k, i)| (k, Some(i)));
        let number = || match index {
            None => Ok(0),
            Some(i) => i.parse::<usize>().map_err(|_| Error::Device(format!("Invalid device string: '{s}'"))),
        };
        match kind {
            "cpu" if matches!(index, None | Some("0")) => Ok(Device::Cpu),
            "wgpu" | "gpu" | "cuda" => Ok(Device::Wgpu(number()?)),
            "cpu" => Err(Error::Device(format!("CPU device index must be -1 or zero, got {}", index.unwrap_or("")))),
            _ => Err(Error::Device(format!(
                "Expected one of cpu, wgpu, gpu, cuda device type at start of device string: {s}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (text, device) in [("cpu", Device::Cpu), ("cuda", Device::Wgpu(0)), ("wgpu:2", Device::Wgpu(2))] {
            assert_eq!(text.parse::<Device>().unwrap(), device);
        }
        assert_eq!(Device::Wgpu(2).to_string(), "wgpu:2");
        for bad in ["", "mps", "cpu:1", "wgpu:x", "wgpu:-1"] {
            assert!(bad.parse::<Device>().is_err(), "{bad}");
        }
    }
}
