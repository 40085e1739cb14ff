//! Sounds.

use crate::wire::Message;
use crate::{SummaryWriter, Values};
use flambeau_autograd::arguments::OptInt;
use flambeau_tensor::DType;

flambeau_autograd::options! {
    /// Options of [`SummaryWriter::add_audio_with`] under PyTorch's names.
    #[derive(Clone, Copy, Debug)]
    AudioOptions {
        /// Samples per second. Default: 44100.
        sample_rate: i64 = 44100,
        /// Seconds since 1970, in the place of the present time. Default: none.
        walltime: Option<f64> = None,
    }
}

/// A WAV file of one channel of 16-bit samples.
fn wav(samples: &[i16], rate: i64) -> Vec<u8> {
    let (size, rate) = (samples.len() as u32 * 2, u32::try_from(rate).unwrap_or(0));
    let mut out = Vec::with_capacity(44 + samples.len() * 2);
    out.extend(b"RIFF");
    out.extend((36 + size).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    // PCM, one channel.
    out.extend([1, 0, 1, 0]);
    out.extend(rate.to_le_bytes());
    out.extend((rate.wrapping_mul(2)).to_le_bytes());
    // Two bytes a frame, 16 bits a sample.
    out.extend([2, 0, 16, 0]);
    out.extend(b"data");
    out.extend(size.to_le_bytes());
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    out
}

impl SummaryWriter {
    /// Adds a sound, numbers from −1 to 1 of shape (1, L): `writer.add_audio(tag, snd_tensor, global_step)`.
    ///
    /// # Panics
    /// When there are several channels.
    #[track_caller]
    pub fn add_audio(&self, tag: &str, sound: impl Values, global_step: impl OptInt) {
        self.add_audio_with(tag, sound, global_step, |o| o);
    }

    /// [`SummaryWriter::add_audio`] with PyTorch's keywords: `sample_rate`, `walltime`.
    ///
    /// # Panics
    /// When there are several channels.
    #[track_caller]
    pub fn add_audio_with(
        &self,
        tag: &str,
        sound: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(AudioOptions) -> AudioOptions,
    ) {
        let o = options(AudioOptions::default());
        let sound = sound.numbers();
        if sound.data.iter().any(|x| x.abs() > 1.0) {
            println!("warning: audio amplitude out of range, auto clipped.");
        }
        let dims = sound.shape.iter().filter(|&&n| n != 1).count();
        assert!(dims == 1, "input tensor should be 1 dimensional.");
        // NumPy multiplies in the array's own precision.
        let scale = |x: f64| match sound.dtype {
            DType::F64 => x.clamp(-1.0, 1.0) * 32767.0,
            _ => f64::from(x.clamp(-1.0, 1.0) as f32 * 32767.0),
        };
        let samples: Vec<i16> = sound.data.iter().map(|&x| scale(x) as i16).collect();
        let audio = Message::new()
            .float(1, o.sample_rate as f32)
            .int(2, 1)
            .int(3, samples.len() as i64)
            .bytes(4, wav(&samples, o.sample_rate))
            .bytes(5, "audio/wav");
        self.add_summary([Message::new().bytes(1, tag).message(6, audio)], global_step, o.walltime);
    }
}
