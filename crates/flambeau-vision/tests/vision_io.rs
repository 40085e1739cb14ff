//! Image files against torchvision and Pillow: goldens/io.py.

mod common;

use common::{base64, difference, golden, read_cases, tensor};
use flambeau_vision::io;
use flambeau_vision::transforms::Sample;
use flambeau_vision::{Image, Mode};
use torch::Tensor;

fn bytes_of(data: &[u8]) -> Tensor {
    torch::from_vec(data.to_vec(), [data.len()])
}

/// The largest distance of two tensors of one shape.
fn distance(a: &Tensor, b: &Tensor) -> i64 {
    a.to(torch::int64).sub(b.to(torch::int64)).abs().max().item() as i64
}

#[test]
fn files_are_read_as_torchvision_and_pillow_read_them() {
    let mut failures = Vec::new();
    let cases = read_cases(&golden("io.json.gz"));
    for case in &cases {
        let kind = case["kind"].as_str().unwrap();
        let file = base64(case["file"].as_str().unwrap());
        let exif = case["exif"].as_bool().unwrap();
        for (mode, stored) in case["modes"].as_object().unwrap() {
            let found = io::decode_image_with(bytes_of(&file), |o| o.mode(mode.as_str()).apply_exif_orientation(exif));
            let what = match (found, stored["error"].as_str()) {
                (Err(error), Some(wanted)) => (!error.to_string().contains(wanted)).then(|| error.to_string()),
                (Err(error), None) => Some(error.to_string()),
                (Ok(_), Some(wanted)) => Some(format!("no error, expected {wanted}")),
                (Ok(x), None) => {
                    let wanted = tensor(stored);
                    if x.size() != wanted.size() || x.dtype() != wanted.dtype() {
                        Some(format!("{} {}, expected {} {}", x.dtype(), x.size(), wanted.dtype(), wanted.size()))
                    } else {
                        let far = distance(&x, &wanted);
                        (far > 0).then(|| format!("off by {far}"))
                    }
                }
            };
            failures.extend(what.map(|what| format!("{kind} {mode}: {what}")));
        }
        if case["pil"].is_object() {
            let image = Image::decode(&file).unwrap();
            failures.extend(
                difference(&Sample::Image(image), &case["pil"], 0.0, false, 0.0)
                    .map(|what| format!("{kind} PIL: {what}")),
            );
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn picture(channels: i64) -> Tensor {
    let x = torch::linspace(0, 6, 40).sin().unsqueeze(0);
    let y = torch::linspace(0, 5, 30).cos().unsqueeze(1);
    let waves: Vec<Tensor> = (1..=channels).map(|k| (x.mul(k) / k + &y).mul(60).add(127)).collect();
    torch::stack(waves, 0).clamp(0, 255).to(torch::uint8)
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.file");
    for channels in [1, 3] {
        let x = picture(channels);
        for level in [0, 1, 6, 9] {
            io::write_png_with(&x, &path, |o| o.compression_level(level)).unwrap();
            assert!(io::read_image(&path).unwrap().equal(&x), "{channels} channels, level {level}");
        }
        for (quality, far) in [(30, 40), (75, 25), (100, 12)] {
            io::write_jpeg_with(&x, &path, |o| o.quality(quality)).unwrap();
            let back = io::read_image(&path).unwrap();
            assert!(distance(&back, &x) <= far, "{channels} channels, quality {quality}: {}", distance(&back, &x));
        }
    }
    let size = |quality: i64| io::encode_jpeg_with(picture(3), |o| o.quality(quality)).unwrap().len();
    assert!(size(20) < size(60) && size(60) < size(95));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["image.file"], "no temporary file is left");

    let image = Image::new(Mode::RGBA, (2, 2), (0..16).collect());
    image.save(folder.path().join("a.png")).unwrap();
    assert_eq!(Image::open(folder.path().join("a.png")).unwrap(), image);
    assert!(image.save(folder.path().join("a.gif")).unwrap_err().to_string().contains("unknown file extension: .gif"));
    let alpha = image.save(folder.path().join("a.jpg")).unwrap_err().to_string();
    assert_eq!(alpha, "cannot write mode RGBA as JPEG");
    image.convert(Mode::RGB).save(folder.path().join("a.jpg")).unwrap();
    assert_eq!(Image::open(folder.path().join("a.jpg")).unwrap().mode(), Mode::RGB);
}

#[test]
fn wrong_tensors_and_files_are_told() {
    let u8s = |shape: &[i64]| torch::zeros_with(shape, |o| o.dtype(torch::uint8));
    let message = |result: flambeau_vision::Result<Tensor>| result.unwrap_err().to_string();
    assert_eq!(message(io::encode_png(torch::zeros([3, 2, 2]))), "Input tensor dtype should be uint8");
    assert_eq!(message(io::encode_png(u8s(&[2, 2]))), "Input data should be a 3-dimensional tensor");
    assert_eq!(message(io::encode_jpeg(u8s(&[2, 2, 2]))), "The number of channels should be 1 or 3, got: 2");
    let level = message(io::encode_png_with(u8s(&[1, 2, 2]), |o| o.compression_level(10)));
    assert_eq!(level, "Compression level should be between 0 and 9");
    let quality = message(io::encode_jpeg_with(u8s(&[1, 2, 2]), |o| o.quality(0)));
    assert_eq!(quality, "Image quality should be a positive number between 1 and 100");
    assert_eq!(message(io::decode_png(u8s(&[9]))), "Content is not png!");
    assert_eq!(message(io::decode_jpeg(u8s(&[9]))), "Not a JPEG file: starts with 0x00 0x00");
    assert!(message(io::decode_image(u8s(&[0]))).contains("non-empty"));
    assert!(message(io::decode_image(u8s(&[40]))).starts_with("Unsupported image file."));
    let whole = io::encode_jpeg(picture(3)).unwrap();
    assert_eq!(message(io::decode_jpeg(whole.narrow(0, 0, 300))), "Image is incomplete or truncated");
    assert!(message(io::read_file("/no/such/file")).starts_with("/no/such/file: "));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.png");
    std::fs::write(&path, "no picture").unwrap();
    assert!(message(io::read_image(&path)).contains("x.png: corrupt file: Unsupported image file"));
    assert!(io::write_file(folder.path().join("no/folder"), u8s(&[3])).is_err());
}

/// No damage makes the readers panic, or take much memory.
#[test]
fn damaged_files_are_errors() {
    let png = io::encode_png(picture(3).i((.., ..6, ..7))).unwrap().to_vec::<u8>();
    let jpeg = io::encode_jpeg(picture(3).i((.., ..9, ..10))).unwrap().to_vec::<u8>();
    let golden_files = read_cases(&golden("io.json.gz"));
    let golden_file = |kind: &str| {
        let case = golden_files.iter().find(|case| case["kind"] == kind).unwrap();
        base64(case["file"].as_str().unwrap())
    };
    let others = ["jpeg progressive", "jpeg grey", "jpeg 20 1", "png palette 4 bits", "png interlaced", "png LA"]
        .map(golden_file);
    let mut read = 0;
    for good in [png, jpeg].into_iter().chain(others) {
        for at in 0..good.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= bits;
                read += usize::from(Image::decode(&bad).is_ok());
            }
            let _ = Image::decode(&good[..at]);
        }
    }
    assert!(read > 0, "a JPEG with another coefficient is one still");
    let huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0";
    assert!(Image::decode(huge).is_err());
}

/// The checksum of a picture's bytes, as zlib's crc32.
fn checksum(x: &Tensor) -> u64 {
    let mut crc = flate2::Crc::new();
    crc.update(&x.contiguous().to_vec::<u8>());
    u64::from(crc.sum())
}

/// What libjpeg makes of markers that contradict each other, of missing tables and of damaged scans: goldens/damaged.py.
#[test]
fn damaged_jpegs_are_read_as_far_as_libjpeg_reads_them() {
    let read = |data: &[u8]| io::decode_jpeg_with(bytes_of(data), |o| o.mode("RGB"));
    let mut failures = Vec::new();
    let mut flips = 0;
    for case in read_cases(&golden("damaged.json.gz")) {
        let (kind, file) = (case["kind"].as_str().unwrap(), base64(case["file"].as_str().unwrap()));
        match (read(&file), case["error"].as_str()) {
            (Ok(x), None) if Some(checksum(&x)) == case["sum"].as_u64() => {}
            (Err(error), Some(wanted)) if wanted.ends_with(&error.to_string()) => {}
            (found, _) => failures.push(format!("{kind}: {:?}", found.map(|x| x.size().to_string()))),
        }
        for flip in case["flips"].as_array().into_iter().flatten() {
            let (at, bits) = (flip[0].as_u64().unwrap() as usize, flip[1].as_u64().unwrap() as u8);
            let mut bad = file.clone();
            bad[at] ^= bits;
            let found = read(&bad).map(|x| checksum(&x));
            flips += 1;
            if found.as_ref().ok().copied() != flip[2].as_u64() {
                failures.push(format!("{kind} {at} {bits:02x}: {:?}, expected {}", found, flip[2]));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures, {flips} flips:\n{}", failures.len(), failures.join("\n"));
}

/// A PNG of so many bytes whose header promises more than they can hold.
#[test]
fn a_png_cannot_promise_more_than_its_bytes_hold() {
    let mut data = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], content: &[u8]| {
        data.extend((content.len() as u32).to_be_bytes());
        let start = data.len();
        data.extend(kind);
        data.extend(content);
        let mut crc = flate2::Crc::new();
        crc.update(&data[start..]);
        data.extend(crc.sum().to_be_bytes());
    };
    // 90000 × 90000 pixels of four times 16 bits: 65 GB.
    chunk(b"IHDR", &[0, 1, 0x5f, 0x90, 0, 1, 0x5f, 0x90, 16, 6, 0, 0, 0]);
    chunk(b"IDAT", &vec![0; 1_000_000]);
    chunk(b"IEND", &[]);
    let error = io::decode_png(bytes_of(&data)).unwrap_err().to_string();
    assert!(error.contains("Out of bound read in decode_png"), "{error}");
}
