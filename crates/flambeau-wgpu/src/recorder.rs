//! The batch under construction: one compute pass that launches are recorded into, until somebody needs a result.

use crate::cache::Pipeline;
use crate::gpu::Gpu;
use crate::timing::{self, Timer};
use std::sync::atomic::Ordering;

/// Launches in one batch before it is submitted without being asked: the GPU should not wait for ever, and submitting costs
/// as much as several launches.
pub(crate) const MAX_LAUNCHES: u32 = 1024;
/// Launches of the first batch after the GPU was idle: it should begin while the next ones are recorded.
const FIRST_LAUNCHES: u32 = 8;
/// How much larger each batch may be than the one before.
const GROWTH: u32 = 4;
/// Bytes that uploads may leave with the driver, which keeps a copy of them until the next submit.
const MAX_UPLOADED: usize = 64 << 20;
/// Bytes of parameters that a launch may pass through the uniform buffer.
pub(crate) const UNIFORM_BYTES: u64 = 1024;

/// Launches of the batch that is submitted after `unasked` ones that nobody asked for. The first are small: an idle GPU begins
/// soon; a busy one needs no haste, and each submit costs the host as much as several launches.
fn most_launches(unasked: u32) -> u32 {
    FIRST_LAUNCHES.saturating_mul(GROWTH.saturating_pow(unasked)).min(MAX_LAUNCHES)
}

pub(crate) struct Recorder {
    /// The pass lies in the encoder; it ends before copies and at a submit.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    launches: u32,
    /// Batches that were submitted without being asked for since the GPU was idle.
    unasked: u32,
    /// Whether early batches gain nothing: a software adapter computes with the cores that record.
    patient: bool,
    /// Bytes that uploads left with the driver since the last submit.
    uploaded: usize,
    batch: u64,
    /// Parameters of the batch that do not fit immediates, written to `uniform_buffer` at the submit.
    uniforms: Vec<u8>,
    uniform_buffer: wgpu::Buffer,
    uniform_step: usize,
    /// Timestamps, while a profiler asks for them.
    timer: Option<Timer>,
}

impl Recorder {
    pub fn new(device: &wgpu::Device, limits: &wgpu::Limits, software: bool) -> Self {
        let step = u64::from(limits.min_uniform_buffer_offset_alignment).max(UNIFORM_BYTES);
        let uniform_buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: step * u64::from(MAX_LAUNCHES),
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Recorder {
            pass: None,
            encoder: None,
            launches: 0,
            unasked: if software { u32::MAX } else { 0 },
            patient: software,
            uploaded: 0,
            batch: 1,
            uniforms: Vec::new(),
            uniform_buffer,
            uniform_step: step as usize,
            timer: None,
        }
    }

    /// The number of the batch under construction.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// The buffer of parameters.
    pub fn uniforms(&self) -> &wgpu::Buffer {
        &self.uniform_buffer
    }

    /// Whether the batch should go.
    pub fn is_full(&self) -> bool {
        self.launches >= most_launches(self.unasked)
    }

    /// Somebody waits for what was submitted: the GPU will be idle then.
    pub fn will_be_idle(&mut self) {
        if !self.patient {
            self.unasked = 0;
        }
    }

    /// The encoder, with no pass open: for copies.
    pub fn encoder(&mut self, gpu: &Gpu) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.encoder
            .get_or_insert_with(|| gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()))
    }

    /// The timestamps since the profiler began.
    pub fn take_timer(&mut self) -> Option<Timer> {
        self.timer.take()
    }

    /// Opens a pass of its own for a launch that is timed.
    #[cold]
    fn begin_timed(&mut self, gpu: &Gpu, kernel: &'static str) {
        self.encoder(gpu);
        let timer = self.timer.get_or_insert_with(|| Timer::new(&gpu.device));
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes: Some(timer.launch(kernel)) };
        let encoder = self.encoder.as_mut().expect("it was made");
        self.pass = Some(encoder.begin_compute_pass(&descriptor).forget_lifetime());
    }

    /// Records a launch of the kernel that the pipeline is of.
    pub fn dispatch(
        &mut self,
        gpu: &Gpu,
        kernel: &'static str,
        pipeline: &Pipeline,
        group: &wgpu::BindGroup,
        words: &[u32],
        (x, y): (u32, u32),
    ) {
        let timed = gpu.has_timestamps && timing::is_on();
        if timed {
            self.begin_timed(gpu, kernel);
        } else if self.pass.is_none() {
            let pass = self.encoder(gpu).begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            self.pass = Some(pass.forget_lifetime());
        }
        let pass = self.pass.as_mut().expect("it was opened");
        pass.set_pipeline(&pipeline.raw);
        let bytes: &[u8] = bytemuck::cast_slice(words);
        if pipeline.uniform {
            let offset = self.uniforms.len();
            self.uniforms.extend_from_slice(bytes);
            self.uniforms.resize(offset + self.uniform_step, 0);
            pass.set_bind_group(0, group, &[offset as u32]);
        } else {
            pass.set_bind_group(0, group, &[]);
            pass.set_immediates(0, bytes);
        }
        pass.dispatch_workgroups(x, y, 1);
        if timed {
            self.pass = None;
        }
        self.launches += 1;
    }

    /// Notes an upload; many together make a submit due.
    pub fn uploaded(&mut self, gpu: &Gpu, bytes: usize) {
        self.uploaded += bytes;
        if self.uploaded > MAX_UPLOADED {
            self.submit(gpu);
        }
    }

    /// Hands the batch to the driver and begins a new one.
    pub fn submit(&mut self, gpu: &Gpu) -> wgpu::SubmissionIndex {
        self.pass = None;
        if !self.uniforms.is_empty() {
            // Written before the batch runs, after the ones before it.
            gpu.queue.write_buffer(&self.uniform_buffer, 0, &self.uniforms);
            self.uniforms.clear();
        }
        if let (Some(timer), Some(encoder)) = (&mut self.timer, &mut self.encoder) {
            timer.end_batch(&gpu.device, encoder);
        }
        let commands = self.encoder.take().map(wgpu::CommandEncoder::finish);
        self.unasked = self.unasked.saturating_add(1);
        self.launches = 0;
        self.uploaded = 0;
        self.batch += 1;
        if commands.is_some() {
            gpu.counters.submits.fetch_add(1, Ordering::Relaxed);
        }
        gpu.queue.submit(commands)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LAUNCHES, most_launches};

    #[test]
    fn batches_grow_while_nobody_waits() {
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(most_launches), [8, 32, 128, 512, MAX_LAUNCHES, MAX_LAUNCHES]);
    }
}
