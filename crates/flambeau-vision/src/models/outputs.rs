//! Outputs of networks with auxiliary classifiers.

/// Makes a struct of logits lend the main ones as a tensor, and a module's output that any module's hooks see as a tuple.
macro_rules! logits_of {
    ($outputs:ident { $($aux:ident),* }) => {
        impl std::ops::Deref for $outputs {
            type Target = Tensor;
            fn deref(&self) -> &Tensor {
                &self.logits
            }
        }

        impl flambeau_autograd::AsTensor for $outputs {
            fn as_tensor(&self) -> &Tensor {
                &self.logits
            }
        }

        impl flambeau_nn::Output for $outputs {
            fn to_value(&self) -> flambeau_nn::Value {
                let parts = (self.logits.shallow_clone(), $(self.$aux.as_ref().map(Tensor::shallow_clone)),*);
                flambeau_nn::Output::to_value(&parts)
            }
        }
    };
}
pub(crate) use logits_of;
