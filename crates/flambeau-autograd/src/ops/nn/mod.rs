//! What neural networks are made of: `torch.nn.functional`.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod conv;
pub(crate) mod distance;
pub(crate) mod lengths;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod norm;
pub(crate) mod pad;
pub(crate) mod pool;
pub(crate) mod rnn;
pub(crate) mod vision;
pub(crate) mod window;

pub use activation::*;
pub use attention::*;
pub use conv::*;
pub use distance::*;
pub use lengths::Lengths;
pub use linear::*;
pub use loss::*;
pub use norm::*;
pub use pad::*;
pub use pool::*;
pub use rnn::{RnnCall, RnnMode, RnnOutput, pack_padded, pad_packed, pad_sequences, rnn, rnn_cell, unpad_sequences};
pub use vision::*;
pub use window::*;

flambeau_macros::operations! {
    activation::hard { hardtanh relu6 hardsigmoid hardswish threshold prelu hardshrink softshrink }
    activation::rectified { leaky_relu gelu silu elu softplus }
    activation::smooth { selu celu mish softsign tanhshrink glu rrelu }
    activation::gumbel { gumbel_softmax }
    activation::softmax { softmax log_softmax softmin logsigmoid }
    linear { linear matmul bilinear }
    attention { scaled_dot_product_attention }
    distance { pairwise_distance cosine_similarity normalize }
    conv { conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d }
    conv::tbc { conv_tbc }
    pad { pad constant_pad }
    pool::max {
        max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
        max_unpool1d max_unpool2d max_unpool3d
    }
    pool::average { avg_pool1d avg_pool2d avg_pool3d }
    pool::fractional {
        fractional_max_pool2d fractional_max_pool3d fractional_max_pool2d_with_indices fractional_max_pool3d_with_indices
    }
    pool::power { lp_pool1d lp_pool2d lp_pool3d }
    pool::adaptive {
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
        adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices
    }
    vision::affine { affine_grid affine_grid_generator }
    vision::grid { grid_sample grid_sampler }
    vision::im2col { im2col col2im }
    vision::interpolate { interpolate }
    vision::shuffle { pixel_shuffle pixel_unshuffle channel_shuffle }
    norm::batch { batch_norm instance_norm }
    norm::layer { layer_norm group_norm rms_norm local_response_norm }
    loss::nll { nll_loss cross_entropy }
    loss::bce { binary_cross_entropy binary_cross_entropy_with_logits }
    loss::elementwise {
        mse_loss l1_loss smooth_l1_loss huber_loss kl_div soft_margin_loss
    }
    loss::gaussian { gaussian_nll_loss }
    loss::margin {
        hinge_embedding_loss margin_ranking_loss cosine_embedding_loss triplet_margin_loss triplet_margin_with_distance_loss
    }
    loss::multi_margin { multi_margin_loss }
    loss::ctc { ctc_loss }
    loss::linear { linear_cross_entropy }
    loss::multilabel { multilabel_margin_loss multilabel_soft_margin_loss }
    loss::poisson { poisson_nll_loss }
}
