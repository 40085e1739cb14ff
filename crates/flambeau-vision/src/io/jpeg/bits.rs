//! Huffman codes and the bits that they are read from.

/// The bits of a scan, with stuffed zeros taken out; at a marker it goes on with zeros.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
    /// How many of the buffer's last bits stand for what a marker cut off.
    padding: u32,
    ended: bool,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Bits { data, at, buffer: 0, count: 0, padding: 0, ended: false }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match self.data.get(self.at..) {
                Some([0xff, 0x00, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([0xff, ..]) | Some([]) | None => {
                    self.padding += 8;
                    0
                }
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next 16 bits, without passing them.
    fn peek(&mut self) -> usize {
        if self.count < 16 {
            self.fill();
        }
        (self.buffer >> (self.count - 16)) as usize & 0xffff
    }

    /// The next `n` bits, at most 16.
    pub fn take(&mut self, n: u32) -> i32 {
        let bits = self.peek() >> (16 - n);
        self.pass(n);
        bits as i32
    }

    fn pass(&mut self, n: u32) {
        self.count -= n;
        if self.count < self.padding {
            (self.padding, self.ended) = (self.count, true);
        }
    }

    /// Whether more bits were taken than came before the marker.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// A number of `n` bits whose first one says its sign.
    pub fn signed(&mut self, n: u32) -> i32 {
        let value = self.take(n);
        if n > 0 && value < 1 << (n - 1) { value - (1 << n) + 1 } else { value }
    }

    /// The next symbol. Of bits that are no code libjpeg passes 17 and takes them for 0: most damaged files can be read so.
    pub fn symbol(&mut self, table: &Huffman) -> u8 {
        let (length, symbol) = table.0[self.peek()];
        if length == 0 {
            self.take(16);
            self.take(1);
            return 0;
        }
        self.pass(u32::from(length));
        symbol
    }

    /// Passes the restart marker of this number, whose last three bits count; the bits before it are dropped. Of another marker
    /// libjpeg's judgement: one of the next two numbers, or one that is no restart, is left for later; one of the two numbers
    /// before is passed over, with what follows; any other is taken for the right one.
    pub fn restart(&mut self, number: u8) {
        (self.buffer, self.count, self.padding) = (0, 0, 0);
        loop {
            let rest = self.data.get(self.at..).unwrap_or_default();
            let marker = rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] != 0 && pair[1] != 0xff);
            let Some(next) = marker else { return };
            let marker = rest[next + 1];
            self.at += next;
            let ahead = marker.wrapping_sub(number) & 7;
            match marker {
                0xd0..=0xd7 if ahead == 1 || ahead == 2 => return,
                0xd0..=0xd7 if ahead < 6 => {
                    self.at += 2;
                    self.ended = false;
                    return;
                }
                0xd0..=0xd7 | 0x01..=0xbf => self.at += 2,
                _ => return,
            }
        }
    }

    /// Where the next marker is.
    pub fn end(&self) -> usize {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let marker =
            |pair: &[u8]| pair[0] == 0xff && pair[1] != 0 && !(0xd0..=0xd7).contains(&pair[1]) && pair[1] != 0xff;
        self.at + rest.windows(2).position(marker).unwrap_or(rest.len())
    }
}

/// For each 16 bits: the length of the code that they begin with, 0 for none, and its symbol.
pub(super) struct Huffman(Vec<(u8, u8)>);

impl Huffman {
    /// From how many codes there are of each length, and their symbols.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = vec![(0, 0); 1 << 16];
        let (mut start, mut symbols) = (0usize, symbols.iter());
        for (length, &count) in (1u8..).zip(counts) {
            let width = 1usize << (16 - length);
            for _ in 0..count {
                table.get_mut(start..start + width)?.fill((length, *symbols.next()?));
                start += width;
            }
        }
        // No code may be of ones alone.
        (start < 1 << 16).then_some(Huffman(table))
    }
}
