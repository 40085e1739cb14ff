//! The files of MNIST and FashionMNIST: their names, mirrors and checksums, and how to find, download and load them.

use std::path::{Path, PathBuf};

use super::download::{self, Options, RemoteFile};
use super::idx::{self, Idx};
use crate::error::{Error, Result};

/// The side of an image in pixels.
pub const SIDE: usize = 28;
/// The number of classes.
pub const CLASSES: usize = 10;

/// One half of a data set, images and labels: as `torchvision.datasets.MNIST(train=…)` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Split {
    images: RemoteFile,
    labels: RemoteFile,
}

/// Where a data set in MNIST's format comes from.
#[derive(Debug)]
pub struct MnistFiles {
    name: &'static str,
    mirrors: &'static [&'static str],
    train: Split,
    test: Split,
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte.gz";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte.gz";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte.gz";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte.gz";

/// Handwritten digits (LeCun, Cortes, Burges): 60,000 train and 10,000 test images. Mirrors and checksums as in
/// `torchvision.datasets.MNIST`.
pub static MNIST: MnistFiles = MnistFiles {
    name: "MNIST",
    mirrors: &["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"],
    train: Split {
        images: RemoteFile { name: TRAIN_IMAGES, md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873" },
        labels: RemoteFile { name: TRAIN_LABELS, md5: "d53e105ee54ea40749a09fcbcd1e9432" },
    },
    test: Split {
        images: RemoteFile { name: TEST_IMAGES, md5: "9fb629c4189551a2d022fa330f9573f3" },
        labels: RemoteFile { name: TEST_LABELS, md5: "ec29112dd5afa0611ce80d1b7f02629c" },
    },
};

/// Pictures of clothes (Zalando Research), with MNIST's sizes and file names. Mirror and checksums as in
/// `torchvision.datasets.FashionMNIST`.
pub static FASHION_MNIST: MnistFiles = MnistFiles {
    name: "FashionMNIST",
    mirrors: &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    train: Split {
        images: RemoteFile { name: TRAIN_IMAGES, md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d" },
        labels: RemoteFile { name: TRAIN_LABELS, md5: "25c81989df183df01b3e8a0aad5dffbe" },
    },
    test: Split {
        images: RemoteFile { name: TEST_IMAGES, md5: "bef4ecab320f06d8554ea6380940ec79" },
        labels: RemoteFile { name: TEST_LABELS, md5: "bb300cfdad3c16e7a12a480ee83cd310" },
    },
};

/// Characters of old Japanese (Clanuwat et al.), with MNIST's sizes and file names. Mirror and checksums as in
/// `torchvision.datasets.KMNIST`.
pub static KMNIST: MnistFiles = MnistFiles {
    name: "KMNIST",
    mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
    train: Split {
        images: RemoteFile { name: TRAIN_IMAGES, md5: "bdb82020997e1d708af4cf47b453dcf7" },
        labels: RemoteFile { name: TRAIN_LABELS, md5: "e144d726b3acfaa3e44228e80efcd344" },
    },
    test: Split {
        images: RemoteFile { name: TEST_IMAGES, md5: "5c965bf0a639b31b8f53240b1b52f4d7" },
        labels: RemoteFile { name: TEST_LABELS, md5: "7320c461ea6c1c855c0b718fb2a4b134" },
    },
};

/// MNIST with what the census knew about each digit (Yadav, Bottou). Mirror and checksums as in
/// `torchvision.datasets.QMNIST`.
pub static QMNIST: MnistFiles = MnistFiles {
    name: "QMNIST",
    mirrors: &["https://raw.githubusercontent.com/facebookresearch/qmnist/master/"],
    train: Split {
        images: RemoteFile { name: "qmnist-train-images-idx3-ubyte.gz", md5: "ed72d4157d28c017586c42bc6afe6370" },
        labels: RemoteFile { name: "qmnist-train-labels-idx2-int.gz", md5: "0058f8dd561b90ffdd0f734c6a30e5e4" },
    },
    test: Split {
        images: RemoteFile { name: "qmnist-test-images-idx3-ubyte.gz", md5: "1394631089c404de565df7b7aeaf9412" },
        labels: RemoteFile { name: "qmnist-test-labels-idx2-int.gz", md5: "5b5b05890a5e13444e108efe57b788aa" },
    },
};

/// The two files of one half of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitPaths {
    /// The file of the images.
    pub images: PathBuf,
    /// The file of the labels.
    pub labels: PathBuf,
}

/// Images with their labels, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImages {
    /// Grey values, 0 (paper) to 255 (ink), image by image, row by row: [`SIDE`]`²` bytes each.
    pub pixels: Vec<u8>,
    /// One label below [`CLASSES`] for each image.
    pub labels: Vec<u8>,
}

impl MnistFiles {
    /// The data set's name, which is also its folder's below a torchvision root.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn split(&self, train: bool) -> &Split {
        if train { &self.train } else { &self.test }
    }

    /// Where torchvision keeps the files below `root`: `root/NAME/raw`.
    pub fn raw_folder(&self, root: impl AsRef<Path>) -> PathBuf {
        root.as_ref().join(self.name).join("raw")
    }

    /// Finds the train or test files below `root` without a network: in torchvision's `root/NAME/raw`, else in `root`
    /// itself; unpacked, else as `.gz`. Their checksums are not looked at, so that a folder may hold a subset.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no folder has both files; it names the missing ones.
    pub fn find(&self, root: impl AsRef<Path>, train: bool) -> Result<SplitPaths> {
        let root = root.as_ref();
        let split = self.split(train);
        let folders = [self.raw_folder(root), root.to_owned()];
        for folder in &folders {
            if let (Some(images), Some(labels)) = (stored(folder, &split.images), stored(folder, &split.labels)) {
                return Ok(SplitPaths { images, labels });
            }
        }
        // Both are named if each is there, but in another folder.
        let absent = |file: &RemoteFile| folders.iter().all(|folder| stored(folder, file).is_none());
        let pair = [&split.images, &split.labels];
        let any = pair.into_iter().any(absent);
        let missing: Vec<&str> = pair.into_iter().filter(|file| !any || absent(file)).map(|file| file.name).collect();
        let [raw, root] = folders.map(|folder| folder.display().to_string());
        Err(Error::NotFound {
            what: format!("{}: {} (plain or .gz; looked in {raw} and {root})", self.name, missing.join(" and ")),
            hint: "Set download(true) to download them, or name a folder that has both".into(),
        })
    }

    /// The train or test files below `root`: those that [`find`](Self::find) finds, else downloaded into
    /// [`raw_folder`](Self::raw_folder) in the way that `options` say.
    ///
    /// # Errors
    /// As [`download::fetch_with`].
    pub fn find_or_download(&self, root: impl AsRef<Path>, train: bool, options: &Options) -> Result<SplitPaths> {
        let root = root.as_ref();
        if let Ok(paths) = self.find(root, train) {
            return Ok(paths);
        }
        let (split, folder) = (self.split(train), self.raw_folder(root));
        Ok(SplitPaths {
            images: download::fetch_with(&split.images, self.mirrors, &folder, options)?,
            labels: download::fetch_with(&split.labels, self.mirrors, &folder, options)?,
        })
    }
}

/// `file` in `folder`, unpacked or as `.gz`.
fn stored(folder: &Path, file: &RemoteFile) -> Option<PathBuf> {
    let plain = file.name.strip_suffix(".gz").unwrap_or(file.name);
    [plain, file.name].into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

impl SplitPaths {
    /// Reads and checks QMNIST's files, whose labels are rows of eight int32, of which the first is the class.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_census(&self) -> Result<LabelledImages> {
        let Idx { dims, data: pixels } = idx::read(&self.images)?;
        let &[count, SIDE, SIDE] = dims.as_slice() else {
            return Err(Error::corrupt(&self.images, format!("images of dimensions {dims:?}, expected [N, 28, 28]")));
        };
        let (dims, rows) = idx::read_ints(&self.labels)?;
        let (&[n, width] | &[n, width, ..]) = dims.as_slice() else {
            return Err(Error::corrupt(&self.labels, format!("labels of dimensions {dims:?}, expected [N, 8]")));
        };
        if n != count || width == 0 || dims.len() != 2 {
            return Err(Error::corrupt(&self.labels, format!("labels of dimensions {dims:?} for {count} images")));
        }
        let labels: Option<Vec<u8>> = rows.chunks_exact(width).map(|row| u8::try_from(row[0]).ok()).collect();
        let labels = labels.filter(|labels| labels.iter().all(|&label| usize::from(label) < CLASSES));
        let labels = labels.ok_or_else(|| Error::corrupt(&self.labels, "a label that is not 0 to 9"))?;
        Ok(LabelledImages { pixels, labels })
    }

    /// Reads and checks both files. The number of images is the one in their header.
    ///
    /// # Errors
    /// Those of [`idx::read`]; [`Error::CorruptFile`] if the images are not `N × 28 × 28`, if there are not as many
    /// labels, or if a label is not below 10.
    pub fn load(&self) -> Result<LabelledImages> {
        self.load_of(CLASSES)
    }

    /// [`load`](Self::load) with another number of classes.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_of(&self, classes: usize) -> Result<LabelledImages> {
        let Idx { dims, data: pixels } = idx::read(&self.images)?;
        let &[count, SIDE, SIDE] = dims.as_slice() else {
            return Err(Error::corrupt(&self.images, format!("images of dimensions {dims:?}, expected [N, 28, 28]")));
        };
        let Idx { dims, data: labels } = idx::read(&self.labels)?;
        if dims != [count] {
            let what = format!("labels of dimensions {dims:?} for {count} images, expected [{count}]");
            return Err(Error::corrupt(&self.labels, what));
        }
        if let Some((i, label)) = labels.iter().enumerate().find(|&(_, &label)| usize::from(label) >= classes) {
            let last = classes - 1;
            return Err(Error::corrupt(&self.labels, format!("label {label} at index {i}, expected 0 to {last}")));
        }
        Ok(LabelledImages { pixels, labels })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    /// A test split of one image in `folder`, under the given endings.
    fn write(folder: &Path, image: u8, endings: [&str; 2]) {
        fs::create_dir_all(folder).unwrap();
        let write = |name: &str, bytes| fs::write(folder.join(name), bytes).unwrap();
        write(&format!("t10k-images-idx3-ubyte{}", endings[0]), idx(&[1, 28, 28], &[image; 784]));
        write(&format!("t10k-labels-idx1-ubyte{}", endings[1]), idx(&[1], &[image]));
    }

    #[test]
    fn files_are_found_in_the_root_and_in_torchvisions_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, 1, ["", ".gz"]);
        let paths = MNIST.find(root, false).unwrap();
        assert_eq!(paths.images, root.join("t10k-images-idx3-ubyte"));
        assert_eq!(paths.labels, root.join("t10k-labels-idx1-ubyte.gz"));
        assert_eq!(paths.load().unwrap(), LabelledImages { pixels: vec![1; 784], labels: vec![1] });

        write(&root.join("FashionMNIST/raw"), 2, [".gz", ".gz"]);
        assert_eq!(FASHION_MNIST.find(root, false).unwrap().load().unwrap().labels, [2]);
        assert_eq!(MNIST.find(root, false).unwrap(), paths);
        let found = MNIST.find_or_download(root, false, &Options::default());
        assert_eq!(found.unwrap(), paths, "what is found is not downloaded");
    }

    #[test]
    fn missing_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 1, ["", ""]);
        let message = |train| MNIST.find(dir.path(), train).unwrap_err().to_string();
        let both = message(true);
        assert!(both.contains("train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"), "{both}");
        assert!(both.contains("not found. Set download(true)"), "{both}");
        fs::remove_file(dir.path().join("t10k-labels-idx1-ubyte")).unwrap();
        let one = message(false);
        assert!(one.contains("t10k-labels-idx1-ubyte") && !one.contains("t10k-images"), "{one}");
    }

    #[test]
    fn images_and_labels_must_agree() {
        let dir = tempfile::tempdir().unwrap();
        let (images, labels) = (dir.path().join("images"), dir.path().join("labels"));
        let check = |image_dims: &[u32], label_values: &[u8], expected: &str| {
            fs::write(&images, idx(image_dims, &vec![0; image_dims.iter().product::<u32>() as usize])).unwrap();
            fs::write(&labels, idx(&[label_values.len() as u32], label_values)).unwrap();
            let paths = SplitPaths { images: images.clone(), labels: labels.clone() };
            let message = paths.load().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(&[2, 28, 28], &[1, 2, 3], "labels of dimensions [3] for 2 images");
        check(&[2, 28, 28], &[1, 10], "label 10 at index 1");
        check(&[2, 27, 28], &[1, 2], "images of dimensions [2, 27, 28], expected [N, 28, 28]");
        check(&[2], &[1, 2], "images of dimensions [2], expected [N, 28, 28]");
    }
}
