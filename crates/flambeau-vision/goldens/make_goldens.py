"""What torchvision's models are: writes models.jsonl.gz. Run: python make_goldens.py [NAME …] (names: only those, printed).

Of each case, in this order: manual_seed(0) and the constructor; digests of the state dict's keys and shapes, of the first and last
64 elements of each of its tensors, and of the print; then, where the case has a size, manual_seed(1), an input [2, 3, size, size],
some logits in evaluation, manual_seed(2), and some in training, with the sum of all running statistics after it; then, in float64,
since normalisation over few numbers amplifies rounding, after manual_seed(2) again, the same logits and sums of the gradients of
three parameters by the mean of the squared logits.
"""
import gzip
import hashlib
import json
import math
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torchvision import models

warnings.simplefilter("ignore")

# name, constructor's keywords, input's side or None, whether it is in the quick tests.
CASES = [
    ("resnet18", {}, 64, True),
    ("resnet34", {}, None, True),
    ("resnet50", {}, 64, True),
    ("resnet50", {"zero_init_residual": True, "replace_stride_with_dilation": [False, True, True], "num_classes": 7}, 32, False),
    ("resnet101", {}, None, False),
    ("resnet152", {}, None, False),
    ("resnext50_32x4d", {}, 64, True),
    ("resnext101_32x8d", {}, None, False),
    ("resnext101_64x4d", {}, None, False),
    ("wide_resnet50_2", {}, None, False),
    ("wide_resnet101_2", {}, None, False),
    ("alexnet", {}, 64, True),
    ("vgg11", {}, 32, True),
    ("vgg11_bn", {"num_classes": 10, "dropout": 0.3}, 64, False),
    ("vgg13", {}, None, False),
    ("vgg13_bn", {}, None, False),
    ("vgg16", {}, 32, False),
    ("vgg16_bn", {}, None, False),
    ("vgg19", {}, None, False),
    ("vgg19_bn", {}, None, False),
    ("squeezenet1_0", {}, 64, True),
    ("squeezenet1_1", {}, 64, True),
    ("densenet121", {}, 64, True),
    ("densenet121", {"drop_rate": 0.2, "memory_efficient": True, "num_classes": 5}, 64, False),
    ("densenet161", {}, None, False),
    ("densenet169", {}, None, False),
    ("densenet201", {}, None, False),
    ("googlenet", {}, 64, True),
    ("googlenet", {"aux_logits": False, "transform_input": True}, 64, False),
    ("inception_v3", {}, 299, False),
    ("inception_v3", {"aux_logits": False, "transform_input": True}, 139, False),
    ("mobilenet_v2", {}, 64, True),
    ("mobilenet_v2", {"width_mult": 0.75, "dropout": 0.4}, 64, False),
    ("mobilenet_v3_small", {}, 64, True),
    ("mobilenet_v3_large", {}, 64, True),
    ("mobilenet_v3_large", {"reduced_tail": True, "dilated": True, "width_mult": 0.5}, 64, False),
    ("shufflenet_v2_x0_5", {}, 64, True),
    ("shufflenet_v2_x1_0", {}, 64, True),
    ("shufflenet_v2_x1_5", {}, None, True),
    ("shufflenet_v2_x2_0", {}, None, True),
    ("mnasnet0_5", {}, 64, True),
    ("mnasnet0_75", {}, None, True),
    ("mnasnet1_0", {}, 64, False),
    ("mnasnet1_3", {}, None, False),
    ("efficientnet_b0", {}, 64, True),
    ("efficientnet_b1", {}, None, True),
    ("efficientnet_b2", {}, 64, False),
    ("efficientnet_b3", {}, None, False),
    ("efficientnet_b4", {}, None, False),
    ("efficientnet_b5", {}, 64, False),
    ("efficientnet_b6", {}, None, False),
    ("efficientnet_b7", {}, None, False),
    ("efficientnet_v2_s", {}, 64, True),
    ("efficientnet_v2_m", {}, None, False),
    ("efficientnet_v2_l", {}, None, False),
    ("regnet_y_400mf", {}, 64, True),
    ("regnet_y_800mf", {}, None, True),
    ("regnet_y_1_6gf", {}, None, False),
    ("regnet_y_3_2gf", {}, None, False),
    ("regnet_y_8gf", {}, None, False),
    ("regnet_y_16gf", {}, None, False),
    ("regnet_y_32gf", {}, None, False),
    ("regnet_y_128gf", {}, None, False),
    ("regnet_x_400mf", {}, 64, True),
    ("regnet_x_800mf", {}, None, True),
    ("regnet_x_1_6gf", {}, None, False),
    ("regnet_x_3_2gf", {}, None, False),
    ("regnet_x_8gf", {}, None, False),
    ("regnet_x_16gf", {}, None, False),
    ("regnet_x_32gf", {}, None, False),
    ("convnext_tiny", {}, None, True),
    ("convnext_tiny", {"layer_scale": 0.5, "stochastic_depth_prob": 0.5}, 64, True),
    ("convnext_small", {}, None, False),
    ("convnext_base", {}, None, False),
    ("convnext_large", {}, None, False),
    ("vit_b_32", {}, None, False),
    ("vit_b_32", {"image_size": 64, "dropout": 0.1, "attention_dropout": 0.1}, 64, True),
    ("vit_b_16", {"image_size": 64, "representation_size": 32}, 64, False),
    ("vit_b_16", {}, None, False),
    ("vit_l_16", {}, None, False),
    ("vit_l_32", {}, None, False),
    ("vit_h_14", {}, None, False),
    ("swin_t", {}, 64, True),
    ("swin_t", {"dropout": 0.1, "attention_dropout": 0.2}, 90, False),
    ("swin_s", {}, None, False),
    ("swin_b", {}, None, False),
    ("swin_v2_t", {}, 64, True),
    ("swin_v2_t", {"dropout": 0.1, "num_classes": 9}, 100, False),
    ("swin_v2_s", {}, None, False),
    ("swin_v2_b", {}, None, False),
]


def md5(data):
    return hashlib.md5(data).hexdigest()


def ends(tensor):
    flat = tensor.flatten()
    return torch.cat([flat[:64], flat[-64:]]).numpy().tobytes()


def sampled(logits):
    return [float(x) for x in logits[:, ::97].flatten()]


def keys_text(state):
    return "\n".join(f"{k} {list(v.shape)} {v.dtype}" for k, v in state.items())


def outputs(y):
    return [o for o in y] if isinstance(y, tuple) else [y]


def case(name, keywords, size):
    torch.manual_seed(0)
    model = getattr(models, name)(**keywords)
    state = model.state_dict()
    row = {
        "name": name,
        "keywords": keywords,
        "parameters": sum(p.numel() for p in model.parameters()),
        "keys": md5(keys_text(state).encode()),
        "count": len(state),
        "bits": md5(b"".join(ends(v) for v in state.values())),
        "some": [[k, float(v.double().sum())] for k, v in list(state.items())[:: max(1, len(state) // 5)]],
        "next": float(torch.rand(1)),
        "print": md5(str(model).encode()),
    }
    if size is not None:
        if name.startswith("vit"):
            torch.manual_seed(3)
            nn.init.normal_(model.heads.head.weight, 0.0, 0.02)
        torch.manual_seed(1)
        x = torch.randn(2, 3, size, size)
        model.eval()
        with torch.no_grad():
            row["eval"] = [sampled(y) for y in outputs(model(x))]
        model.train()
        torch.manual_seed(2)
        with torch.no_grad():
            row["train"] = [sampled(y) for y in outputs(model(x))]
        row["statistics"] = math.fsum(float(b.double().sum()) for b in model.buffers() if b.dtype.is_floating_point)
        model.double()
        torch.manual_seed(2)
        y = outputs(model(x.double()))
        row["double"] = [sampled(y) for y in y]
        sum(y.square().mean() for y in y).backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        row["grad"] = [float(grads[i].abs().sum()) for i in (0, len(grads) // 2, -1)]
        row["size"] = size
    return row, model


def main():
    only = sys.argv[1:]
    rows = []
    for name, keywords, size, quick in CASES:
        if only and name not in only:
            continue
        row, model = case(name, keywords, size)
        row["quick"] = quick
        rows.append(row)
        print(name, keywords, row["parameters"], flush=True)
        if only:
            print(keys_text(model.state_dict()))
            print(model)
            print(json.dumps(row, indent=1))
        del model
    if not only:
        text = "\n".join(json.dumps(row) for row in rows)
        path = Path(__file__).with_name("models.jsonl.gz")
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


main()
