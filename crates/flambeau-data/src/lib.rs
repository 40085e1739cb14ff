//! Datasets, samplers, loaders and transforms: torch.utils.data and torchvision's parts for flambeau.
