//! Bytes between host and device.
//!
//! The host's elements are as wide as their dtype; the device's bools and small integers take a word each.

use crate::error::{Error, Result};
use crate::failure::scoped;
use crate::gpu::{Gpu, STATUS_WORDS};
use flambeau_shaders::stored_size;
use flambeau_tensor::{Array, DType};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Writes host elements to a dense array.
pub(crate) fn upload(bytes: &[u8], out: &Array) -> Result<(), flambeau_tensor::Error> {
    let gpu = Gpu::of(out)?;
    gpu.failure.check()?;
    let size = stored_size(out.dtype());
    let mut data = widen(out.dtype(), bytes);
    let offset = out.offset() * size;
    let whole = out.storage().nbytes() / out.dtype().size() == out.numel() && out.offset() == 0;
    if !whole && (!offset.is_multiple_of(4) || !data.len().is_multiple_of(4)) {
        // The queue writes whole words only; a 16-bit neighbour would be hit.
        let staged = Array::empty(out.backend(), out.device(), out.shape(), out.dtype())?;
        upload(bytes, &staged)?;
        return crate::copy::between(&staged, out);
    }
    if !data.len().is_multiple_of(4) {
        let padded = data.len().next_multiple_of(4);
        data.to_mut().resize(padded, 0);
    }
    let mut state = gpu.lock();
    let buffer = gpu.buffer(out)?;
    // A write takes effect before the whole next batch.
    if buffer.last_batch.load(Ordering::Relaxed) == state.recorder.batch() {
        state.recorder.submit(gpu);
    }
    gpu.queue.write_buffer(&buffer.raw, offset as u64, &data);
    state.recorder.uploaded(gpu, data.len());
    Ok(())
}

/// Reads a dense array.
pub(crate) fn download(src: &Array, bytes: &mut [u8]) -> Result<(), flambeau_tensor::Error> {
    let (gpu, size) = (Gpu::of(src)?, stored_size(src.dtype()));
    let data = read(gpu, Some(src), src.offset() * size, src.numel() * size)?;
    narrow(src.dtype(), &data, bytes);
    Ok(())
}

/// Reads a dense array without blocking: the future that a browser needs.
///
/// # Errors
/// When the array is on no GPU or not contiguous, or the device fails.
pub async fn download_async(src: &Array) -> Result<Vec<u8>, flambeau_tensor::Error> {
    let (gpu, size) = (Gpu::of(src)?, stored_size(src.dtype()));
    if !src.is_contiguous() {
        return Err(flambeau_tensor::Error::runtime("only a contiguous array is read back; copy it first"));
    }
    let data = Readback::start(gpu, Some(src), src.offset() * size, src.numel() * size)?.await?;
    let mut bytes = vec![0; src.numel() * src.dtype().size()];
    narrow(src.dtype(), &data, &mut bytes);
    Ok(bytes)
}

/// Waits for `len` bytes of an array's buffer.
pub(crate) fn read(gpu: &Gpu, src: Option<&Array>, offset: usize, len: usize) -> Result<Vec<u8>> {
    let readback = Readback::start(gpu, src, offset, len)?;
    gpu.wait(readback.submission.clone())?;
    pollster::block_on(readback)
}

/// Bytes of the words in which kernels report; see [`Gpu::status`].
const STATUS_BYTES: u64 = 4 * STATUS_WORDS as u64;

/// Bytes on their way to the host.
struct Readback<'a> {
    gpu: &'a Gpu,
    staging: wgpu::Buffer,
    /// Bytes of it that the host reads.
    mapped_bytes: u64,
    submission: wgpu::SubmissionIndex,
    /// Bytes before the first wanted one, from the alignment of copies.
    skip: usize,
    len: usize,
    /// Where the status words lie, if they came along.
    status_at: Option<usize>,
    mapped: Arc<Mutex<Mapped>>,
}

#[derive(Default)]
struct Mapped {
    result: Option<std::result::Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

/// Bytes of the staging buffers that are kept: a loss is read at every step.
const SMALL_STAGING: u64 = 4096;
/// How many are kept.
const KEPT_STAGING: usize = 8;

/// A buffer that the host can read, of at least `size` bytes.
fn staging(gpu: &Gpu, size: u64) -> Result<wgpu::Buffer> {
    if size <= SMALL_STAGING
        && let Some(buffer) = gpu.staging().pop()
    {
        return Ok(buffer);
    }
    let descriptor = wgpu::BufferDescriptor {
        label: Some("readback"),
        size: size.max(SMALL_STAGING),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    };
    let (buffer, error) = scoped(&gpu.device, || gpu.device.create_buffer(&descriptor));
    match error {
        None => Ok(buffer),
        Some(error) => {
            Err(Error::OutOfMemory { device: gpu.name, bytes: descriptor.size as usize, reason: error.to_string() })
        }
    }
}

impl<'a> Readback<'a> {
    /// Submits the batch with a copy of `len` bytes of an array's buffer at its end, and of the status words where a kernel
    /// may have reported.
    fn start(gpu: &'a Gpu, src: Option<&Array>, offset: usize, len: usize) -> Result<Self> {
        gpu.failure.check()?;
        // Copies are of whole words.
        let first = offset / 4 * 4;
        let size = if len == 0 { 0 } else { ((offset + len).next_multiple_of(4) - first) as u64 };
        let staging = staging(gpu, size + STATUS_BYTES)?;
        let mut state = gpu.lock();
        let buffer = src.map(|array| gpu.buffer(array)).transpose()?;
        let with_status = gpu.take_status_dirty();
        let encoder = state.recorder.encoder(gpu);
        if let Some(buffer) = buffer.filter(|_| size > 0) {
            encoder.copy_buffer_to_buffer(&buffer.raw, first as u64, &staging, 0, size);
        }
        if with_status {
            encoder.copy_buffer_to_buffer(&gpu.status().raw, 0, &staging, size, STATUS_BYTES);
            encoder.clear_buffer(&gpu.status().raw, 0, None);
        }
        let submission = state.recorder.submit(gpu);
        state.recorder.will_be_idle();
        drop(state);
        gpu.counters.readbacks.fetch_add(1, Ordering::Relaxed);
        let mapped = Arc::new(Mutex::new(Mapped::default()));
        let callback = mapped.clone();
        staging.map_async(wgpu::MapMode::Read, ..size + STATUS_BYTES, move |result| {
            let mut mapped = callback.lock().unwrap_or_else(PoisonError::into_inner);
            mapped.result = Some(result);
            if let Some(waker) = mapped.waker.take() {
                waker.wake();
            }
        });
        let status_at = with_status.then_some(size as usize);
        Ok(Readback {
            gpu,
            staging,
            mapped_bytes: size + STATUS_BYTES,
            submission,
            skip: offset - first,
            len,
            status_at,
            mapped,
        })
    }
}

impl Future for Readback<'_> {
    type Output = Result<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        drop(self.gpu.device.poll(wgpu::PollType::Poll));
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(result) = mapped.result.take() else {
            mapped.waker = Some(context.waker().clone());
            // A browser calls back by itself; elsewhere the device is asked for its progress.
            #[cfg(not(target_family = "wasm"))]
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        let range = result.map_err(|e| e.to_string()).and_then(|()| {
            let view = self.staging.slice(..self.mapped_bytes).get_mapped_range().map_err(|e| e.to_string())?;
            let status = self.status_at.map(|at| bytemuck::pod_read_unaligned(&view[at..at + STATUS_BYTES as usize]));
            let bytes = view[self.skip..self.skip + self.len].to_vec();
            drop(view);
            self.staging.unmap();
            let mut kept = self.gpu.staging();
            if self.staging.size() == SMALL_STAGING && kept.len() < KEPT_STAGING {
                kept.push(self.staging.clone());
            }
            Ok((bytes, status))
        });
        if let Err(reason) = &range {
            self.gpu.failure.lost(reason);
        }
        Poll::Ready(match (self.gpu.failure.check(), range) {
            (Ok(()), Ok((bytes, status))) => status.map_or(Ok(()), |words| self.gpu.judge(words)).map(|()| bytes),
            (Err(error), _) => Err(error),
            (Ok(()), Err(reason)) => Err(Error::Lost { device: self.gpu.name, reason }),
        })
    }
}

/// Host elements as the device stores them.
fn widen(dtype: DType, bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let words = |f: fn(u8) -> i32| bytes.iter().flat_map(|&b| f(b).to_ne_bytes()).collect::<Vec<u8>>().into();
    match dtype {
        DType::Bool => words(|b| i32::from(b != 0)),
        DType::U8 => words(i32::from),
        DType::I8 => words(|b| i32::from(b as i8)),
        DType::I16 => {
            let (pairs, _) = bytes.as_chunks::<2>();
            pairs.iter().flat_map(|&b| i32::from(i16::from_ne_bytes(b)).to_ne_bytes()).collect::<Vec<u8>>().into()
        }
        _ => bytes.into(),
    }
}

/// The device's elements as the host stores them.
fn narrow(dtype: DType, data: &[u8], bytes: &mut [u8]) {
    let size = dtype.size();
    if size == stored_size(dtype) {
        return bytes.copy_from_slice(data);
    }
    let (words, _) = data.as_chunks::<4>();
    for (out, word) in bytes.chunks_exact_mut(size).zip(words) {
        let wide = i32::from_ne_bytes(*word);
        match dtype {
            DType::I16 => out.copy_from_slice(&(wide as i16).to_ne_bytes()),
            _ => out[0] = wide as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_integers_travel_in_words() {
        for dtype in [DType::Bool, DType::U8, DType::I8, DType::I16] {
            let bytes: Vec<u8> = match dtype {
                DType::Bool => vec![0, 1, 1, 0],
                _ => vec![0, 1, 127, 128, 200, 255, 3, 254],
            };
            let wide = widen(dtype, &bytes);
            assert_eq!(wide.len(), bytes.len() / dtype.size() * 4);
            let mut back = vec![0; bytes.len()];
            narrow(dtype, &wide, &mut back);
            assert_eq!(back, bytes);
        }
    }
}
