//! Pipelines, layouts and bind groups, each made once.

use crate::error::{Error, Result};
use crate::failure::scoped;
use crate::gpu::Gpu;
use crate::memory::Buffer;
use crate::params::Params;
use crate::recorder::{Recorder, UNIFORM_BYTES};
use flambeau_shaders::{Fields, Kernel, Target};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What tells pipelines of one kernel apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PipelineKey {
    /// A bit for each binding that is bound read-write.
    pub read_write: u64,
    /// Whether parameters come through a uniform buffer.
    pub uniform: bool,
}

/// A compiled kernel.
pub(crate) struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    pub layout: Arc<Layout>,
    pub uniform: bool,
    /// The parameters' names.
    pub fields: Fields,
}

/// The bindings of kernels.
pub(crate) struct Layout {
    pub id: u32,
    raw: wgpu::BindGroupLayout,
    uniform: bool,
}

/// The buffers of one launch.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct GroupKey {
    pub layout: u32,
    pub ids: SmallVec<[u64; 8]>,
}

/// So many bind groups are kept, and at most as many older ones; training needs a few hundred, and each holds its buffers.
const MAX_GROUPS: usize = 4096;

/// The pipelines of one kernel.
type Variants = SmallVec<[(PipelineKey, Arc<Pipeline>); 1]>;

#[derive(Default)]
pub(crate) struct Cache {
    pipelines: FxHashMap<Kernel, Variants>,
    layouts: FxHashMap<(usize, u64, bool), Arc<Layout>>,
    /// Those that were used lately.
    groups: FxHashMap<GroupKey, wgpu::BindGroup>,
    /// Those that were made before, until the others are as many as may be.
    old_groups: FxHashMap<GroupKey, wgpu::BindGroup>,
}

impl Cache {
    /// The pipeline of a kernel with `bindings` buffers and these parameters, whose names are checked when it is made.
    pub fn pipeline(
        &mut self,
        gpu: &Gpu,
        kernel: &Kernel,
        key: PipelineKey,
        bindings: usize,
        params: &dyn Fn(&mut Params),
    ) -> Result<Arc<Pipeline>> {
        let found = self.pipelines.get(kernel).and_then(|made| made.iter().find(|(k, _)| *k == key));
        if let Some((_, pipeline)) = found {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(self.compile(gpu, kernel, key, bindings, params)?);
        self.pipelines.entry(kernel.clone()).or_default().push((key, pipeline.clone()));
        Ok(pipeline)
    }

    fn compile(
        &mut self,
        gpu: &Gpu,
        kernel: &Kernel,
        key: PipelineKey,
        n: usize,
        params: &dyn Fn(&mut Params),
    ) -> Result<Pipeline> {
        let fields = kernel.fields();
        Params::check(params, &fields);
        let target = Target { immediates: !key.uniform, ..gpu.target };
        let text =
            kernel.source(&target, key.read_write).map_err(|missing| Error::Missing { device: gpu.name, missing })?;
        let layout = self.layout(gpu, n, key);
        let label = Some(kernel.name());
        let descriptor = wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(text.as_str().into()) };
        let make = || {
            // SAFETY: the kernels are this library's own; they stay within their bindings by construction (each index is
            // checked against the lengths that the host passes), have no endless loops and guard integer division.
            let module =
                unsafe { gpu.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
            let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&layout.raw)],
                immediate_size: if key.uniform { 0 } else { 4 * fields.names().len() as u32 },
            });
            gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label,
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
        };
        let (raw, error) = scoped(&gpu.device, make);
        if let Some(error) = error {
            let reason = format!("{error}\nin the kernel\n{text}");
            return Err(Error::Validation { device: gpu.name, reason });
        }
        gpu.counters.pipelines.fetch_add(1, Ordering::Relaxed);
        Ok(Pipeline { raw, layout, uniform: key.uniform, fields })
    }

    fn layout(&mut self, gpu: &Gpu, bindings: usize, key: PipelineKey) -> Arc<Layout> {
        let next = self.layouts.len() as u32;
        let make = || {
            let entry = |binding: u32, ty: wgpu::BufferBindingType, dynamic: bool| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size: None },
                count: None,
            };
            let storage = |i: usize| {
                let read_only = key.read_write >> i & 1 == 0;
                entry(i as u32, wgpu::BufferBindingType::Storage { read_only }, false)
            };
            let mut entries: SmallVec<[_; 8]> = (0..bindings).map(storage).collect();
            if key.uniform {
                entries.push(entry(bindings as u32, wgpu::BufferBindingType::Uniform, true));
            }
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
            let raw = gpu.device.create_bind_group_layout(&descriptor);
            Arc::new(Layout { id: next, raw, uniform: key.uniform })
        };
        self.layouts.entry((bindings, key.read_write, key.uniform)).or_insert_with(make).clone()
    }

    /// The bind group of these buffers.
    pub fn group(
        &mut self,
        gpu: &Gpu,
        key: GroupKey,
        layout: &Layout,
        buffers: &[Arc<Buffer>],
        recorder: &Recorder,
    ) -> &wgpu::BindGroup {
        if self.groups.len() >= MAX_GROUPS {
            self.old_groups = std::mem::take(&mut self.groups);
        }
        let old_groups = &mut self.old_groups;
        self.groups.entry(key).or_insert_with_key(|key| {
            if let Some(group) = old_groups.remove(key) {
                return group;
            }
            let mut entries: SmallVec<[wgpu::BindGroupEntry<'_>; 8]> = SmallVec::new();
            for (i, buffer) in buffers.iter().enumerate() {
                entries.push(wgpu::BindGroupEntry { binding: i as u32, resource: buffer.raw.as_entire_binding() });
            }
            if layout.uniform {
                let ring = wgpu::BufferBinding {
                    buffer: recorder.uniforms(),
                    offset: 0,
                    size: std::num::NonZeroU64::new(UNIFORM_BYTES),
                };
                let (binding, resource) = (buffers.len() as u32, wgpu::BindingResource::Buffer(ring));
                entries.push(wgpu::BindGroupEntry { binding, resource });
            }
            let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &layout.raw, entries: &entries };
            gpu.device.create_bind_group(&descriptor)
        })
    }

    /// Lets go of all bind groups, and so of the buffers that they hold.
    pub fn forget_groups(&mut self) {
        self.groups.clear();
        self.old_groups.clear();
    }
}
