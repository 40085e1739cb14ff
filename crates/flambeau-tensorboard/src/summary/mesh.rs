//! Meshes and clouds of points.

use super::{floats, metadata, tensor_value};
use crate::wire::Message;
use crate::{Numbers, SummaryWriter, Values};
use flambeau_autograd::Setting;
use flambeau_autograd::arguments::OptInt;

/// Options of [`SummaryWriter::add_mesh_with`] under PyTorch's names.
#[derive(Clone, Debug)]
pub struct MeshOptions {
    colors: Option<Numbers>,
    faces: Option<Numbers>,
    config_dict: String,
    global_step: Option<i64>,
    walltime: Option<f64>,
}

impl MeshOptions {
    /// The vertices' colors, (B, N, 3), from 0 to 255. Default: none.
    #[track_caller]
    #[must_use]
    pub fn colors(mut self, colors: impl Values) -> Self {
        self.colors = Some(colors.numbers());
        self
    }

    /// The vertices of each triangle, (B, M, 3). Default: none.
    #[track_caller]
    #[must_use]
    pub fn faces(mut self, faces: impl Values) -> Self {
        self.faces = Some(faces.numbers());
        self
    }

    /// Names of Three.js' classes with their settings, as JSON with sorted keys. Default: `{}`.
    #[must_use]
    pub fn config_dict(mut self, json: impl Into<String>) -> Self {
        self.config_dict = json.into();
        self
    }

    /// The step. Default: none.
    #[track_caller]
    #[must_use]
    pub fn global_step(mut self, step: impl OptInt) -> Self {
        self.global_step = step.to_option();
        self
    }

    /// Seconds since 1970, in the place of the present time. Default: none.
    #[must_use]
    pub fn walltime(mut self, walltime: impl Setting<Option<f64>>) -> Self {
        self.walltime = walltime.setting();
        self
    }
}

/// What a tensor is for.
const KINDS: [(&str, i64); 3] = [("VERTEX", 1), ("FACE", 2), ("COLOR", 3)];

impl SummaryWriter {
    /// Adds points in space, (B, N, 3): `writer.add_mesh(tag, vertices)`.
    ///
    /// # Panics
    /// When there are not three dimensions.
    #[track_caller]
    pub fn add_mesh(&self, tag: &str, vertices: impl Values) {
        self.add_mesh_with(tag, vertices, |o| o);
    }

    /// [`SummaryWriter::add_mesh`] with PyTorch's keywords: `colors`, `faces`, `config_dict`, `global_step`, `walltime`.
    ///
    /// # Panics
    /// When a tensor has not three dimensions.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-mesh-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// let vertices = torch::tensor([[1., 1., 1.], [-1., -1., 1.], [1., -1., -1.], [-1., 1., -1.]]).unsqueeze(0);
    /// let faces = torch::tensor([[0, 2, 3], [0, 3, 1], [0, 1, 2], [1, 3, 2]]).unsqueeze(0);
    /// writer.add_mesh_with("tetrahedron", vertices, |o| o.faces(faces).global_step(0));
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_mesh_with(&self, tag: &str, vertices: impl Values, options: impl FnOnce(MeshOptions) -> MeshOptions) {
        let plain =
            MeshOptions { colors: None, faces: None, config_dict: "{}".into(), global_step: None, walltime: None };
        let o = options(plain);
        let tensors = [Some(vertices.numbers()), o.faces, o.colors];
        let given: Vec<_> = tensors.iter().zip(KINDS).filter_map(|(x, kind)| x.as_ref().map(|x| (x, kind))).collect();
        let components = given.iter().fold(0, |bits, (_, (_, kind))| bits | 1 << kind);
        let values: Vec<Message> = given
            .iter()
            .map(|(x, (name, kind))| {
                let shape = &x.shape;
                assert!(shape.len() == 3, "Tensor shape should be of shape BxNx3, but got torch.Size({shape:?}).");
                let content = Message::new()
                    .bytes(2, tag)
                    .int(3, *kind)
                    .bytes(5, &o.config_dict)
                    .ints(6, shape.iter().map(|&n| n as i64))
                    .int(7, components);
                let tensor = floats(shape.iter().copied(), x.floats());
                tensor_value(&format!("{tag}_{name}"), metadata("mesh", content), tensor)
            })
            .collect();
        self.add_summary(values, o.global_step, o.walltime);
    }
}
