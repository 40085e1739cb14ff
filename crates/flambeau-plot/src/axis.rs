//! Axes with ticks at round numbers.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use std::ops::Range;

/// An axis with ticks at round numbers.
pub(crate) struct Axis {
    pub(crate) range: Range<f64>,
    pub(crate) ticks: Vec<f64>,
    /// The decimals that tell the ticks apart.
    pub(crate) decimals: usize,
}

impl Axis {
    /// From `first` to `last`, half a unit more on either side, with a tick for each number or, of many, for every 2nd, 5th, ….
    pub(crate) fn whole(first: f64, last: f64) -> Self {
        let mut steps = (0..18).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
        let step = steps.find(|step| (last - first + 1.0) / step <= 12.0).unwrap_or(last);
        let from = (first / step).ceil() as i32;
        let ticks = (from..).map(|i| f64::from(i) * step).take_while(|&tick| tick <= last).collect();
        Axis { range: first - 0.5..last + 0.5, ticks, decimals: 0 }
    }

    /// Powers of ten, by their exponents.
    pub(crate) fn powers(first: f64, last: f64) -> Self {
        let ticks = (first.ceil() as i32..=last.floor() as i32).map(f64::from).collect();
        let room = 0.02 * (last - first).max(1.0);
        Axis { range: first - room..last + room, ticks, decimals: 0 }
    }

    /// Some five ticks at multiples of 1, 2 or 5 times a power of ten.
    pub(crate) fn values(range: Range<f64>) -> Self {
        let rough = (range.end - range.start) / 5.0;
        let magnitude = rough.log10().floor() as i32;
        let digit = rough / 10f64.powi(magnitude);
        let (digit, up) = if digit < 1.5 {
            (1, 0)
        } else if digit < 3.5 {
            (2, 0)
        } else if digit < 7.5 {
            (5, 0)
        } else {
            (1, 1)
        };
        // Whole multiples, so that no tick is 0.30000000000000004.
        let power = magnitude + up;
        let at = |i: i64| match power {
            0.. => (i * digit) as f64 * 10f64.powi(power),
            _ => (i * digit) as f64 / 10f64.powi(-power),
        };
        let first = (range.start / at(1)).ceil() as i64;
        let ticks = (first..).map(at).take_while(|&tick| tick <= range.end).collect();
        Axis { range, ticks, decimals: usize::try_from(-power).unwrap_or(0) }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_a_tick_each_or_few_round_ones() {
        for last in [1, 2, 5, 12, 13, 30, 100, 100_000] {
            let ticks = Axis::whole(1.0, f64::from(last)).ticks;
            assert!(!ticks.is_empty() && ticks.len() <= 12 && (last > 12 || ticks.len() == last as usize), "{ticks:?}");
        }
        assert_eq!(Axis::powers(-6.7, 1.0).ticks, [-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0]);
    }

    #[test]
    fn values_have_few_round_ticks() {
        for range in [0.0..0.43, 0.88..1.01, 0.0..2.5, 0.9985..1.005, 0.0..1e-6, 0.0..3e7] {
            let axis = Axis::values(range.clone());
            assert!((3..=9).contains(&axis.ticks.len()), "{range:?}: {:?}", axis.ticks);
            let mut texts: Vec<String> = axis.ticks.iter().map(|t| format!("{t:.*}", axis.decimals)).collect();
            texts.dedup();
            assert_eq!(texts.len(), axis.ticks.len(), "{texts:?}");
        }
    }
}
