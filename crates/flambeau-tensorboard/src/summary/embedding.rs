//! Points of many dimensions, for TensorBoard's projector.

use crate::picture::Picture;
use crate::{Error, Numbers, Result, SummaryWriter, Values};
use flambeau_autograd::arguments::OptInt;
use flambeau_tensor::DType;
use flambeau_tensor::file::write_whole;
use flambeau_tensor::print::py_float;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::PoisonError;

/// What is known of a point: a text or a number, or several for several columns.
pub trait IntoRow {
    /// The columns.
    fn into_row(self) -> Vec<String>;
}

macro_rules! rows {
    ($($t:ty),*) => {$(
        impl IntoRow for $t {
            fn into_row(self) -> Vec<String> {
                vec![self.to_string()]
            }
        }
    )*};
}
rows!(&str, &&str, String, &String, char, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

impl IntoRow for f64 {
    fn into_row(self) -> Vec<String> {
        vec![py_float(self)]
    }
}

impl<T: IntoRow, const N: usize> IntoRow for [T; N] {
    fn into_row(self) -> Vec<String> {
        self.into_iter().flat_map(IntoRow::into_row).collect()
    }
}

impl<T: IntoRow> IntoRow for Vec<T> {
    fn into_row(self) -> Vec<String> {
        self.into_iter().flat_map(IntoRow::into_row).collect()
    }
}

/// Options of [`SummaryWriter::add_embedding_with`] under PyTorch's names.
#[derive(Clone, Debug)]
pub struct EmbeddingOptions {
    metadata: Option<Vec<Vec<String>>>,
    label_img: Option<Numbers>,
    global_step: Option<i64>,
    tag: String,
    metadata_header: Vec<String>,
}

impl EmbeddingOptions {
    /// A label for each point, or several beside `metadata_header`. Default: none.
    #[must_use]
    pub fn metadata<R: IntoRow>(mut self, labels: impl IntoIterator<Item = R>) -> Self {
        self.metadata = Some(labels.into_iter().map(IntoRow::into_row).collect());
        self
    }

    /// A picture for each point, (N, C, H, W), numbers from 0 to 1. Default: none.
    #[track_caller]
    #[must_use]
    pub fn label_img(mut self, images: impl Values) -> Self {
        self.label_img = Some(images.numbers());
        self
    }

    /// The step. Default: 0.
    #[track_caller]
    #[must_use]
    pub fn global_step(mut self, step: impl OptInt) -> Self {
        self.global_step = step.to_option();
        self
    }

    /// The embedding's name. Default: `"default"`.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// The names of the labels' columns. Default: none.
    #[must_use]
    pub fn metadata_header<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.metadata_header = names.into_iter().map(Into::into).collect();
        self
    }
}

/// A tag as a folder's name.
fn encoded(tag: &str) -> String {
    tag.replace('%', "%25").replace('/', "%2f").replace('\\', "%5c")
}

/// A text in a text-format protocol buffer.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "\\'").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// All pictures in a square, as many in a row as in a column: rows of `ceil(sqrt(N))`.
fn sprite(images: &Numbers) -> Picture {
    let [n, c, h, w] = images.shape[..] else { panic!("label_img must have the shape (N, C, H, W)") };
    assert!(c == 1 || c == 3, "Input should be a 4D numpy array with 3 channels");
    let columns = (1..).find(|columns| columns * columns >= n).unwrap_or(1).min(n.max(1));
    let (width, rows) = (w * columns, n.div_ceil(columns));
    let height = width.max(h * rows);
    let mut data = vec![0; height * width * 3];
    for (at, &value) in images.data.iter().enumerate() {
        let (x, y, channel, image) = (at % w, at / w % h, at / (w * h) % c, at / (w * h * c));
        let pixel = (image / columns * h + y) * width + image % columns * w + x;
        let value = (value * 255.0) as u8;
        match c {
            1 => data[3 * pixel..3 * pixel + 3].fill(value),
            _ => data[3 * pixel + channel] = value,
        }
    }
    Picture { height, width, channels: 3, data }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_whole(path, |file| file.write_all(content)).map_err(|refused| Error::io(path)(refused.source))
}

impl SummaryWriter {
    /// Adds points of many dimensions, (N, D), which TensorBoard's projector shows: `writer.add_embedding(mat)`. Written are
    /// `tensors.tsv` beside the events, and `projector_config.pbtxt`.
    ///
    /// # Panics
    /// When there are not two dimensions.
    #[track_caller]
    pub fn add_embedding(&self, mat: impl Values) {
        self.add_embedding_with(mat, |o| o);
    }

    /// [`SummaryWriter::add_embedding`] with PyTorch's keywords: `metadata`, `label_img`, `global_step`, `tag`, `metadata_header`.
    ///
    /// # Panics
    /// When there are not two dimensions, or not as many labels or pictures as points.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-embedding-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_embedding_with(torch::randn((3, 5)), |o| o.metadata(["one", "two", "three"]));
    /// let rows = [["a", "1"], ["b", "2"], ["c", "3"]];
    /// writer.add_embedding_with(torch::randn((3, 5)), |o| o.tag("columns").metadata(rows).metadata_header(["name", "n"]));
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_embedding_with(&self, mat: impl Values, options: impl FnOnce(EmbeddingOptions) -> EmbeddingOptions) {
        let plain = EmbeddingOptions {
            metadata: None,
            label_img: None,
            global_step: None,
            tag: "default".to_owned(),
            metadata_header: Vec::new(),
        };
        let (mat, o) = (mat.numbers(), options(plain));
        let [points, _] = mat.shape[..] else {
            panic!("mat should be 2D, where mat.size(0) is the number of data points")
        };
        if let Some(rows) = &o.metadata {
            assert!(rows.len() == points, "#labels should equal with #data points");
            let columns = rows.first().map_or(0, Vec::len);
            assert!(
                o.metadata_header.is_empty() || o.metadata_header.len() == columns,
                "len of header must be equal to the number of columns in metadata"
            );
        }
        let images = o.label_img.as_ref();
        assert!(images.is_none_or(|x| x.shape[0] == points), "#images should equal with #data points");
        let sprite = images.map(sprite);
        let outcome = self.embed(&mat, &o, sprite);
        self.note(outcome);
    }

    fn embed(&self, mat: &Numbers, o: &EmbeddingOptions, sprite: Option<Picture>) -> Result<()> {
        let step = format!("{:05}", o.global_step.unwrap_or(0));
        let subdir = format!("{step}/{}", encoded(&o.tag));
        let folder = self.log_dir().join(&subdir);
        if folder.is_dir() {
            println!("warning: Embedding dir exists, did you set global_step for add_embedding()?");
        }
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let mut config = format!("embeddings {{\n  tensor_name: {}\n", quoted(&format!("{}:{step}", o.tag)));
        if let Some(rows) = &o.metadata {
            let header = (!o.metadata_header.is_empty()).then_some(&o.metadata_header);
            let lines: Vec<String> = header.into_iter().chain(rows).map(|row| row.join("\t")).collect();
            write(&folder.join("metadata.tsv"), (lines.join("\n") + "\n").as_bytes())?;
            config += &format!("  metadata_path: {}\n", quoted(&format!("{subdir}/metadata.tsv")));
        }
        if let (Some(picture), Some(images)) = (sprite, &o.label_img) {
            write(&folder.join("sprite.png"), &picture.png())?;
            let (path, size) = (quoted(&format!("{subdir}/sprite.png")), &images.shape);
            config += &format!(
                "  sprite {{\n    image_path: {path}\n    single_image_dim: {}\n    single_image_dim: {}\n  }}\n",
                size[3], size[2]
            );
        }
        write(&folder.join("tensors.tsv"), tsv(mat).as_bytes())?;
        config += &format!("  tensor_path: {}\n}}\n", quoted(&format!("{subdir}/tensors.tsv")));
        let mut all = self.projector.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_str(&config);
        write(&self.log_dir().join("projector_config.pbtxt"), all.as_bytes())
    }
}

/// A line for each row, its numbers as Python prints them, with tabs between.
fn tsv(mat: &Numbers) -> String {
    let number = |x: &f64| match mat.dtype {
        DType::Bool if *x == 0.0 => "False".to_owned(),
        DType::Bool => "True".to_owned(),
        dtype if dtype.is_floating_point() => py_float(*x),
        _ => (*x as i64).to_string(),
    };
    let row = |row: &[f64]| row.iter().map(number).collect::<Vec<_>>().join("\t") + "\n";
    mat.data.chunks(mat.shape[1].max(1)).map(row).collect()
}
