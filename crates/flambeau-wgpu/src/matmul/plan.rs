//! Which tile makes a product, and in how many parts of k. Every tile adds k in ascending order, so that the choice of one changes
//! no digit of a result; the number of parts does, and so depends on the product's shape alone.
//!
//! The figures are those of an H100 (`benches/reports/nvidia-h100-80gb-hbm3-probe.md`).

use flambeau_tensor::DType;

/// What of an adapter decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adapter {
    /// Its maker's PCI number.
    pub vendor: u32,
    /// Whether it is a program on the CPU.
    pub software: bool,
    /// Bytes that a workgroup's threads may share.
    pub workgroup_bytes: u32,
}

/// The shape of a product, \[batch, m, k\] · \[batch, k, n\].
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub batch: u32,
    pub m: u32,
    pub n: u32,
    pub k: u32,
}

/// How many workgroups share the k range of a tile, and how much of it each has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub splits: u32,
    pub chunk: u32,
}

/// A tile shape of `matmul/tile.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    /// Blocks of 4 x 4 results that a thread makes, down and across.
    pub down: u32,
    pub across: u32,
}

/// Large tiles reuse more, small ones keep more workgroups busy.
pub(super) const TILES: [Tile; 3] = [
    Tile { m: 128, n: 128, k: 8, down: 2, across: 2 },
    Tile { m: 64, n: 64, k: 16, down: 1, across: 1 },
    Tile { m: 32, n: 32, k: 16, down: 1, across: 1 },
];

/// A tile shape of `matmul/fast.wgsl`.
pub(super) type FastTile = Tile;

/// 128 threads with 128 results each: fastest where there are registers for them.
const LARGE: FastTile = Tile { m: 128, n: 128, k: 8, down: 4, across: 2 };
/// The same results with 256 threads.
const LARGE_OF_SMALL: FastTile = Tile { m: 128, n: 128, k: 8, down: 2, across: 2 };
const SMALL: FastTile = Tile { m: 64, n: 64, k: 16, down: 2, across: 1 };
/// For few rows.
const THIN: FastTile = Tile { m: 16, n: 64, k: 16, down: 1, across: 1 };
#[cfg(test)]
pub(super) const FAST_TILES: [FastTile; 4] = [LARGE, LARGE_OF_SMALL, SMALL, THIN];

/// Workgroups of the small tile that keep a large GPU busy, and of the large ones.
const ENOUGH_SMALL: u64 = 256;
const ENOUGH_LARGE: u64 = 192;
const ENOUGH_GROUPS: u64 = 128;
/// The least k that is worth a second launch, and the least part of it that is worth a workgroup of its own.
const LEAST_SPLIT: u32 = 256;
const LEAST_CHUNK: u32 = 64;
const MOST_SPLITS: u64 = 32;
/// Every tile's step divides a part.
const STEP: u32 = 16;

/// PCI numbers of the vendors whose GPUs have at least 200 registers for each of a workgroup's 128 threads.
const MANY_REGISTERS: [u32; 2] = [0x10de, 0x1002];

impl Parts {
    /// About so many parts of k.
    pub fn of(k: u32, splits: u32) -> Self {
        let chunk = k.div_ceil(splits).next_multiple_of(STEP).max(STEP);
        Parts { splits: k.div_ceil(chunk).max(1), chunk }
    }
}

impl Shape {
    fn groups(&self, m: u32, n: u32) -> u64 {
        u64::from(self.batch) * u64::from(self.m.div_ceil(m)) * u64::from(self.n.div_ceil(n))
    }

    /// Enough parts to keep a large GPU busy with small tiles.
    pub fn parts(&self) -> Parts {
        let wanted = match self.k < LEAST_SPLIT {
            true => 1,
            false => (ENOUGH_SMALL / self.groups(SMALL.m, SMALL.n).max(1)).min(MOST_SPLITS) as u32,
        };
        Parts::of(self.k, wanted.min(self.k / LEAST_CHUNK).max(1))
    }

    /// The tile of `matmul/fast`, if the adapter has the workgroup memory for it. A software adapter is busy with few
    /// workgroups.
    pub fn fast_tile(&self, parts: Parts, adapter: Adapter) -> Option<FastTile> {
        let large = match MANY_REGISTERS.contains(&adapter.vendor) {
            true => LARGE,
            false => LARGE_OF_SMALL,
        };
        let groups = self.groups(large.m, large.n) * u64::from(parts.splits);
        let tile = if self.m <= THIN.m {
            THIN
        } else if self.m > SMALL.m && self.n > SMALL.n && (adapter.software || groups >= ENOUGH_LARGE) {
            large
        } else {
            SMALL
        };
        // Two tiles of each operand, each line with its pad.
        (2 * tile.k * (tile.m + tile.n + 8) * 4 <= adapter.workgroup_bytes).then_some(tile)
    }

    /// The tile of `matmul/tile`: the largest that is not mostly empty and leaves enough workgroups.
    pub fn tile(&self, parts: Parts, dtype: DType, adapter: Adapter) -> Tile {
        let wide = flambeau_shaders::stored_size(dtype) == 8;
        // Two tiles of each operand.
        let bytes = |t: &Tile| 2 * t.k * (t.m + t.n) * if wide { 8 } else { 4 };
        let fits = |t: &Tile| {
            let full = self.m > t.m / 2 && self.n > t.n / 2;
            let busy = adapter.software || self.groups(t.m, t.n) * u64::from(parts.splits) >= ENOUGH_GROUPS;
            // 64-bit elements would take twice the workgroup memory.
            full && busy && !(wide && t.m == 128) && bytes(t) <= adapter.workgroup_bytes
        };
        TILES.into_iter().find(fits).unwrap_or(TILES[2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(m: u32, n: u32, k: u32) -> Shape {
        Shape { batch: 1, m, n, k }
    }

    const NVIDIA: Adapter = Adapter { vendor: 0x10de, software: false, workgroup_bytes: 49152 };
    const INTEL: Adapter = Adapter { vendor: 0x8086, software: false, workgroup_bytes: 32768 };
    const SOFTWARE: Adapter = Adapter { vendor: 0x10005, software: true, workgroup_bytes: 32768 };

    #[test]
    fn shapes_choose_tiles_and_parts() {
        let one = Parts { splits: 1, chunk: 4096 };
        let tile = |m, n, dtype, adapter| shape(m, n, 4096).tile(one, dtype, adapter);
        assert_eq!(tile(4096, 4096, DType::F32, INTEL), TILES[0]);
        assert_eq!(tile(1024, 1024, DType::F32, INTEL), TILES[1]);
        assert_eq!(tile(64, 128, DType::F32, INTEL), TILES[2]);
        assert_eq!(tile(512, 512, DType::F32, SOFTWARE), TILES[0]);
        assert_eq!(tile(4096, 4096, DType::F64, INTEL), TILES[1]);
        assert_eq!(tile(4096, 4096, DType::F64, Adapter { workgroup_bytes: 16384, ..INTEL }), TILES[2]);
        let parts = |m, n, k| shape(m, n, k).parts();
        assert_eq!(parts(64, 128, 784), Parts { splits: 10, chunk: 80 });
        assert_eq!(parts(512, 512, 512), Parts { splits: 4, chunk: 128 });
        assert_eq!(parts(1024, 1024, 1024), Parts { splits: 1, chunk: 1024 });
        assert_eq!((parts(64, 64, 128).splits, parts(64, 64, 0)), (1, Parts { splits: 1, chunk: 16 }));
    }

    #[test]
    fn adapters_choose_tiles_of_four() {
        let tile = |m, n, adapter| shape(m, n, 128).fast_tile(shape(m, n, 128).parts(), adapter);
        let nvidia = [(4096, 4096), (1024, 1024), (16, 4096)].map(|(m, n)| tile(m, n, NVIDIA).unwrap());
        assert_eq!(nvidia, [LARGE, SMALL, THIN]);
        assert_eq!([tile(4096, 4096, INTEL), tile(512, 512, SOFTWARE)], [Some(LARGE_OF_SMALL); 2]);
        assert_eq!(tile(512, 512, Adapter { workgroup_bytes: 16384, ..INTEL }), None);
    }

    /// Every thread makes as many loads as every other, and a part ends with a whole step.
    #[test]
    fn tiles_share_out_evenly() {
        for t in FAST_TILES {
            let threads = 32 * (t.m / (16 * t.down)) * (t.n / (32 * t.across));
            let loads = [t.m, t.n].map(|lines| lines * t.k / 4);
            assert!(loads.iter().all(|n| n % threads == 0 && *n > 0) && STEP.is_multiple_of(t.k), "{t:?}");
            // The places of a thread's loads are equally far apart.
            assert!([t.k, t.m / 4, t.n / 4].iter().all(|lines| threads.is_multiple_of(*lines)), "{t:?}");
        }
    }
}
