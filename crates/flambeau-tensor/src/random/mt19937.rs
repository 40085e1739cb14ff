//! The Mersenne Twister MT19937 of Matsumoto and Nishimura, as PyTorch's engine runs it.

/// Words of state.
pub(super) const N: usize = 624;
const M: usize = 397;
const MATRIX_A: u32 = 0x9908_b0df;
const UPPER_MASK: u32 = 0x8000_0000;
const LOWER_MASK: u32 = 0x7fff_ffff;

/// The engine: 32-bit draws with period 2¹⁹⁹³⁷ − 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mt19937 {
    pub(super) seed: u64,
    /// Draws until the next regeneration, plus one; 1 after seeding.
    pub(super) left: u32,
    /// The index of the next word.
    pub(super) next: u32,
    pub(super) state: [u32; N],
}

impl Mt19937 {
    /// The engine for a seed. Only the low 32 bits of the seed choose the stream, as in PyTorch; `seed()` keeps them all.
    pub fn new(seed: u64) -> Self {
        let mut state = [0; N];
        state[0] = seed as u32;
        for j in 1..N {
            let previous = state[j - 1];
            state[j] = 1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(j as u32);
        }
        Self { seed, left: 1, next: 0, state }
    }

    /// The seed that the engine was made with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next 32 bits.
    #[inline]
    pub fn random(&mut self) -> u32 {
        self.left -= 1;
        if self.left == 0 {
            self.regenerate();
        }
        let mut y = self.state[self.next as usize];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// The next 64 bits: the first draw is the high half.
    #[inline]
    pub fn random64(&mut self) -> u64 {
        let high = u64::from(self.random());
        high << 32 | u64::from(self.random())
    }

    fn regenerate(&mut self) {
        let s = &mut self.state;
        let twist = |u: u32, v: u32| {
            let mixed = (u & UPPER_MASK) | (v & LOWER_MASK);
            (mixed >> 1) ^ if v & 1 == 1 { MATRIX_A } else { 0 }
        };
        for k in 0..N - M {
            s[k] = s[k + M] ^ twist(s[k], s[k + 1]);
        }
        for k in N - M..N - 1 {
            s[k] = s[k + M - N] ^ twist(s[k], s[k + 1]);
        }
        s[N - 1] = s[M - 1] ^ twist(s[N - 1], s[0]);
        self.left = N as u32;
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference implementation's value: the 10,000th output for the default seed (C++ standard, [rand.predef]).
    #[test]
    fn ten_thousandth_draw_of_the_standard() {
        let mut engine = Mt19937::new(5489);
        for _ in 0..9999 {
            engine.random();
        }
        assert_eq!(engine.random(), 4_123_659_995);
    }

    #[test]
    fn the_high_half_comes_first() {
        let (mut a, mut b) = (Mt19937::new(7), Mt19937::new(7));
        let (first, second) = (a.random(), a.random());
        assert_eq!(b.random64(), u64::from(first) << 32 | u64::from(second));
    }

    #[test]
    fn only_the_low_half_of_the_seed_counts() {
        let (mut a, mut b) = (Mt19937::new(3), Mt19937::new(3 | 9 << 32));
        assert_eq!(a.random(), b.random());
        assert_eq!(b.seed(), 3 | 9 << 32);
    }
}
