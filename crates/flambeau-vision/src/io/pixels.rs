//! Pixels between a file and a tensor or image.

use super::ImageReadMode;
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use flambeau_autograd::{Tensor, from_vec};
use flambeau_tensor::DType;

/// Rows of pixels of 1 (grey), 2 (and alpha), 3 (RGB) or 4 (RGBA) channels.
pub(super) struct Pixels {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub values: Vec<u16>,
    /// 8 or 16.
    pub bits: u8,
    /// How a camera was held, as EXIF numbers it from 1 to 8; 1 where nothing is said.
    pub orientation: u8,
}

impl Pixels {
    /// Those of bytes, in rows.
    pub fn of_bytes(width: usize, height: usize, channels: usize, bytes: &[u8]) -> Self {
        let values = bytes.iter().map(|&v| u16::from(v)).collect();
        Pixels { width, height, channels, values, bits: 8, orientation: 1 }
    }

    /// Those of a tensor `[1 or 3, h, w]` of bytes.
    pub fn of_tensor(x: &Tensor) -> Result<Self> {
        Self::of_channels(x, &[1, 3])
    }

    /// Those of a tensor `[c, h, w]` of bytes, for some numbers of channels.
    pub fn of_channels(x: &Tensor, wanted: &[usize]) -> Result<Self> {
        if x.dtype() != DType::U8 {
            return Err(Error::Value("Input tensor dtype should be uint8".into()));
        }
        if x.dim() != 3 {
            return Err(Error::Value("Input data should be a 3-dimensional tensor".into()));
        }
        let [channels, height, width]: [usize; 3] = x.sizes();
        if !wanted.contains(&channels) {
            return Err(Error::Value(format!("The number of channels should be 1 or 3, got: {channels}")));
        }
        let bytes = x.permute([1, 2, 0]).contiguous().to_vec::<u8>();
        Ok(Pixels::of_bytes(width, height, channels, &bytes))
    }

    /// Those of an image.
    pub fn of_image(image: &Image) -> Self {
        Pixels::of_bytes(image.width(), image.height(), image.bands(), image.pixels())
    }

    /// The values as bytes; of 16 bits the upper 8.
    pub fn bytes(&self) -> Vec<u8> {
        let shift = self.bits - 8;
        self.values.iter().map(|&v| (v >> shift) as u8).collect()
    }

    /// A tensor `[c, h, w]`, of bytes or, for 16 bits, int32.
    pub fn into_tensor(self) -> Tensor {
        let shape = [self.height, self.width, self.channels];
        let x = if self.bits == 8 {
            from_vec(self.bytes(), shape)
        } else {
            from_vec(self.values.iter().map(|&v| i32::from(v)).collect::<Vec<_>>(), shape)
        };
        x.permute([2, 0, 1])
    }

    /// An image; grey with alpha becomes RGBA.
    pub fn into_image(self) -> Image {
        let pixels = if self.channels == 2 { self.converted(ImageReadMode::RgbAlpha) } else { self };
        let mode = Mode::of_bands(pixels.channels).unwrap_or(Mode::L);
        Image::new(mode, (pixels.width, pixels.height), pixels.bytes())
    }

    /// With the channels of a mode.
    pub fn converted(self, mode: ImageReadMode) -> Self {
        let white = if self.bits == 8 { 255 } else { u16::MAX };
        let has_alpha = self.channels == 2 || self.channels == 4;
        let (colours, alpha) = match mode {
            ImageReadMode::Unchanged => return self,
            ImageReadMode::Gray => (1, false),
            ImageReadMode::GrayAlpha => (1, true),
            ImageReadMode::Rgb => (3, false),
            ImageReadMode::RgbAlpha => (3, true),
        };
        let channels = colours + usize::from(alpha);
        let mut values = Vec::with_capacity(self.width * self.height * channels);
        for pixel in self.values.chunks_exact(self.channels) {
            match (self.channels >= 3, colours) {
                (true, 3) => values.extend(&pixel[..3]),
                (true, _) => values.push(luma(pixel, self.bits)),
                (false, n) => values.extend(std::iter::repeat_n(pixel[0], n)),
            }
            if alpha {
                values.push(if has_alpha { pixel[self.channels - 1] } else { white });
            }
        }
        Pixels { channels, values, ..self }
    }
}

/// libpng's grey of a colour, with torchvision's weights 0.2989 and 0.587 in 15-bit fixed point; cut at 8 bits, rounded at 16.
fn luma(pixel: &[u16], bits: u8) -> u16 {
    const RED: u32 = 9794;
    const GREEN: u32 = 19234;
    let [r, g, b] = [0, 1, 2].map(|i| u32::from(pixel[i]));
    let sum = RED * r + GREEN * g + (32768 - RED - GREEN) * b;
    ((sum + if bits == 16 { 16384 } else { 0 }) >> 15) as u16
}
