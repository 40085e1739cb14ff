//! Huffman codes and the bits that they are read from.

/// The bits of a scan, with stuffed zeros taken out; at a marker it goes on with zeros.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Bits { data, at, buffer: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match self.data.get(self.at..) {
                Some([0xff, 0x00, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([0xff, ..]) | Some([]) | None => 0,
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
        self.count -= n;
        bits as i32
    }

    /// A number of `n` bits whose first one says its sign.
    pub fn signed(&mut self, n: u32) -> i32 {
        let value = self.take(n);
        if n > 0 && value < 1 << (n - 1) { value - (1 << n) + 1 } else { value }
    }

    /// The next symbol.
    pub fn symbol(&mut self, table: &Huffman) -> Option<u8> {
        let (length, symbol) = table.0[self.peek()];
        self.count -= u32::from(length);
        (length > 0).then_some(symbol)
    }

    /// Passes a restart marker, if one comes; the bits before it are dropped.
    pub fn restart(&mut self) {
        (self.buffer, self.count) = (0, 0);
        let rest = self.data.get(self.at..).unwrap_or_default();
        if let [0xff, 0xd0..=0xd7, ..] = rest {
            self.at += 2;
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
        let (mut start, mut symbols) = (0, symbols.iter());
        for (length, &count) in (1u8..).zip(counts) {
            let width = 1usize << (16 - length);
            for _ in 0..count {
                table.get_mut(start..start + width)?.fill((length, *symbols.next()?));
                start += width;
            }
        }
        Some(Huffman(table))
    }
}
