"""What PyTorch's autocast does with each operation on a GPU.

    python crates/flambeau-testkit/goldens/autocast.py

writes data/autocast.jsonl.gz, which ../tests/registry.rs reads: {"op", "policy"}, from the lists in PyTorch's own header. What is banned stands in
autocast_mode.cpp, which PyTorch does not install.
"""
import pathlib
import re
import sys

import torch

sys.dont_write_bytecode = True
import encode

HEADER = pathlib.Path(torch.__file__).parent / "include" / "ATen" / "autocast_mode.h"
POLICIES = {"LOWER_PRECISION_FP": "lower_precision_fp", "FP32": "fp32", "FP32_SET_OPT_DTYPE": "fp32_set_opt_dtype",
            "DIFFERENT_REDISPATCH_SIGNATURE": "fp32_append_dtype", "PROMOTE": "promote"}
BANNED = ["binary_cross_entropy"]


def policies():
    for name, body in re.findall(r"#define AT_FORALL_(\w+)\(_\)((?:.*\\\n)+.*\n)", HEADER.read_text()):
        if name in POLICIES:
            yield from ((op, POLICIES[name]) for op in re.findall(r"_\((?:ADD_NS\()?(\w+)", body))
    yield from ((op, "banned") for op in BANNED)


if __name__ == "__main__":
    table = dict(policies())
    encode.write(pathlib.Path(__file__).parent / "data" / "autocast.jsonl.gz", [{"op": op, "policy": table[op]} for op in sorted(table)])
    print(len(table), {p: list(table.values()).count(p) for p in sorted(set(table.values()))})
