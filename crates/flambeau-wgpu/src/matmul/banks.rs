//! The workgroup memory of `matmul/fast` on a GPU of 32 banks of four bytes: how many rounds the accesses of a warp take. A GPU
//! with conflicts computes the same, only later: nothing else shows them.

use super::plan::{FAST_TILES, FastTile};

const WARP: u32 = 32;
const BANKS: usize = 32;

/// Rounds that a warp's accesses of `width` bytes take: as many threads at a time as read 128 bytes, and of these as many rounds
/// as one bank has different words.
fn rounds(width: u32, address: impl Fn(u32) -> u32) -> usize {
    let threads: Vec<u32> = (0..WARP).collect();
    let phase = |threads: &[u32]| {
        let mut banks = vec![Vec::new(); BANKS];
        for word in threads.iter().flat_map(|&t| address(t) / 4..(address(t) + width) / 4) {
            let bank: &mut Vec<u32> = &mut banks[word as usize % BANKS];
            if !bank.contains(&word) {
                bank.push(word);
            }
        }
        banks.iter().map(Vec::len).max().unwrap_or(0)
    };
    threads.chunks((128 / width) as usize).map(phase).sum()
}

/// The most rounds that a store of a tile with so many lines takes, where k is the fast dimension in memory and where it is not.
fn stores(t: FastTile, lines: u32, along_k: bool) -> usize {
    let (k4, lines4) = (t.k / 4, lines / 4);
    let line = lines4 + u32::from(along_k);
    let slots = lines * t.k / 4;
    let warps = (0..slots).step_by(WARP as usize);
    let store = |first: u32| match along_k {
        true => (0..4)
            .map(|j| {
                rounds(4, |thread| {
                    let slot = first + thread;
                    4 * ((slot % k4 * 4 + j) * line * 4 + slot / k4)
                })
            })
            .max()
            .expect("four stores"),
        false => rounds(16, |thread| {
            let slot = first + thread;
            16 * (slot / lines4 * line + slot % lines4)
        }),
    };
    warps.map(store).max().expect("a warp")
}

#[test]
fn few_accesses_meet_in_a_bank() {
    for t in FAST_TILES {
        for lines in [t.m, t.n] {
            // Four rounds are the least for 16 bytes per thread.
            assert!(stores(t, lines, false) <= 4, "{t:?} {lines}");
            assert!(stores(t, lines, true) <= 2, "{t:?} {lines}");
        }
    }
    // What the lanes of a warp read of the tiles of a and of b; threads that read the same share a round.
    assert!(rounds(16, |thread| 16 * (thread / 2 % 4)) <= 4);
    assert!(rounds(16, |thread| 16 * (thread % 2 + thread / 8 * 2)) <= 4);
    // Without its pad, a line that is written across would meet in one bank.
    assert_eq!(rounds(4, |thread| 4 * (thread % 2 * 4 * 32 * 4 + thread / 2)), 2);
}
