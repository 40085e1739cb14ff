//! Reads records and protocol buffers without their schemas.

/// The data of each record of an event file, whose checksums are computed here bit by bit.
pub fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while !file.is_empty() {
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let crc = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!(crc(8), masked(&file[..8]));
        assert_eq!(crc(12 + length), masked(&file[12..12 + length]));
        out.push(file[12..12 + length].to_vec());
        file = &file[16 + length..];
    }
    out
}

fn masked(data: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Vec<u8>),
}

/// A message: its fields in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed(pub Vec<(u64, Field)>);

fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn try_parse(mut data: &[u8]) -> Option<Parsed> {
    let mut fields = Vec::new();
    let take = |data: &mut &[u8], n: usize| {
        let (taken, rest) = data.split_at_checked(n)?;
        *data = rest;
        Some(taken.to_vec())
    };
    while !data.is_empty() {
        let key = varint(&mut data)?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut data)?),
            1 => Field::Fixed64(u64::from_le_bytes(take(&mut data, 8)?.try_into().ok()?)),
            5 => Field::Fixed32(u32::from_le_bytes(take(&mut data, 4)?.try_into().ok()?)),
            2 => {
                let length = varint(&mut data)? as usize;
                Field::Bytes(take(&mut data, length)?)
            }
            _ => return None,
        };
        if key >> 3 == 0 {
            return None;
        }
        fields.push((key >> 3, field));
    }
    Some(Parsed(fields))
}

pub fn parse(data: &[u8]) -> Parsed {
    try_parse(data).unwrap()
}

impl Parsed {
    pub fn get(&self, number: u64) -> Option<&Field> {
        self.0.iter().find(|(n, _)| *n == number).map(|(_, field)| field)
    }

    pub fn message(&self, number: u64) -> Option<Parsed> {
        if let Field::Bytes(bytes) = self.get(number)? { try_parse(bytes) } else { None }
    }

    pub fn set(&mut self, number: u64, field: Field) {
        if let Some(entry) = self.0.iter_mut().find(|(n, _)| *n == number) {
            entry.1 = field;
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let push = |out: &mut Vec<u8>, mut value: u64| {
            while value >= 0x80 {
                out.push(value as u8 | 0x80);
                value >>= 7;
            }
            out.push(value as u8);
        };
        for (number, field) in &self.0 {
            match field {
                Field::Varint(value) => {
                    push(&mut out, number << 3);
                    push(&mut out, *value);
                }
                Field::Fixed64(value) => {
                    push(&mut out, number << 3 | 1);
                    out.extend(value.to_le_bytes());
                }
                Field::Fixed32(value) => {
                    push(&mut out, number << 3 | 5);
                    out.extend(value.to_le_bytes());
                }
                Field::Bytes(bytes) => {
                    push(&mut out, number << 3 | 2);
                    push(&mut out, bytes.len() as u64);
                    out.extend(bytes);
                }
            }
        }
        out
    }

    /// Takes the file out of an image's summary.
    pub fn take_picture(&mut self) -> Option<Vec<u8>> {
        let mut summary = self.message(5)?;
        let mut value = summary.message(1)?;
        let mut image = value.message(4)?;
        let Some(Field::Bytes(png)) = image.get(4).cloned() else { return None };
        image.0.retain(|(n, _)| *n != 4);
        value.set(4, Field::Bytes(image.bytes()));
        summary.set(1, Field::Bytes(value.bytes()));
        self.set(5, Field::Bytes(summary.bytes()));
        Some(png)
    }
}

/// The same fields, whose doubles may differ in their last digits: a histogram's sums, which NumPy asks BLAS for.
pub fn assert_close(ours: &Parsed, theirs: &Parsed, name: &str) {
    let sorted = |parsed: &Parsed| {
        let mut fields = parsed.0.clone();
        // The order of a map's entries is open.
        fields.sort_by_key(|(n, field)| (*n, if let Field::Bytes(bytes) = field { bytes.clone() } else { Vec::new() }));
        fields
    };
    let (ours, theirs) = (sorted(ours), sorted(theirs));
    let numbers = |fields: &[(u64, Field)]| fields.iter().map(|(n, _)| *n).collect::<Vec<_>>();
    assert_eq!(numbers(&ours), numbers(&theirs), "{name}: {ours:?} {theirs:?}");
    for ((number, a), (_, b)) in ours.iter().zip(&theirs) {
        match (a, b) {
            (a, b) if a == b => {}
            (Field::Fixed64(a), Field::Fixed64(b)) => close(f64::from_bits(*a), f64::from_bits(*b), name),
            (Field::Bytes(a), Field::Bytes(b)) => match (try_parse(a), try_parse(b)) {
                (Some(a), Some(b)) if a.0.len() == b.0.len() => assert_close(&a, &b, name),
                _ => {
                    assert_eq!(a.len(), b.len(), "{name}, field {number}");
                    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
                        close(f64::from_le_bytes(*a), f64::from_le_bytes(*b), name);
                    }
                }
            },
            _ => panic!("{name}, field {number}: {a:?} {b:?}"),
        }
    }
}

fn close(a: f64, b: f64, name: &str) {
    assert!((a - b).abs() <= 1e-12 * b.abs().max(1e-300) || a.to_bits() == b.to_bits(), "{name}: {a:e} {b:e}");
}
