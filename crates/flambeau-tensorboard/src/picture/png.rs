//! PNG files of 8 bits a channel.

use super::Picture;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The file of a picture: each row as differences to the pixel on its left, or to the row above, whichever is smaller.
pub(super) fn encode(picture: &Picture) -> Vec<u8> {
    let Picture { height, width, channels, data } = picture;
    let color = [0, 4, 2, 6][channels - 1];
    let mut header = Vec::new();
    header.extend((*width as u32).to_be_bytes());
    header.extend((*height as u32).to_be_bytes());
    header.extend([8, color, 0, 0, 0]);
    let mut out = SIGNATURE.to_vec();
    chunk(&mut out, *b"IHDR", &header);
    chunk(&mut out, *b"IDAT", &compressed(data, width * channels, *channels));
    chunk(&mut out, *b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend((data.len() as u32).to_be_bytes());
    let from = out.len();
    out.extend(kind);
    out.extend(data);
    out.extend(crc32fast::hash(&out[from..]).to_be_bytes());
}

fn compressed(data: &[u8], row: usize, pixel: usize) -> Vec<u8> {
    let mut filtered = Vec::with_capacity(data.len() + data.len() / row.max(1));
    let mut above = vec![0; row];
    for line in data.chunks_exact(row.max(1)) {
        let left: Vec<u8> =
            line.iter().enumerate().map(|(i, x)| x.wrapping_sub(if i < pixel { 0 } else { line[i - pixel] })).collect();
        let up: Vec<u8> = line.iter().zip(&above).map(|(x, above)| x.wrapping_sub(*above)).collect();
        let size = |bytes: &[u8]| bytes.iter().map(|&x| u64::from((x as i8).unsigned_abs())).sum::<u64>();
        let (filter, bytes) = if size(&left) <= size(&up) { (1, left) } else { (2, up) };
        filtered.push(filter);
        filtered.extend(bytes);
        above.copy_from_slice(line);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // A vector takes whatever is written.
    encoder.write_all(&filtered).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Height, width and number of channels, as the header tells them.
pub(super) fn size(file: &[u8]) -> Option<(usize, usize, usize)> {
    let rest = file.strip_prefix(&SIGNATURE)?;
    let header = rest.get(8..21).filter(|_| rest.get(4..8) == Some(b"IHDR"))?;
    let number = |at: usize| header[at..at + 4].iter().fold(0, |n, &byte| n << 8 | usize::from(byte));
    let channels = match header[9] {
        0 => 1,
        4 => 2,
        2 | 3 => 3,
        6 => 4,
        _ => return None,
    };
    Some((number(4), number(0), channels))
}
