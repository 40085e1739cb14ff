//! What neural networks are made of: `torch.nn.functional`.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod conv;
pub(crate) mod distance;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod norm;
pub(crate) mod pad;
pub(crate) mod pool;
pub(crate) mod vision;
pub(crate) mod window;

pub use activation::*;
pub use attention::*;
pub use conv::*;
pub use distance::*;
pub use linear::*;
pub use loss::*;
pub use norm::*;
pub use pad::*;
pub use pool::*;
pub use vision::*;
pub use window::*;

flambeau_macros::operations! {
    activation::hard { hardtanh relu6 hardsigmoid hardswish threshold prelu hardshrink softshrink }
    activation::rectified { leaky_relu gelu silu elu softplus }
    activation::smooth { selu celu mish softsign tanhshrink glu rrelu }
    activation::softmax { softmax log_softmax softmin logsigmoid }
    linear { linear matmul bilinear }
    attention { scaled_dot_product_attention }
    distance { pairwise_distance cosine_similarity normalize }
    loss::nll { cross_entropy }
}
