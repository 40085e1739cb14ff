//! The coefficients of a picture, scan by scan: sequential and progressive.

use super::bits::{Bits, Huffman};

/// Where the coefficients of a block stand, in the order in which they are stored.
pub(super) const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// One component of a frame.
pub(super) struct Component {
    pub id: u8,
    /// Blocks in a unit, across and down.
    pub across: usize,
    pub down: usize,
    pub quantizer: usize,
    /// The quantizer, once a scan has the component.
    pub latched: Option<[u16; 64]>,
    /// Blocks in a row of all units, and rows of blocks.
    pub row: usize,
    pub rows: usize,
    /// Samples that belong to the picture.
    pub width: usize,
    pub height: usize,
    /// 64 for each block, row by row.
    pub coefficients: Vec<i16>,
}

/// What a scan's header says.
pub(super) struct Scan<'a> {
    /// The components and their tables.
    pub parts: Vec<(usize, Option<&'a Huffman>, Option<&'a Huffman>)>,
    pub progressive: bool,
    /// The first and last coefficient.
    pub band: [usize; 2],
    /// The bit that the scan before ended at (0 for the first of a coefficient), and the one that this one ends at.
    pub high: u32,
    pub low: u32,
    /// Units between restarts, 0 for none.
    pub restart: usize,
}

/// What goes on from block to block.
struct State {
    /// The last first coefficient of each part.
    last: [i32; 4],
    /// Blocks without further coefficients still to come.
    empty: u32,
}

type Outcome = Result<(), String>;

/// Where a coefficient stands. Damaged files lead beyond the last one; libjpeg writes to the last one then.
fn place(k: usize) -> usize {
    ZIGZAG.get(k).copied().unwrap_or(63)
}

impl Scan<'_> {
    /// Reads all blocks of the scan; `units` is how many there are across and down where components are interleaved.
    pub fn read(&self, bits: &mut Bits<'_>, components: &mut [Component], units: [usize; 2]) -> Outcome {
        let (mut state, mut restarts) = (State { last: [0; 4], empty: 0 }, 0u8);
        let single = self.parts.len() == 1;
        let [across, down] = if single {
            let component = &components[self.parts[0].0];
            [component.width.div_ceil(8), component.height.div_ceil(8)]
        } else {
            units
        };
        for unit in 0..across * down {
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                bits.restart(restarts);
                restarts += 1;
                state = State { last: [0; 4], empty: 0 };
            }
            // Once the data have ended, the rest stays grey.
            if bits.ended() {
                continue;
            }
            let (x, y) = (unit % across, unit / across);
            for (part, &(index, ..)) in self.parts.iter().enumerate() {
                let component = &mut components[index];
                let (h, v) = if single { (1, 1) } else { (component.across, component.down) };
                for i in 0..h * v {
                    let block = (y * v + i / h) * component.row + x * h + i % h;
                    let block = component.coefficients.get_mut(block * 64..block * 64 + 64);
                    self.block(bits, part, &mut state, block.ok_or("Corrupt JPEG data: a block outside")?)?;
                }
            }
        }
        Ok(())
    }

    fn block(&self, bits: &mut Bits<'_>, part: usize, state: &mut State, block: &mut [i16]) -> Outcome {
        let (_, dc, ac) = self.parts[part];
        let missing = || "Corrupt JPEG data: a Huffman table was not defined".to_owned();
        if self.band[0] == 0 && self.high > 0 {
            block[0] |= (bits.take(1) << self.low) as i16;
        } else if self.band[0] == 0 {
            let size = u32::from(bits.symbol(dc.ok_or_else(missing)?)).min(16);
            state.last[part] = state.last[part].wrapping_add(bits.signed(size));
            block[0] = (state.last[part] << self.low) as i16;
        }
        if self.band[1] == 0 {
            return Ok(());
        }
        let ac = ac.ok_or_else(missing)?;
        if self.high > 0 {
            self.refine(bits, ac, state, block);
        } else {
            self.first(bits, ac, state, block);
        }
        Ok(())
    }

    /// The coefficients after the first one, or their upper bits.
    fn first(&self, bits: &mut Bits<'_>, ac: &Huffman, state: &mut State, block: &mut [i16]) {
        if state.empty > 0 {
            state.empty -= 1;
            return;
        }
        let mut k = self.band[0].max(1);
        while k <= self.band[1] {
            let symbol = bits.symbol(ac);
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += run;
                block[place(k)] = (bits.signed(size) << self.low) as i16;
                k += 1;
            } else if run == 15 {
                k += 16;
            } else {
                if self.progressive {
                    state.empty = (1 << run) - 1 + bits.take(run as u32) as u32;
                }
                break;
            }
        }
    }

    /// One more bit of each coefficient that is not zero, and those that become so.
    fn refine(&self, bits: &mut Bits<'_>, ac: &Huffman, state: &mut State, block: &mut [i16]) {
        let bit = 1i16 << self.low;
        let more = |bits: &mut Bits<'_>, value: &mut i16| {
            if bits.take(1) == 1 && *value & bit == 0 {
                *value = value.wrapping_add(if *value < 0 { -bit } else { bit });
            }
        };
        let mut k = self.band[0];
        if state.empty == 0 {
            while k <= self.band[1] {
                let symbol = bits.symbol(ac);
                let (mut run, size) = (symbol >> 4, symbol & 15);
                let mut new = 0;
                if size > 0 {
                    new = if bits.take(1) == 1 { bit } else { -bit };
                } else if run < 15 {
                    state.empty = (1 << run) + bits.take(u32::from(run)) as u32;
                    break;
                }
                // The run counts zeros; what is not zero is refined on the way.
                while k <= self.band[1] {
                    let value = &mut block[ZIGZAG[k]];
                    if *value != 0 {
                        more(bits, value);
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
                if new != 0 {
                    block[place(k)] = new;
                }
                k += 1;
            }
        }
        if state.empty > 0 {
            for place in &ZIGZAG[k..=self.band[1]] {
                if block[*place] != 0 {
                    more(bits, &mut block[*place]);
                }
            }
            state.empty -= 1;
        }
    }
}
