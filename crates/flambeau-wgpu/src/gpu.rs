//! An opened GPU: its abilities, memory and queue, and the way every kernel is launched.

use crate::cache::{Cache, GroupKey, PipelineKey};
use crate::error::{Error, Result};
use crate::failure::Failure;
use crate::memory::{Buffer, Pool};
use crate::params::Params;
use crate::recorder::{Recorder, UNIFORM_BYTES};
use crate::self_test::self_test;
use flambeau_shaders::{Kernel, Target, stored_size};
use flambeau_tensor::watch::memory_changed;
use flambeau_tensor::{Array, Backend, DType, Device, Finding, Storage};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

/// What a kernel's binding gets.
#[derive(Clone, Copy)]
pub(crate) enum Arg<'a> {
    /// An array that it reads.
    In(&'a Array),
    /// An array that it writes, or reads and writes.
    Out(&'a Array),
    /// The device's error words; see [`Gpu::status`].
    Status,
}

/// The memory of a storage on a GPU. Given back to the pool when the last view is gone.
pub(crate) struct Block {
    gpu: &'static Gpu,
    /// `resize_` may put a larger one in its place.
    buffer: Mutex<Arc<Buffer>>,
    dtype: DType,
}

impl Drop for Block {
    fn drop(&mut self) {
        let buffer = self.buffer.get_mut().unwrap_or_else(PoisonError::into_inner);
        memory_changed(self.gpu.name, -(buffer.raw.size() as i64), buffer.id as usize);
        self.gpu.pool.give_back(buffer.clone());
    }
}

/// What a GPU has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Kernels launched.
    pub dispatches: u64,
    /// Batches handed to the driver.
    pub submits: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
    /// Times that the host waited for data.
    pub readbacks: u64,
}

#[derive(Default)]
pub(crate) struct AtomicCounters {
    pub dispatches: AtomicU64,
    pub submits: AtomicU64,
    pub pipelines: AtomicU64,
    pub readbacks: AtomicU64,
}

/// An opened GPU.
pub(crate) struct Gpu {
    pub name: Device,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: wgpu::AdapterInfo,
    pub target: Target,
    pub pool: Pool,
    pub counters: AtomicCounters,
    pub failure: Arc<Failure>,
    /// What the test of its arithmetic says of f64, once somebody asks for it.
    f64_tested: OnceLock<Result<()>>,
    max_groups: u32,
    /// Whether the device can tell when a pass began and ended.
    pub has_timestamps: bool,
    /// Storage buffers that one kernel may bind.
    pub max_bindings: usize,
    immediate_words: usize,
    /// Bytes that a workgroup's threads may share.
    pub workgroup_bytes: u32,
    status: Arc<Buffer>,
    /// Whether a kernel that may report ran since the last look.
    status_dirty: AtomicBool,
    state: Mutex<State>,
    /// Buffers that reads of few bytes have left.
    staging: Mutex<Vec<wgpu::Buffer>>,
}

/// Words of [`Gpu::status`]; see `report` in the shaders' library.
pub(crate) const STATUS_WORDS: usize = 8;

/// Whether each launch is printed to standard error: the environment variable `FLAMBEAU_TRACE` is 1.
static TRACE: LazyLock<bool> = LazyLock::new(|| std::env::var("FLAMBEAU_TRACE").is_ok_and(|v| v == "1"));

/// What changes under the lock.
pub(crate) struct State {
    pub recorder: Recorder,
    pub cache: Cache,
}

/// The features that the environment variable `FLAMBEAU_WITHOUT` does not name (`SHADER_INT64,IMMEDIATES`): to run as a
/// lesser adapter would.
fn without(features: wgpu::Features) -> wgpu::Features {
    let names = std::env::var("FLAMBEAU_WITHOUT").unwrap_or_default();
    features
        .iter_names()
        .filter(|(name, _)| !names.split(',').any(|n| n == *name))
        .fold(wgpu::Features::empty(), |all, (_, f)| all | f)
}

impl Gpu {
    /// Opens an adapter with its own limits and every optional feature that kernels use.
    pub async fn open(adapter: &wgpu::Adapter, name: Device) -> Result<Gpu> {
        let features = adapter.features()
            & without(
                wgpu::Features::IMMEDIATES
                    | wgpu::Features::SHADER_F16
                    | wgpu::Features::SHADER_I16
                    | wgpu::Features::SHADER_F64
                    | wgpu::Features::SHADER_INT64
                    | wgpu::Features::TIMESTAMP_QUERY,
            );
        let mut limits = adapter.limits();
        limits.max_immediate_size = match features.contains(wgpu::Features::IMMEDIATES) {
            true => limits.max_immediate_size.min(256),
            false => 0,
        };
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let request = wgpu::DeviceDescriptor {
            label: Some("flambeau"),
            required_features: features,
            required_limits: limits.clone(),
            ..Default::default()
        };
        let opened = adapter.request_device(&request).await;
        let (device, queue) =
            opened.map_err(|e| Error::Open { device: name, name: info.name.clone(), reason: e.to_string() })?;
        let failure = Failure::install(&device, name);
        let target = Target {
            f16: features.contains(wgpu::Features::SHADER_F16),
            i16: features.contains(wgpu::Features::SHADER_I16),
            i64: features.contains(wgpu::Features::SHADER_INT64),
            f64: features.contains(wgpu::Features::SHADER_F64),
            immediates: limits.max_immediate_size >= 64,
        };
        let pool = Pool::new(device.clone(), name);
        let status = pool.take(4 * STATUS_WORDS)?;
        Ok(Gpu {
            name,
            info,
            target,
            counters: AtomicCounters::default(),
            failure,
            f64_tested: OnceLock::new(),
            has_timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            max_groups: limits.max_compute_workgroups_per_dimension,
            // Which of them are written is a word of 64 bits.
            max_bindings: limits
                .max_storage_buffers_per_shader_stage
                .min(limits.max_bindings_per_bind_group - 1)
                .min(64) as usize,
            immediate_words: limits.max_immediate_size as usize / 4,
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            status,
            status_dirty: AtomicBool::new(false),
            staging: Mutex::default(),
            state: Mutex::new(State { recorder: Recorder::new(&device, &limits, software), cache: Cache::default() }),
            pool,
            device,
            queue,
        })
    }

    /// Whether arrays of a dtype can be held and computed with.
    ///
    /// # Errors
    /// When the adapter lacks a feature, or its driver computes wrong numbers.
    pub fn supports(&'static self, dtype: DType) -> Result<()> {
        self.target.check_storage(dtype).map_err(|missing| Error::Missing { device: self.name, missing })?;
        match dtype {
            DType::F64 => self.f64_tested.get_or_init(|| self_test(self, DType::F64)).clone(),
            _ => Ok(()),
        }
    }

    /// The GPU that holds an array.
    pub fn of(array: &Array) -> Result<&'static Gpu> {
        crate::adapter::gpu(array.device())
    }

    /// The buffers that reads of few bytes have left.
    pub fn staging(&self) -> MutexGuard<'_, Vec<wgpu::Buffer>> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What changes: the recorder and the caches.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A panic leaves at worst a batch half recorded: its commands are each complete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for `nbytes` bytes (as the host counts) of elements of `dtype`.
    pub fn alloc(&'static self, backend: &'static dyn Backend, nbytes: usize, dtype: DType) -> Result<Storage> {
        self.failure.check()?;
        let buffer = self.take((nbytes / dtype.size()).saturating_mul(stored_size(dtype)))?;
        memory_changed(self.name, buffer.raw.size() as i64, buffer.id as usize);
        let block = Block { gpu: self, buffer: Mutex::new(buffer), dtype };
        Storage::device(backend, self.name, nbytes, Box::new(block))
            .map_err(|e| Error::Validation { device: self.name, reason: e.to_string() })
    }

    /// Enlarges a storage to `nbytes` (as the host counts): a larger buffer takes the old one's place and bytes.
    pub fn grow(&self, storage: &Storage, nbytes: usize) -> Result<()> {
        let block = self.block(storage)?;
        let larger = self.take((nbytes / block.dtype.size()).saturating_mul(stored_size(block.dtype)))?;
        // The state's lock before the block's, as everywhere.
        let mut state = self.lock();
        let mut slot = block.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = state.recorder.batch();
        [&larger, &*slot].iter().for_each(|b| b.last_batch.store(batch, Ordering::Relaxed));
        let size = slot.raw.size().min(larger.raw.size());
        state.recorder.encoder(self).copy_buffer_to_buffer(&slot.raw, 0, &larger.raw, 0, size);
        memory_changed(self.name, larger.raw.size() as i64, larger.id as usize);
        memory_changed(self.name, -(slot.raw.size() as i64), slot.id as usize);
        self.pool.give_back(std::mem::replace(&mut *slot, larger));
        // SAFETY: the block is this storage's memory on the device, and has room for so many bytes now.
        unsafe { storage.note_growth(nbytes) };
        Ok(())
    }

    /// A buffer from the pool; where the driver has no more, the pool's free ones are given up first.
    pub fn take(&self, bytes: usize) -> Result<Arc<Buffer>> {
        match self.pool.take(bytes) {
            Err(Error::OutOfMemory { .. }) => {
                self.empty_cache()?;
                self.pool.take(bytes)
            }
            other => other,
        }
    }

    /// Gives the memory that nothing uses to the driver.
    pub fn empty_cache(&self) -> Result<()> {
        self.synchronize()?;
        self.lock().cache.forget_groups();
        self.pool.empty();
        // The driver frees memory when it is asked for its progress.
        self.poll()
    }

    /// Records one launch of a kernel: `groups` workgroups, in two dimensions where one has no room. `params` gives the
    /// parameters.
    ///
    /// # Panics
    /// When the parameters are not the kernel's, by name and order.
    pub fn dispatch(&self, kernel: &Kernel, args: &[Arg<'_>], params: &dyn Fn(&mut Params), groups: u64) -> Result<()> {
        self.failure.check()?;
        if groups == 0 {
            return Ok(());
        }
        let (x, y) = match u32::try_from(groups) {
            Ok(groups) if groups <= self.max_groups => (groups, 1),
            _ => {
                // Near-square, so that few groups are surplus.
                let y = groups.div_ceil(u64::from(self.max_groups));
                let x = groups.div_ceil(y);
                (x as u32, u32::try_from(y).unwrap_or(u32::MAX))
            }
        };
        if y > self.max_groups {
            let reason = format!("{} has no room for {groups} workgroups", kernel.name());
            return Err(Error::Validation { device: self.name, reason });
        }
        let words = Params::words(params);
        if args.len() > self.max_bindings || 4 * words.len() as u64 > UNIFORM_BYTES {
            let (arrays, words) = (args.len(), words.len());
            let reason =
                format!("{} takes {arrays} arrays and {words} parameters, too many for a launch", kernel.name());
            return Err(Error::Validation { device: self.name, reason });
        }
        // Under one lock from here, so that no buffer is swapped or recycled before it is recorded.
        let mut state = self.lock();
        let State { recorder, cache } = &mut *state;
        let mut buffers: SmallVec<[Arc<Buffer>; 8]> = SmallVec::new();
        let mut writes = 0u64;
        for (i, arg) in args.iter().enumerate() {
            let (buffer, write) = match arg {
                Arg::In(array) => (self.buffer(array)?, false),
                Arg::Out(array) => (self.buffer(array)?, true),
                Arg::Status => {
                    self.status_dirty.store(true, Ordering::Relaxed);
                    (self.status.clone(), true)
                }
            };
            buffer.last_batch.store(recorder.batch(), Ordering::Relaxed);
            writes |= u64::from(write) << i;
            buffers.push(buffer);
        }
        // A dispatch may not bind one buffer both read-only and read-write: what is written anywhere is bound read-write
        // everywhere.
        let written = |id: u64| buffers.iter().enumerate().any(|(j, b)| writes >> j & 1 == 1 && b.id == id);
        let read_write = buffers.iter().enumerate().fold(0u64, |bits, (i, b)| bits | u64::from(written(b.id)) << i);
        let uniform = !self.target.immediates || words.len() > self.immediate_words;
        let key = PipelineKey { read_write, uniform };
        let pipeline = cache.pipeline(self, kernel, key, buffers.len(), params)?;
        // A pipeline that there was may have been made for another call: the tests look at every launch.
        if cfg!(debug_assertions) {
            Params::check(params, &pipeline.fields);
        }
        let ids = buffers.iter().map(|b| b.id).collect();
        let group =
            cache.group(self, GroupKey { layout: pipeline.layout.id, ids }, &pipeline.layout, &buffers, recorder);
        recorder.dispatch(self, kernel.name(), &pipeline, group, &words, (x, y));
        if *TRACE {
            eprintln!("flambeau: launch {kernel}, {groups} workgroups");
        }
        self.counters.dispatches.fetch_add(1, Ordering::Relaxed);
        if recorder.is_full() {
            recorder.submit(self);
        }
        Ok(())
    }

    /// The buffer of an array.
    pub fn buffer(&self, array: &Array) -> Result<Arc<Buffer>> {
        let block = self.block(array.storage())?;
        // Another dtype than the memory was made for may be stored wider: its view may have no room. What the storage
        // asked for counts, not what the pool gave.
        if array.dtype() != block.dtype {
            let bytes = array.required_elements().saturating_mul(stored_size(array.dtype()));
            let room = array.storage().nbytes() / block.dtype.size() * stored_size(block.dtype);
            if bytes > room {
                let reason = format!("a view of {bytes} stored bytes in memory of {room}");
                return Err(Error::Validation { device: self.name, reason });
            }
        }
        Ok(block.buffer.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn block<'a>(&self, storage: &'a Storage) -> Result<&'a Block> {
        let block = storage.device_memory().and_then(|m| m.downcast_ref::<Block>());
        block.filter(|b| std::ptr::eq(b.gpu, self)).ok_or_else(|| Error::Validation {
            device: self.name,
            reason: format!("a kernel got an array on {}", storage.device_name()),
        })
    }

    /// Hands what is recorded to the driver.
    pub fn flush(&self) -> wgpu::SubmissionIndex {
        self.lock().recorder.submit(self)
    }

    /// Waits until all work is done, and reports what went wrong in it.
    pub fn synchronize(&self) -> Result<()> {
        if self.status_dirty.load(Ordering::Relaxed) {
            // Every readback looks at the status words, one of nothing as well.
            return crate::transfer::read(self, None, 0, 0).map(drop);
        }
        let index = self.flush();
        self.lock().recorder.will_be_idle();
        self.wait(index)
    }

    /// Waits for a submission.
    pub fn wait(&self, index: wgpu::SubmissionIndex) -> Result<()> {
        let polled = self.device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None });
        if let Err(error) = polled {
            // A submission that failed cannot be waited for; what went wrong in it is the news, if nobody was told yet.
            self.failure.check()?;
            let reason = error.to_string();
            if matches!(error, wgpu::PollError::WrongSubmissionIndex(..)) {
                return Err(Error::Validation { device: self.name, reason });
            }
            self.failure.lost(&reason);
        }
        self.failure.check()
    }

    fn poll(&self) -> Result<()> {
        // An error here shows in the next wait.
        drop(self.device.poll(wgpu::PollType::Poll));
        self.failure.check()
    }

    /// The buffer in which kernels report what they find, [`STATUS_WORDS`] of them: whether they did, the finding's code, an
    /// index (low word first), the length of its dimension, and the finding's detail.
    pub fn status(&self) -> &Arc<Buffer> {
        &self.status
    }

    /// Whether a kernel that may report was recorded since the last look. Asked under the state's lock by whoever then
    /// records a copy of the words and clears them.
    pub fn take_status_dirty(&self) -> bool {
        self.status_dirty.swap(false, Ordering::Relaxed)
    }

    /// Says what the words of [`Gpu::status`] mean.
    pub fn judge(&self, words: [u32; STATUS_WORDS]) -> Result<()> {
        let [reported, code, low, high, n, detail, ..] = words;
        if reported == 0 {
            return Ok(());
        }
        let index = (u64::from(high) << 32 | u64::from(low)) as i64;
        let known = Finding::ALL.into_iter().find(|finding| finding.code() == code);
        Err(match known {
            Some(finding) => {
                Error::Found { device: self.name, found: finding.error(index, n as usize, detail as usize) }
            }
            None => Error::Validation { device: self.name, reason: format!("a kernel reported {words:?}") },
        })
    }

    /// What the GPU has done so far.
    pub fn counters(&self) -> Counters {
        let c = &self.counters;
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Counters {
            dispatches: read(&c.dispatches),
            submits: read(&c.submits),
            pipelines: read(&c.pipelines),
            readbacks: read(&c.readbacks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WGPU;
    use flambeau_shaders::map::{Frame, Map, Operand, Walk};
    use flambeau_tensor::pointwise::IDENTITY;

    /// Two GPUs of the tests' own: what happens to them happens to nobody else.
    fn own(number: usize) -> &'static Gpu {
        Box::leak(Box::new(crate::adapter::open_first(Device::Wgpu(number)).expect("an adapter")))
    }

    fn array(gpu: &'static Gpu) -> Array {
        let storage = gpu.alloc(&WGPU, 16, DType::F32).unwrap();
        Array::from_parts(storage, DType::F32, [4].as_slice().into(), [1].as_slice().into(), 0).unwrap()
    }

    fn launch(gpu: &Gpu, src: &Array, out: &Array) -> Result<()> {
        let operand = Operand { dtype: DType::F32, walk: Walk::Dense };
        let map = Map {
            structure: IDENTITY.structure(DType::F32),
            compute: DType::F32,
            inputs: SmallVec::from_iter([operand]),
            outputs: SmallVec::from_iter([operand]),
            frame: Frame::Store { lanes: 1, rank: 1 },
        };
        let kernel = Kernel::mapped("pointwise", map);
        let params = |p: &mut Params| {
            p.with([("n", 4usize)]).map(&kernel, &[], |_| 0);
        };
        gpu.dispatch(&kernel, &[Arg::In(src), Arg::Out(out)], &params, 1)
    }

    #[test]
    fn an_invalid_call_is_told_once_and_the_device_goes_on() {
        let gpu = own(91);
        let (src, out) = (array(gpu), array(gpu));
        let invalid = wgpu::BufferDescriptor {
            label: None,
            size: 16,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        };
        drop(gpu.device.create_buffer(&invalid));
        let error = launch(gpu, &src, &out).unwrap_err();
        assert!(matches!(error, Error::Validation { device: Device::Wgpu(91), .. }), "{error}");
        launch(gpu, &src, &out).unwrap();
        gpu.synchronize().unwrap();
    }

    #[test]
    fn a_lost_device_says_so_on_every_call() {
        let gpu = own(92);
        let (src, out) = (array(gpu), array(gpu));
        launch(gpu, &src, &out).unwrap();
        gpu.synchronize().unwrap();
        gpu.device.destroy();
        drop(gpu.device.poll(wgpu::PollType::Poll));
        for _ in 0..2 {
            let error = launch(gpu, &src, &out).unwrap_err();
            assert!(matches!(error, Error::Lost { .. }), "{error}");
            assert!(gpu.synchronize().is_err() && gpu.alloc(&WGPU, 16, DType::F32).is_err());
        }
    }

    #[test]
    fn arrays_of_another_device_are_refused() {
        let (gpu, other) = (own(93), own(94));
        let (src, out) = (array(gpu), array(other));
        assert!(launch(gpu, &src, &out).is_err());
    }

    /// A kernel whose pipeline there is, and one whose there is not, with right parameters and with others.
    #[test]
    fn other_parameters_than_the_kernels_are_refused() {
        let gpu = own(95);
        let (src, out) = (array(gpu), array(gpu));
        let says = |params: &dyn Fn(&mut Params)| {
            let kernel = Kernel::new("nonzero/count", DType::F32).with("WORDS", 1u32);
            let launch = || gpu.dispatch(&kernel, &[Arg::In(&src), Arg::Out(&out)], params, 1);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(launch));
            result.map_or_else(|panic| *panic.downcast::<String>().expect("words"), |done| format!("{done:?}"))
        };
        for _made in [false, true] {
            let words = says(&|p| {
                p.with([("x_offset", 0usize), ("n", 4)]).offsets([("counts", &out)]);
            });
            assert_eq!(words, "nonzero/count: `x_offset` is given where the parameter `n` stands");
            let words = says(&|p| {
                p.with([("m", 4usize), ("x_offset", 0)]).offsets([("counts", &out)]);
            });
            assert_eq!(words, "nonzero/count: there is no parameter `m`");
            let words = says(&|p| {
                p.with([("n", 4u64)]).offsets([("x", &src), ("counts", &out)]);
            });
            assert_eq!(words, "nonzero/count: there is no parameter `n_low`");
            let words = says(&|p| {
                p.with([("n", 4usize)]).offsets([("x", &src)]);
            });
            assert_eq!(words, "nonzero/count: the parameter `counts_offset` is not given");
            let words = says(&|p| {
                p.with([("n", 4usize)]).offsets([("x", &src), ("counts", &out)]);
            });
            assert_eq!(words, "Ok(())");
        }
        gpu.synchronize().unwrap();
    }
}
