"""Writes attention.pth: state dicts of attention and of a transformer with what they compute (made with PyTorch 2.15).

    python goldens/attention.py       # in crates/flambeau-serialize
"""

import pathlib

import torch
from torch import nn

torch.manual_seed(0)
attention = nn.MultiheadAttention(8, 2, add_bias_kv=True, kdim=5, vdim=6, batch_first=True)
transformer = nn.Transformer(8, 2, 2, 1, dim_feedforward=12, activation="gelu", norm_first=True)
for parameter in [*attention.parameters(), *transformer.parameters()]:
    # Biases too.
    nn.init.normal_(parameter, std=0.5)
attention.eval(), transformer.eval()
query, key, value = torch.randn(2, 3, 8), torch.randn(2, 4, 5), torch.randn(2, 4, 6)
src, tgt = torch.randn(5, 2, 8), torch.randn(3, 2, 8)
mask = nn.Transformer.generate_square_subsequent_mask(3)
padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
output, weights = attention(query, key, value)
torch.save(
    {
        "attention": attention.state_dict(),
        "transformer": transformer.state_dict(),
        "query": query,
        "key": key,
        "value": value,
        "output": output.detach(),
        "weights": weights.detach(),
        "src": src,
        "tgt": tgt,
        "mask": mask,
        "padding": padding,
        "translated": transformer(src, tgt, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding).detach(),
    },
    pathlib.Path(__file__).parent / "attention.pth",
)
