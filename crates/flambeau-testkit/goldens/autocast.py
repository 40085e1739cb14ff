"""What PyTorch's autocast does with each operation on a GPU, and on the CPU.

    python crates/flambeau-testkit/goldens/autocast.py

writes data/autocast.jsonl.gz and data/autocast_cpu.jsonl.gz, which ../tests/registry.rs reads: {"op", "policy"}. A GPU's are the lists in PyTorch's own
header; what is banned stands in autocast_mode.cpp, which PyTorch does not install. The CPU's stand there too: the names are those that the dispatcher
knows, and all policies but two short lists are fp32.
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
CPU_LOW = {"conv1d", "conv2d", "conv3d", "bmm", "mm", "linalg_vecdot", "baddbmm", "addmm", "_addmm_activation", "addbmm", "linear", "_convolution", "matmul",
           "conv_tbc", "mkldnn_rnn_layer", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "prelu", "scaled_dot_product_attention",
           "_native_multi_head_attention"}
CPU_PROMOTE = {"stack", "cat", "index_copy"}


def policies():
    for name, body in re.findall(r"#define AT_FORALL_(\w+)\(_\)((?:.*\\\n)+.*\n)", HEADER.read_text()):
        if name in POLICIES:
            yield from ((op, POLICIES[name]) for op in re.findall(r"_\((?:ADD_NS\()?(\w+)", body))
    yield from ((op, "banned") for op in BANNED)


def cpu_policies():
    known = torch._C._dispatch_get_registrations_for_dispatch_key("AutocastCPU")
    names = {name.removeprefix("aten::").split(".")[0] for name in known}
    assert CPU_LOW | CPU_PROMOTE <= names, (CPU_LOW | CPU_PROMOTE) - names
    for name in names:
        yield name, "lower_precision_fp" if name in CPU_LOW else "promote" if name in CPU_PROMOTE else "fp32"


if __name__ == "__main__":
    for file, table in ("autocast", dict(policies())), ("autocast_cpu", dict(cpu_policies())):
        encode.write(pathlib.Path(__file__).parent / "data" / f"{file}.jsonl.gz", [{"op": op, "policy": table[op]} for op in sorted(table)])
        print(file, len(table), {p: list(table.values()).count(p) for p in sorted(set(table.values()))})
