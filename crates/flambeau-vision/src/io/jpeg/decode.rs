//! A JPEG file's frame and samples: sequential and progressive, of 8 bits.

use super::bits::{Bits, Huffman};
use super::scan::{Component, Scan, ZIGZAG};
use super::standard;
use super::transform::{Plane, inverse};

/// What a file holds, before its colours are converted.
pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    /// A plane of the picture's size for each component: 1, 3 or 4.
    pub planes: Vec<Vec<u8>>,
    /// What Adobe's marker says of the colours.
    pub adobe: Option<u8>,
    /// Whether there is a JFIF marker.
    pub jfif: bool,
    /// Whether the components are called R, G and B.
    pub named_rgb: bool,
    /// The EXIF data.
    pub exif: Vec<u8>,
}

type Outcome<T> = Result<T, String>;

#[derive(Default)]
struct Tables {
    quantizers: [Option<[u16; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    restart: usize,
}

struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    units: [usize; 2],
    components: Vec<Component>,
}

fn truncated() -> String {
    "Image is incomplete or truncated".to_owned()
}

/// Reads a file that starts with FF D8.
pub(super) fn read(data: &[u8]) -> Outcome<Picture> {
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    let (mut adobe, mut jfif, mut exif) = (None, false, Vec::new());
    let (mut at, mut scans) = (2, 0);
    loop {
        // Whatever is between segments is passed over, as libjpeg does.
        let rest = data.get(at..).ok_or_else(truncated)?;
        let next = rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] != 0xff && pair[1] != 0);
        at += next.ok_or_else(truncated)?;
        let marker = data[at + 1];
        at += 2;
        if marker == 0xd9 {
            break;
        }
        match marker {
            0x01 | 0xd0..=0xd7 => continue,
            0xd8 => return Err("Invalid JPEG file structure: two SOI markers".into()),
            0xc0..=0xcf | 0xda..=0xdd | 0xe0..=0xef | 0xfe => {}
            _ => return Err(format!("Unsupported marker type 0x{marker:02x}")),
        }
        let length = data.get(at..at + 2).map(|b| usize::from(b[0]) << 8 | usize::from(b[1])).ok_or_else(truncated)?;
        let segment = data.get(at + 2..at + length).ok_or_else(truncated)?;
        at += length;
        match marker {
            0xdb => tables.quantizer(segment)?,
            0xc4 => tables.huffman(segment)?,
            0xdd => {
                tables.restart =
                    segment.get(..2).map(|b| usize::from(b[0]) << 8 | usize::from(b[1])).ok_or_else(truncated)?
            }
            0xc0..=0xc2 if frame.is_none() => frame = Some(Frame::new(segment, marker == 0xc2, data.len())?),
            0xc0..=0xcb | 0xcd..=0xcf => return Err("Unsupported JPEG process".into()),
            0xe0 => jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0"),
            0xe1 if segment.starts_with(b"Exif\0\0") => exif = segment.to_vec(),
            0xee if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
            0xda => {
                let frame = frame.as_mut().ok_or("Invalid JPEG file structure: SOS before SOF")?;
                if scans == 0 && !frame.progressive {
                    tables.complete();
                }
                scans += 1;
                let scan = frame.scan(segment, &tables)?;
                let mut bits = Bits::new(data, at);
                scan.read(&mut bits, &mut frame.components, frame.units)?;
                at = bits.end();
            }
            _ => {}
        }
    }
    let frame = frame.ok_or("Invalid JPEG file structure: no picture")?;
    if scans == 0 {
        return Err("Invalid JPEG file structure: missing SOS marker".into());
    }
    let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
    let (width, height) = (frame.width, frame.height);
    Ok(Picture { width, height, planes: frame.planes()?, adobe, jfif, named_rgb: ids == *b"RGB", exif })
}

impl Tables {
    /// The standard's Huffman codes where a file has none, as libjpeg-turbo takes them for frames of Motion JPEG.
    fn complete(&mut self) {
        for (i, (dc, ac)) in standard::codes().into_iter().enumerate() {
            self.dc[i] = self.dc[i].take().or(dc);
            self.ac[i] = self.ac[i].take().or(ac);
        }
    }

    fn quantizer(&mut self, mut segment: &[u8]) -> Outcome<()> {
        while let Some((&head, rest)) = segment.split_first() {
            let wide = usize::from(head >> 4 > 0) + 1;
            let (values, after) = rest.split_at_checked(64 * wide).ok_or_else(truncated)?;
            let mut table = [0; 64];
            for (place, value) in ZIGZAG.iter().zip(values.chunks_exact(wide)) {
                table[*place] = value.iter().fold(0, |v, &b| v << 8 | u16::from(b));
            }
            *self.quantizers.get_mut(usize::from(head & 15)).ok_or("Bogus DQT index")? = Some(table);
            segment = after;
        }
        Ok(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Outcome<()> {
        while let Some((&head, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(truncated)?;
            let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
            let (symbols, after) = rest.split_at_checked(total).ok_or_else(truncated)?;
            let tables = if head & 0x10 == 0 { &mut self.dc } else { &mut self.ac };
            let index = usize::from(head & !0x10);
            let slot = tables.get_mut(index).ok_or_else(|| format!("Bogus DHT index {index}"))?;
            *slot = Some(Huffman::new(counts, symbols).ok_or("Bogus Huffman table definition")?);
            segment = after;
        }
        Ok(())
    }
}

impl Frame {
    fn new(segment: &[u8], progressive: bool, available: usize) -> Outcome<Self> {
        let (&[precision, h1, h0, w1, w0, count], parts) = segment.split_first_chunk().ok_or_else(truncated)?;
        let (width, height) = (usize::from(w1) << 8 | usize::from(w0), usize::from(h1) << 8 | usize::from(h0));
        if precision != 8 {
            return Err(format!("Unsupported JPEG data precision {precision}"));
        }
        if width == 0 || height == 0 || ![1, 3, 4].contains(&count) || parts.len() < 3 * usize::from(count) {
            return Err("Empty JPEG image (DNL not supported), or an unsupported number of components".into());
        }
        let parts = &parts.as_chunks::<3>().0[..usize::from(count)];
        let factors = |part: &[u8; 3]| [usize::from(part[1] >> 4), usize::from(part[1] & 15)];
        if parts.iter().flat_map(factors).any(|n| !(1..=4).contains(&n)) {
            return Err("Bogus sampling factors".into());
        }
        let most = |axis: usize| parts.iter().map(|part| factors(part)[axis]).max().unwrap_or(1);
        let [most_x, most_y] = [most(0), most(1)];
        let units = [width.div_ceil(8 * most_x), height.div_ceil(8 * most_y)];
        // Each block takes a bit at least: a header alone cannot claim much memory.
        let blocks: usize =
            parts.iter().map(|part| units[0] * units[1] * factors(part).iter().product::<usize>()).sum();
        if blocks > 8 * available {
            return Err(truncated());
        }
        let component = |part: &[u8; 3]| {
            let [across, down] = factors(part);
            let (row, rows) = (units[0] * across, units[1] * down);
            Component {
                id: part[0],
                across,
                down,
                quantizer: usize::from(part[2]),
                latched: None,
                row,
                rows,
                width: (width * across).div_ceil(most_x),
                height: (height * down).div_ceil(most_y),
                coefficients: vec![0; row * rows * 64],
            }
        };
        Ok(Frame { width, height, progressive, units, components: parts.iter().map(component).collect() })
    }

    fn scan<'a>(&mut self, segment: &[u8], tables: &'a Tables) -> Outcome<Scan<'a>> {
        let (&count, rest) = segment.split_first().ok_or_else(truncated)?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or("Bogus marker length")?;
        let &[start, end, bits] = rest else { return Err("Bogus marker length".into()) };
        let part = |pair: &[u8; 2]| {
            let index = self.components.iter().position(|c| c.id == pair[0]).ok_or("Invalid component ID in SOS")?;
            let table = |tables: &'a [Option<Huffman>; 4], i: u8| tables.get(usize::from(i)).and_then(Option::as_ref);
            Ok((index, table(&tables.dc, pair[1] >> 4), table(&tables.ac, pair[1] & 15)))
        };
        let parts: Vec<_> = parts.as_chunks::<2>().0.iter().map(part).collect::<Outcome<_>>()?;
        let (band, high, low) = if self.progressive {
            ([usize::from(start), usize::from(end)], u32::from(bits >> 4), u32::from(bits & 15))
        } else {
            ([0, 63], 0, 0)
        };
        // A scan refines by one bit.
        let refines = high == 0 || low + 1 == high;
        let sound = refines && band[0] <= band[1] && band[1] < 64 && low <= 13 && (1..=4).contains(&parts.len());
        // Progressive scans have the first coefficients alone, or others of one component.
        if !sound || self.progressive && (band[0] == 0) != (band[1] == 0) || band[0] > 0 && parts.len() != 1 {
            return Err(format!("Invalid progressive/lossless parameters Ss={start} Se={end} Ah={high} Al={low}"));
        }
        // A component's quantizer is the one at its first scan, whatever comes later under the same number.
        for &(index, ..) in &parts {
            let component = &mut self.components[index];
            if component.latched.is_none() {
                let number = component.quantizer;
                let table = tables.quantizers.get(number).copied().flatten();
                component.latched =
                    Some(table.ok_or_else(|| format!("Quantization table 0x{number:02x} was not defined"))?);
            }
        }
        Ok(Scan { parts, progressive: self.progressive, band, high, low, restart: tables.restart })
    }

    /// The samples of each component, enlarged to the picture.
    fn planes(self) -> Outcome<Vec<Vec<u8>>> {
        let most = |f: fn(&Component) -> usize| self.components.iter().map(f).max().unwrap_or(1);
        let (most_x, most_y) = (most(|c| c.across), most(|c| c.down));
        let mut planes = Vec::new();
        for component in &self.components {
            // What no scan has is grey.
            let quantizer = &component.latched.unwrap_or([0; 64]);
            if most_x % component.across != 0 || most_y % component.down != 0 {
                return Err("Fractional sampling not implemented yet".into());
            }
            let line = 8 * component.row;
            let mut samples = vec![0; line * 8 * component.rows];
            for (i, block) in component.coefficients.chunks_exact(64).enumerate() {
                let (x, y) = (i % component.row * 8, i / component.row * 8);
                for (row, values) in inverse(block, quantizer).chunks_exact(8).enumerate() {
                    samples[(y + row) * line + x..][..8].copy_from_slice(values);
                }
            }
            let (width, height) = (component.width, component.height);
            let values = (0..height).flat_map(|y| &samples[y * line..][..width]).copied().collect();
            let plane = Plane { width, height, values };
            planes.push(plane.enlarged(most_x / component.across, most_y / component.down, self.width, self.height));
        }
        Ok(planes)
    }
}
