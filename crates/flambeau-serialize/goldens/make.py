"""Writes the golden files of this folder with PyTorch (they were made with 2.15).

    python goldens/make.py            # in crates/flambeau-serialize
"""

import pathlib

import torch
from torch import nn, optim

here = pathlib.Path(__file__).parent


def save(name, value, **options):
    torch.save(value, here / f"{name}.pth", **options)


torch.manual_seed(0)

dtypes = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
dtypes += [torch.float16, torch.bfloat16, torch.float32, torch.float64]
values = {str(dtype): torch.tensor([0, 1, 2.5, 100]).to(dtype) for dtype in dtypes}
save("dtypes", values | {"scalar": torch.tensor(-1.5), "empty": torch.empty(0, 3)})

base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
tied = torch.ones(2)
save(
    "views",
    {
        "base": base,
        "transposed": base.t(),
        "column": base[:, 1],
        "steps": base[1:, ::2],
        "expanded": torch.full((1,), 7).expand(2, 3),
        "tied": [tied, tied.detach()],
    },
)

net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
save("state_dict", net.state_dict())

model = nn.Linear(2, 1)
optimizer = optim.Adam(model.parameters(), lr=0.01)
scheduler = optim.lr_scheduler.MultiStepLR(optimizer, [30, 80, 80])
model(torch.ones(2)).sum().backward()
optimizer.step()
checkpoint = {
    "model": model.state_dict(),
    "optimizer": optimizer.state_dict(),
    "scheduler": scheduler.state_dict(),
    "epoch": 3,
    "best": None,
    "done": True,
    "integers": [0, 255, 256, 65535, 65536, -1, -(2**31), 2**31, -(2**40), 2**63 - 1, -(2**63), 2**64 - 1],
    "tuples": [(), (1.5,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "text": ["grüße", ""],
    "bytes": b"\x00\xff",
    "set": {7},
    "size": torch.Size([2, 3]),
    "dtype": torch.bfloat16,
    "devices": [torch.device("cpu"), torch.device("cuda", 1)],
}
save("checkpoint", checkpoint)
save("protocol4", checkpoint, pickle_protocol=4)

save("parameter", {"parameter": nn.Parameter(torch.tensor([1.0, 2.0])), "leaf": torch.ones(1, requires_grad=True)})

torch.serialization.set_crc32_options(False)
save("no_crc", {"x": torch.arange(3)})
torch.serialization.set_crc32_options(True)

save("legacy", {"x": torch.arange(3)}, _use_new_zipfile_serialization=False)
save("module", nn.Flatten())
save("uint16", torch.arange(3).to(torch.uint16))
