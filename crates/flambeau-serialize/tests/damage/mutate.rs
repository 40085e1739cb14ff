//! Damage of the kinds that fuzzers draw.

/// A small generator: the same seed damages in the same way.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Numbers at which lengths, counts and offsets go wrong.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// One to six changes: bytes, numbers, and pieces cut out, doubled, or taken from another file.
pub fn file(mut bytes: Vec<u8>, others: &[(String, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(40)).min(bytes.len());
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] = random.next() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => {
                let number = random.pick(&EDGES).to_le_bytes();
                let width = *random.pick(&[2, 4, 8]);
                if let Some(place) = bytes.get_mut(at..at + width) {
                    place.copy_from_slice(&number[..width]);
                }
            }
            3 => drop(bytes.drain(at.min(end)..end)),
            4 => {
                let piece = bytes[at.min(end)..end].to_vec();
                bytes.splice(at.min(end)..at.min(end), piece);
            }
            5 => {
                let other = &random.pick(others).1;
                let from = random.below(other.len());
                let piece = &other[from..(from + 1 + random.below(60)).min(other.len())];
                let keep = if random.below(2) == 0 { at } else { end };
                bytes.splice(at.min(keep)..keep, piece.iter().copied());
            }
            _ if random.below(4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}
