//! A small random number generator that gives each image numbers of its own, on every platform the same.

/// SplitMix64 (Steele, Lea, Flood 2014): a counter that is hashed; every start gives an independent-looking stream.
pub(super) struct SplitMix64(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl SplitMix64 {
    /// A generator that starts at `state`, as the published one does.
    fn new(state: u64) -> Self {
        Self(state)
    }

    /// The stream of one item: each key is hashed into the state, so that neighbours share nothing.
    pub fn keyed(keys: [u64; 3]) -> Self {
        Self::new(keys.into_iter().fold(0, |state, key| mix(mix(state.wrapping_add(GOLDEN)) ^ key)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴: exact in f32.
    pub fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 * (1.0 / (1 << 24) as f32)
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// About normal, with mean 0 and standard deviation `deviation`: the sum of four uniform 16-bit numbers, which
    /// needs no logarithm (whose last bit differs from platform to platform) and never strays beyond 3.5 deviations.
    pub fn normal(&mut self, deviation: f32) -> f32 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        // Each of the four has variance 2³²/12, so the sum has the deviation 2¹⁶/√3.
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0) * deviation
    }

    /// A number below `n`, each with the same probability up to 2⁻⁵⁹.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The reference implementation's first outputs for the seed 1234567 (prng.di.unimi.it, splitmix64.c).
        let mut rng = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut rng = SplitMix64::keyed([1, 2, 3]);
        let n = 100_000;
        let samples: Vec<f64> = (0..n).map(|_| f64::from(rng.normal(2.0))).collect();
        let mean = samples.iter().sum::<f64>() / f64::from(n);
        let variance = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03 && (variance - 4.0).abs() < 0.06, "mean {mean}, variance {variance}");
    }
}
