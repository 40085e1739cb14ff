//! How long kernels run on the device, for a profiler: while it asks, each launch is a pass of its own, between two timestamps.

use crate::adapter;
use crate::gpu::Gpu;
use crate::recorder::MAX_LAUNCHES;
use flambeau_tensor::watch::{Launch, mark};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static ON: AtomicBool = AtomicBool::new(false);
/// Whether any launch was timed since: else no GPU is looked for.
static ANY: AtomicBool = AtomicBool::new(false);

/// Whether launches are timed.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Bytes of a launch's two timestamps.
const STAMPS: u64 = 16;

/// The timestamps of one GPU.
pub(crate) struct Timer {
    queries: wgpu::QuerySet,
    /// Where the device turns queries into numbers.
    resolved: wgpu::Buffer,
    /// Of the batch under construction: kernels, and for whom they run.
    launches: Vec<(&'static str, u64)>,
    batches: Vec<Batch>,
}

/// The timestamps of a batch that was submitted.
struct Batch {
    launches: Vec<(&'static str, u64)>,
    stamps: wgpu::Buffer,
    submitted: Instant,
}

impl Timer {
    pub fn new(device: &wgpu::Device) -> Self {
        ANY.store(true, Ordering::Relaxed);
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count: 2 * MAX_LAUNCHES,
        });
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: STAMPS * u64::from(MAX_LAUNCHES),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Timer { queries, resolved, launches: Vec::new(), batches: Vec::new() }
    }

    /// Notes a launch, and says where its pass writes the time.
    pub fn launch(&mut self, kernel: &'static str) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = 2 * self.launches.len() as u32;
        self.launches.push((kernel, mark()));
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    /// Ends a batch with a copy of its timestamps.
    pub fn end_batch(&mut self, device: &wgpu::Device, encoder: &mut wgpu::CommandEncoder) {
        if self.launches.is_empty() {
            return;
        }
        let launches = std::mem::take(&mut self.launches);
        let size = STAMPS * launches.len() as u64;
        let stamps = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.resolve_query_set(&self.queries, 0..2 * launches.len() as u32, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &stamps, 0, size);
        self.batches.push(Batch { launches, stamps, submitted: Instant::now() });
    }
}

impl Batch {
    /// Begin and end of each launch, in ticks; nothing where the device failed.
    fn ticks(&self, gpu: &Gpu) -> Option<Vec<[u64; 2]>> {
        self.stamps.map_async(wgpu::MapMode::Read, .., |_| {});
        gpu.device.poll(wgpu::PollType::wait_indefinitely()).ok()?;
        let view = self.stamps.get_mapped_range(..).ok()?;
        Some(bytemuck::pod_collect_to_vec(&view))
    }
}

/// From now on times each kernel on every GPU that has timestamps.
pub fn start_timing() {
    ON.store(true, Ordering::Relaxed);
}

/// Ends [`start_timing`], waits for the GPUs, and says what ran. A device's clock is laid beside the host's such that no batch
/// begins before it was submitted, and one begins at once.
pub fn stop_timing() -> Vec<Launch> {
    ON.store(false, Ordering::Relaxed);
    match ANY.swap(false, Ordering::Relaxed) {
        true => adapter::opened().filter_map(launches_of).flatten().collect(),
        false => Vec::new(),
    }
}

fn launches_of(gpu: &Gpu) -> Option<Vec<Launch>> {
    let (index, timer) = {
        let mut state = gpu.lock();
        let index = state.recorder.submit(gpu);
        (index, state.recorder.take_timer()?)
    };
    // What went wrong on the device is told to whoever next asks it for a result.
    gpu.wait(index).ok()?;
    let period = f64::from(gpu.queue.get_timestamp_period());
    let read = |batch: &Batch| Some(batch.ticks(gpu)?.into_iter().zip(batch.launches.clone()).collect::<Vec<_>>());
    let batches: Vec<_> =
        timer.batches.iter().map(|batch| Some((batch.submitted, read(batch)?))).collect::<Option<_>>()?;
    let zero = batches.iter().flat_map(|(_, launches)| launches).map(|([begin, _], _)| *begin).min()?;
    let after = |tick: u64| Duration::from_nanos((tick.saturating_sub(zero) as f64 * period) as u64);
    // The host's time at the device's zero, as late as the batches ask for.
    let first = |launches: &[([u64; 2], _)]| launches.iter().map(|([begin, _], _)| *begin).min();
    let origin =
        batches.iter().filter_map(|(submitted, launches)| submitted.checked_sub(after(first(launches)?))).max()?;
    let launch = |&([begin, end], (kernel, mark)): &([u64; 2], (&'static str, u64))| Launch {
        device: gpu.name,
        kernel,
        mark,
        start: origin + after(begin),
        duration: after(end).saturating_sub(after(begin)),
    };
    Some(batches.iter().flat_map(|(_, launches)| launches.iter().map(launch)).collect())
}
