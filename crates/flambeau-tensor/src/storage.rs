//! Reference-counted memory that views share.

use crate::access::{AtomicPtr, AtomicU32};
use crate::{Backend, Device, Error, Result, watch};
use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Data up to this many bytes lies inside the storage's own allocation.
pub const INLINE_BYTES: usize = 64;

/// Untyped memory of one device, shared by every view of it, with a counter of the writes that it has seen. A handle may
/// count its own writes instead ([`Storage::with_own_version`]).
#[derive(Clone)]
pub struct Storage(pub(crate) Arc<Shared>, Option<Arc<Writes>>);

/// A count of writes, and where the last one was made.
struct Writes {
    version: AtomicU64,
    last: AtomicPtr<Location<'static>>,
}

impl Writes {
    fn new(version: u64) -> Self {
        Writes { version: AtomicU64::new(version), last: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

pub(crate) struct Shared {
    backend: &'static dyn Backend,
    device: Device,
    writes: Writes,
    /// Who uses the memory now; see `access.rs`.
    pub(crate) access: AtomicU32,
    pub(crate) guard: AtomicPtr<Location<'static>>,
    nbytes: AtomicUsize,
    /// The first byte of host memory; null for device memory. Written when the storage is made and in `replace_host`.
    ptr: AtomicPtr<u8>,
    /// What `ptr` points to, if that is not `inline`. Nothing refers to it but `replace_host`, which swaps it.
    block: UnsafeCell<Option<HostBlock>>,
    /// A device's own memory, which is never replaced.
    device_memory: Option<Box<dyn Any + Send + Sync>>,
    /// Small host memory. Only raw pointers lead here: no reference to it is ever made, so that one kernel's pointer never
    /// disturbs another's.
    inline: UnsafeCell<[u64; INLINE_BYTES / 8]>,
}

/// A block of host memory and how it is given back.
pub struct HostBlock {
    ptr: NonNull<u8>,
    len: usize,
    owner: Owner,
}

/// What memory other than a storage's own is kept by.
type Parts = (Option<HostBlock>, Option<Box<dyn Any + Send + Sync>>);

enum Owner {
    Allocator { capacity: usize, free: unsafe fn(NonNull<u8>, usize) },
    Foreign { _keep_alive: Box<dyn Any + Send + Sync> },
}

impl HostBlock {
    /// A block from an allocator; `free(ptr, capacity)` is called once, when the last view is gone.
    ///
    /// # Safety
    /// `ptr` is valid for reads and writes of `capacity >= len` initialised bytes until `free` is called.
    pub unsafe fn from_allocator(
        ptr: NonNull<u8>,
        len: usize,
        capacity: usize,
        free: unsafe fn(NonNull<u8>, usize),
    ) -> Self {
        HostBlock { ptr, len, owner: Owner::Allocator { capacity, free } }
    }

    /// Memory that `owner` keeps alive, such as an ndarray's: no copy is made.
    ///
    /// # Safety
    /// `ptr` is valid for reads and writes of `len` initialised bytes for as long as `owner` lives, and nobody else
    /// uses it.
    pub unsafe fn from_owner(ptr: NonNull<u8>, len: usize, owner: Box<dyn Any + Send + Sync>) -> Self {
        HostBlock { ptr, len, owner: Owner::Foreign { _keep_alive: owner } }
    }
}

impl HostBlock {
    /// Tells who watches that the block serves a storage from now on, or no more. What a user brought was not taken here.
    #[inline(always)]
    fn tell(&self, taken: bool) {
        if watch::is_memory_watched() && matches!(self.owner, Owner::Allocator { .. }) {
            let bytes = self.len as i64;
            watch::memory_changed(Device::Cpu, if taken { bytes } else { -bytes }, self.ptr.addr().get());
        }
    }
}

impl Drop for HostBlock {
    fn drop(&mut self) {
        if let Owner::Allocator { capacity, free } = self.owner {
            // SAFETY: `from_allocator` promised this pair; a block is dropped once.
            unsafe { free(self.ptr, capacity) }
        }
    }
}

// SAFETY: the bytes are reached only under the access word (host memory) or through the backend's own handle; every other
// field is atomic or immutable. A `HostBlock`'s pointer is owned by it.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    #[inline]
    fn drop(&mut self) {
        if watch::is_memory_watched() {
            self.tell_freed();
        }
    }
}

impl Shared {
    /// Tells who watches that the host's memory is given back. A device tells for itself, for it knows what it took.
    #[cold]
    fn tell_freed(&mut self) {
        match self.block.get_mut() {
            Some(block) => block.tell(false),
            None if self.device.is_host() => {
                let bytes = *self.nbytes.get_mut() as i64;
                watch::memory_changed(Device::Cpu, -bytes, self.inline.get().addr());
            }
            None => {}
        }
    }
}

// A panic never leaves memory half-owned: kernels run under an access word that is released on unwinding, and what they
// had written stays plain numbers.
impl std::panic::RefUnwindSafe for Shared {}

impl Storage {
    #[inline]
    fn new(backend: &'static dyn Backend, device: Device, nbytes: usize, ptr: *mut u8, parts: Parts) -> Self {
        let (block, device_memory) = parts;
        let shared = Shared {
            backend,
            device,
            writes: Writes::new(0),
            access: AtomicU32::new(0),
            guard: AtomicPtr::new(std::ptr::null_mut()),
            nbytes: AtomicUsize::new(nbytes),
            ptr: AtomicPtr::new(ptr),
            block: UnsafeCell::new(block),
            device_memory,
            inline: UnsafeCell::new([0; INLINE_BYTES / 8]),
        };
        Storage(Arc::new(shared), None)
    }

    /// The same memory through a handle whose writes, and those of its clones, count apart, from `version` on: what
    /// `Tensor.data` is in PyTorch.
    pub fn with_own_version(&self, version: u64) -> Self {
        Storage(self.0.clone(), Some(Arc::new(Writes::new(version))))
    }

    #[inline]
    fn writes(&self) -> &Writes {
        self.1.as_deref().unwrap_or(&self.0.writes)
    }

    /// Zeroed host memory inside the storage itself; `None` where `nbytes` is more than [`INLINE_BYTES`], or where each storage
    /// is to have an allocation of its own.
    #[inline]
    pub fn inline(backend: &'static dyn Backend, nbytes: usize) -> Option<Self> {
        if nbytes > INLINE_BYTES || cfg!(flambeau_exact_alloc) {
            return None;
        }
        let storage = Self::new(backend, Device::Cpu, nbytes, std::ptr::null_mut(), (None, None));
        storage.0.ptr.store(storage.0.inline.get().cast(), Ordering::Relaxed);
        watch::memory_changed(Device::Cpu, nbytes as i64, storage.host_ptr().addr());
        Some(storage)
    }

    /// Host memory.
    pub fn host(backend: &'static dyn Backend, block: HostBlock) -> Self {
        block.tell(true);
        Self::new(backend, Device::Cpu, block.len, block.ptr.as_ptr(), (Some(block), None))
    }

    /// Memory that only `backend` understands; it gets its handle back through [`Storage::device_memory`].
    ///
    /// # Errors
    /// When the device is the CPU, whose memory is the host's.
    pub fn device(
        backend: &'static dyn Backend,
        device: Device,
        nbytes: usize,
        handle: Box<dyn Any + Send + Sync>,
    ) -> Result<Self> {
        if device.is_host() {
            return Err(Error::Device("the CPU's memory is the host's".to_owned()));
        }
        Ok(Self::new(backend, device, nbytes, std::ptr::null_mut(), (None, Some(handle))))
    }

    /// The backend that made this storage and computes on it.
    #[inline]
    pub fn backend(&self) -> &'static dyn Backend {
        self.0.backend
    }

    /// The device that holds the memory.
    #[inline]
    pub fn device_name(&self) -> Device {
        self.0.device
    }

    /// Size in bytes.
    #[inline]
    pub fn nbytes(&self) -> usize {
        self.0.nbytes.load(Ordering::Relaxed)
    }

    /// The handle that [`Storage::device`] got; `None` for host memory.
    pub fn device_memory(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.0.device_memory.as_deref()
    }

    /// How many writes were counted. Backward compares it with what it was when a tensor was saved.
    #[inline]
    pub fn version(&self) -> u64 {
        self.writes().version.load(Ordering::Acquire)
    }

    /// Counts a write made by the operation at `location`.
    #[inline]
    pub fn bump_version(&self, location: &'static Location<'static>) {
        let writes = self.writes();
        writes.last.store(std::ptr::from_ref(location).cast_mut(), Ordering::Relaxed);
        writes.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The source line of the last write, if there was one.
    pub fn last_writer(&self) -> Option<&'static Location<'static>> {
        // SAFETY: only `bump_version` stores here, and only `'static` references.
        unsafe { self.writes().last.load(Ordering::Relaxed).as_ref() }
    }

    /// Whether both are the same memory.
    #[inline]
    pub fn ptr_eq(&self, other: &Storage) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A number that only handles of this memory have, as long as one of them lives.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether no other array shares the memory.
    #[inline]
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The address of the first byte of host memory; null for device memory. What it points to may be used only under
    /// [`crate::access`]'s rules; `resize_` and the storage's end move it.
    #[inline]
    pub fn host_ptr(&self) -> *mut u8 {
        self.0.ptr.load(Ordering::Relaxed)
    }

    /// Grows host memory to `nbytes`, keeping the old bytes (`resize_`). Does nothing when it is large enough.
    pub fn grow(&self, nbytes: usize) -> Result<()> {
        if nbytes <= self.nbytes() {
            return Ok(());
        }
        self.0.backend.grow(self, nbytes)
    }

    /// Notes that a device has enlarged its memory to `nbytes`: called by [`Backend::grow`] of a device.
    ///
    /// # Safety
    /// The memory is a device's, and has `nbytes` bytes from now on.
    pub unsafe fn note_growth(&self, nbytes: usize) {
        self.0.nbytes.fetch_max(nbytes, Ordering::Relaxed);
    }

    /// Puts `block`'s memory in place of the old host memory, whose bytes are copied to its front.
    ///
    /// # Errors
    /// When `block` is smaller than the old memory or less aligned than any element needs, when the memory is a device's, or
    /// when a user's guard holds it.
    pub fn replace_host(&self, block: HostBlock) -> Result<()> {
        let _exclusive = crate::access::Access::exclusive(self)?;
        let old = self.nbytes();
        if block.len < old || !self.0.device.is_host() || !block.ptr.cast::<u64>().is_aligned() {
            return Err(Error::runtime("a storage only grows, and only in aligned host memory"));
        }
        // SAFETY: both pointers are valid for `old` bytes, they are different allocations, and the access word keeps
        // every other user of the bytes and of `block` out.
        unsafe {
            std::ptr::copy_nonoverlapping(self.host_ptr(), block.ptr.as_ptr(), old);
            self.0.ptr.store(block.ptr.as_ptr(), Ordering::Relaxed);
            self.0.nbytes.store(block.len, Ordering::Relaxed);
            block.tell(true);
            match (*self.0.block.get()).replace(block) {
                Some(former) => former.tell(false),
                None => watch::memory_changed(Device::Cpu, -(old as i64), self.0.inline.get().addr()),
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Storage({} bytes on {}, version {})", self.nbytes(), self.0.device, self.version())
    }
}
