//! Tensors with gradients: the operations and the engine of flambeau.
