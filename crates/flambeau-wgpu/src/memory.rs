//! Device memory in size classes: a dropped buffer serves the next request of its class, without asking the driver.

use crate::error::{Error, Result};
use crate::failure::scoped;
use flambeau_tensor::Device;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A buffer of the driver, with the number that caches know it by.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub raw: wgpu::Buffer,
    pub id: u64,
    /// The number of the last batch that uses it.
    pub last_batch: AtomicU64,
}

/// Bytes of the class that `bytes` falls in: eight classes per doubling, at least 256 bytes.
fn class(bytes: u64) -> u64 {
    let step = (bytes.max(256).next_power_of_two() / 16).max(256);
    bytes.max(1).div_ceil(step) * step
}

#[derive(Default)]
struct Free {
    buffers: HashMap<u64, Vec<Arc<Buffer>>>,
}

/// A number of bytes, and the most that it has been.
#[derive(Default)]
pub(crate) struct Level {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Level {
    fn add(&self, bytes: u64) {
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    fn sub(&self, bytes: u64) {
        self.now.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The number.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// The most since the start, or since [`Level::forget_peak`].
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// The peak is what there is now.
    pub fn forget_peak(&self) {
        self.peak.store(self.now(), Ordering::Relaxed);
    }
}

/// The memory of one GPU.
pub(crate) struct Pool {
    device: wgpu::Device,
    name: Device,
    limit: u64,
    free: Mutex<Free>,
    next_id: AtomicU64,
    /// Bytes in use.
    pub allocated: Level,
    /// Bytes taken from the driver.
    pub reserved: Level,
}

impl Pool {
    pub fn new(device: wgpu::Device, name: Device) -> Self {
        let limits = device.limits();
        let limit = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size).min(u64::from(u32::MAX) - 3);
        Pool {
            device,
            name,
            limit,
            free: Mutex::default(),
            next_id: AtomicU64::new(1),
            allocated: Level::default(),
            reserved: Level::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of at least `bytes`; what it holds is unspecified.
    pub fn take(&self, bytes: usize) -> Result<Arc<Buffer>> {
        let wanted = bytes as u64;
        if wanted > self.limit {
            return Err(Error::TooLarge { device: self.name, bytes, limit: self.limit });
        }
        let size = match class(wanted) {
            size if size <= self.limit => size,
            _ => wanted.div_ceil(4) * 4,
        };
        let recycled = self.lock().buffers.get_mut(&size).and_then(Vec::pop);
        let buffer = match recycled {
            Some(buffer) => buffer,
            None => self.create(size).map_err(|reason| Error::OutOfMemory { device: self.name, bytes, reason })?,
        };
        self.allocated.add(buffer.raw.size());
        Ok(buffer)
    }

    fn create(&self, size: u64) -> Result<Arc<Buffer>, String> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        let (raw, error) = scoped(&self.device, || self.device.create_buffer(&descriptor));
        if let Some(error) = error {
            return Err(error.to_string());
        }
        self.reserved.add(size);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Buffer { raw, id, last_batch: AtomicU64::new(0) }))
    }

    /// Takes a buffer back. Commands that were recorded before still run first, so it may be used at once.
    pub fn give_back(&self, buffer: Arc<Buffer>) {
        let size = buffer.raw.size();
        self.allocated.sub(size);
        self.lock().buffers.entry(size).or_default().push(buffer);
    }

    /// Gives all free buffers to the driver.
    pub fn empty(&self) {
        let buffers = std::mem::take(&mut self.lock().buffers);
        let freed: u64 = buffers.values().flatten().map(|b| b.raw.size()).sum();
        self.reserved.sub(freed);
    }
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn classes_hold_and_waste_little() {
        for bytes in [1, 255, 256, 257, 4096, 5000, 70_000, 1 << 20, (1 << 20) + 1, 200_000_000] {
            let size = class(bytes);
            assert!(size >= bytes && size.is_multiple_of(256), "{bytes} in {size}");
            assert!(size <= bytes + bytes / 7 + 512, "{bytes} in {size}");
            assert_eq!(class(size), size);
        }
    }
}
