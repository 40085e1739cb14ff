"""State dicts of attention and of a transformer with what they compute, in both directions between PyTorch and flambeau.

    python goldens/attention.py                 # writes attention.pth, in crates/flambeau-serialize (made with PyTorch 2.15)
    cargo run --example write_models -- OUT     # flambeau writes OUT/attention.pth
    python goldens/attention.py OUT             # checks that PyTorch computes from it what flambeau did
"""

import pathlib
import sys

import torch
from torch import nn

torch.manual_seed(0)
attention = nn.MultiheadAttention(8, 2, add_bias_kv=True, kdim=5, vdim=6, batch_first=True)
transformer = nn.Transformer(8, 2, 2, 1, dim_feedforward=12, activation="gelu", norm_first=True)
attention.eval(), transformer.eval()


def results(query, key, value, src, tgt, mask, padding):
    output, weights = attention(query, key, value)
    translated = transformer(src, tgt, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding)
    return {"output": output.detach(), "weights": weights.detach(), "translated": translated.detach()}


if len(sys.argv) == 1:
    for parameter in [*attention.parameters(), *transformer.parameters()]:
        # Biases too.
        nn.init.normal_(parameter, std=0.5)
    query, key, value = torch.randn(2, 3, 8), torch.randn(2, 4, 5), torch.randn(2, 4, 6)
    src, tgt = torch.randn(5, 2, 8), torch.randn(3, 2, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    inputs = {"query": query, "key": key, "value": value, "src": src, "tgt": tgt, "mask": mask, "padding": padding}
    states = {"attention": attention.state_dict(), "transformer": transformer.state_dict()}
    torch.save(states | inputs | results(**inputs), pathlib.Path(__file__).parent / "attention.pth")
else:
    written = torch.load(pathlib.Path(sys.argv[1]) / "attention.pth", weights_only=True)
    print(attention.load_state_dict(written["attention"]), transformer.load_state_dict(written["transformer"]))
    inputs = {name: written[name] for name in ["query", "key", "value", "src", "tgt", "mask", "padding"]}
    for name, expected in results(**inputs).items():
        torch.testing.assert_close(written[name], expected, rtol=1e-5, atol=1e-5)
    print("attention.pth ok")
