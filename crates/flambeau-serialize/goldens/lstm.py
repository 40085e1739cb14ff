"""The state dict of a bidirectional LSTM of two layers, in both directions between PyTorch and flambeau.

    python goldens/lstm.py                      # writes lstm.pth, in crates/flambeau-serialize
    cargo run --example write_models -- OUT     # flambeau writes OUT/lstm.pth
    python goldens/lstm.py OUT                  # checks that PyTorch computes from it what flambeau did
"""

import pathlib
import sys

import torch
from torch import nn


def results(lstm, x):
    output, (hn, cn) = lstm(x)
    return {"output": output.detach(), "hn": hn.detach(), "cn": cn.detach()}


lstm = nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True)
if len(sys.argv) == 1:
    torch.manual_seed(0)
    lstm = nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True)
    x = torch.randn(3, 7, 5)
    torch.save({"state": lstm.state_dict(), "x": x} | results(lstm, x), pathlib.Path(__file__).parent / "lstm.pth")
else:
    written = torch.load(pathlib.Path(sys.argv[1]) / "lstm.pth", weights_only=True)
    print(lstm.load_state_dict(written["state"]))
    for name, expected in results(lstm, written["x"]).items():
        torch.testing.assert_close(written[name], expected, rtol=1e-5, atol=1e-5)
    print("lstm.pth ok")
