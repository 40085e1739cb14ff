"""Writes the goldens from PyTorch. Run with the interpreter of a PyTorch 2.15 environment:

    python crates/flambeau-testkit/goldens/make_goldens.py [op ...]

Without arguments it writes everything: data/ops/<op>.jsonl.gz, data/modules.jsonl.gz, data/init.jsonl.gz, data/optim.jsonl.gz and data/schedulers.jsonl.gz.
The output is the same on every run with the same PyTorch and the same class of CPU.
"""
import pathlib
import sys
import warnings

import torch

sys.dont_write_bytecode = True
import edges
import encode
import modules
import ops
import optim

DATA = pathlib.Path(__file__).parent / "data"


def main(names):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    own = edges.edge_cases()
    unknown = own.keys() - {*ops.TIER_1, *ops.TIER_2}
    assert not unknown, unknown
    total = 0
    for name in names or [*ops.TIER_1, *ops.TIER_2]:
        cases = ops.op_cases(name) + own.get(name, [])
        encode.write(DATA / "ops" / f"{name}.jsonl.gz", cases)
        total += len(cases)
    counts = {"ops": total}
    if not names:
        for file, cases in (("modules", modules.module_cases()), ("init", modules.init_cases()), ("optim", optim.optimizer_cases()),
                            ("schedulers", optim.scheduler_cases())):
            encode.write(DATA / f"{file}.jsonl.gz", cases)
            counts[file] = len(cases)
    print(counts)


if __name__ == "__main__":
    main(sys.argv[1:])
