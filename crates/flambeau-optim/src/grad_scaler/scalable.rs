//! What a scaler takes.

use flambeau_autograd::Tensor;

/// What [`GradScaler::scale`](crate::GradScaler::scale) takes: a tensor, or a list or tuple of what it takes.
pub trait Scalable {
    /// The same of scaled tensors.
    type Scaled;

    /// Scales each tensor.
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled;
}

impl Scalable for &Tensor {
    type Scaled = Tensor;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Tensor {
        scale(self)
    }
}

impl Scalable for Tensor {
    type Scaled = Tensor;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Tensor {
        scale(&self)
    }
}

impl<S: Scalable> Scalable for Vec<S> {
    type Scaled = Vec<S::Scaled>;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        self.into_iter().map(|x| x.scaled(scale)).collect()
    }
}

impl<S: Scalable, const N: usize> Scalable for [S; N] {
    type Scaled = [S::Scaled; N];
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        self.map(|x| x.scaled(scale))
    }
}

impl Scalable for &[Tensor] {
    type Scaled = Vec<Tensor>;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Vec<Tensor> {
        self.iter().map(scale).collect()
    }
}

impl<A: Scalable, B: Scalable> Scalable for (A, B) {
    type Scaled = (A::Scaled, B::Scaled);
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        (self.0.scaled(scale), self.1.scaled(scale))
    }
}

impl<A: Scalable, B: Scalable, C: Scalable> Scalable for (A, B, C) {
    type Scaled = (A::Scaled, B::Scaled, C::Scaled);
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        (self.0.scaled(scale), self.1.scaled(scale), self.2.scaled(scale))
    }
}
