//! How a matrix product is cut into workgroups.

use flambeau_tensor::DType;

/// Cores of a large GPU; a smaller one takes the same cuts in more rounds.
const CORES: usize = 128;
/// Summands that a part has at least.
const PART: usize = 128;
/// What a further pass costs, and what each sum costs that it reads: in the multiply-adds that one core does meanwhile.
const PASS: f64 = 6e5;
const SUM: f64 = 0.6;
/// Workgroups that keep a GPU busy where each has two warps.
const THIN_GROUPS: usize = 1024;
/// Summands of a part there: each thread should have several.
const THIN_PART: usize = 1024;

/// A size of tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ConvTile {
    /// Rows.
    pub m: usize,
    /// Columns.
    pub n: usize,
    /// The share of the peak rate that many tiles reach on a core: larger ones read less per product.
    rate: f64,
    /// The share that one tile reaches alone: by its number of threads.
    alone: f64,
}

/// The tiles that the kernel is made for.
pub(super) const TILES: [ConvTile; 4] = [
    ConvTile { m: 64, n: 64, rate: 0.75, alone: 0.3 },
    ConvTile { m: 32, n: 128, rate: 0.7, alone: 0.3 },
    ConvTile { m: 64, n: 128, rate: 0.9, alone: 0.5 },
    ConvTile { m: 128, n: 128, rate: 1.0, alone: 0.8 },
];

/// How a product is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    /// The tiles' size.
    pub tile: ConvTile,
    /// Parts that the sums are split into.
    pub parts: usize,
    /// Summands per part.
    pub part: usize,
}

impl Plan {
    /// The cut of `products` products of `m` rows, `n` columns and `k` summands that takes the least time by a simple model:
    /// cores share the workgroups evenly, and a core with few of them does not reach its rate.
    pub fn new(m: usize, n: usize, k: usize, products: usize, dtype: DType) -> Plan {
        let mut best = (f64::INFINITY, Plan { tile: TILES[0], parts: 1, part: k.max(1) });
        for &tile in tiles(dtype) {
            let groups = m.div_ceil(tile.m) * n.div_ceil(tile.n) * products;
            let mut wanted = 1;
            while wanted == 1 || wanted <= k / PART {
                let (parts, part) = even(k, wanted);
                let per_core = (groups * parts).div_ceil(CORES) as f64;
                let rate = tile.rate.min(per_core * tile.alone);
                let sums = if parts > 1 { PASS + SUM * (m * n * products * parts) as f64 } else { 0.0 };
                let cost = per_core * (tile.m * tile.n * part) as f64 / rate + sums;
                if cost < best.0 {
                    best = (cost, Plan { tile, parts, part });
                }
                wanted *= 2;
            }
        }
        best.1
    }
}

/// The tiles for a dtype: those of f64 take twice the memory that a workgroup shares.
pub(super) fn tiles(dtype: DType) -> &'static [ConvTile] {
    if dtype == DType::F64 { &TILES[..1] } else { &TILES }
}

/// At most `wanted` parts of equal length (the last may be shorter) of `k` summands, and their length.
pub(super) fn even(k: usize, wanted: usize) -> (usize, usize) {
    let part = k.div_ceil(wanted).max(1);
    (k.div_ceil(part).max(1), part)
}

/// Parts of a thin product's `k` summands where it has `groups` workgroups, and their length.
pub(super) fn thin(k: usize, groups: usize) -> (usize, usize) {
    even(k, (THIN_GROUPS / groups.max(1)).min(k / THIN_PART).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_summands_once() {
        for k in [0, 1, 7, 128, 129, 1000, 50_176] {
            for wanted in [1, 2, 5, 64, 300] {
                let (parts, part) = even(k, wanted);
                assert!(parts >= 1 && parts <= wanted, "{k} {wanted}");
                assert!(parts * part >= k && (parts - 1) * part < k.max(1), "{k} {wanted}");
            }
        }
    }

    #[test]
    fn cuts_follow_the_shape() {
        let plan = |m, n, k| Plan::new(m, n, k, 1, DType::F32);
        // Many columns of 128 and of 32 rows; few results of long sums.
        assert_eq!((plan(128, 200_704, 1152).tile, plan(128, 200_704, 1152).parts), (TILES[3], 1));
        assert_eq!(plan(32, 50_176, 9).tile, TILES[1]);
        assert!(plan(64, 576, 50_176).parts > 8);
        assert_eq!(plan(64, 576, 64).parts, 1);
        assert_eq!(Plan::new(128, 50_176, 1152, 1, DType::F64).tile, TILES[0]);
    }
}
