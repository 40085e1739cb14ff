"""Writes the goldens from PyTorch. Run with the interpreter of a PyTorch 2.15 environment:

    python crates/flambeau-testkit/goldens/make_goldens.py [op ... | file ...]

Without arguments it writes everything: data/ops/<op>.jsonl.gz, and of data/ each file of FILES.
An op that no list of ops.py names gets goldens by being named here; from then on it is one of all.
The output is the same on every run with the same PyTorch and the same class of CPU.
"""
import pathlib
import sys
import warnings

import torch

sys.dont_write_bytecode = True
import edges
import encode
import lbfgs
import modules
import ops
import optim
import random_lazy
import random_attn
import random_data
import random_loss
import random_modules
import random_optim
import random_optim_more
import random_pools
import random_rnn
import random_sched
import random_swa
import random_utils

DATA = pathlib.Path(__file__).parent / "data"
FILES = {"modules": modules.module_cases, "random_modules": random_modules.random_module_cases, "init": modules.init_cases,
         "optim": optim.optimizer_cases, "random_optim": random_optim.random_optimizer_cases,
         "random_optim_more": random_optim_more.random_optimizer_cases, "optim_switches": random_optim_more.switch_cases, "lbfgs": lbfgs.lbfgs_cases,
         "schedulers": optim.scheduler_cases,
         "random_lazy": random_lazy.random_lazy_cases, "random_utils": random_utils.random_utils_cases,
         "random_pools": random_pools.random_pool_cases,
         "attn": random_attn.db_cases, "random_attn": random_attn.random_cases,
         "random_sched": random_sched.random_scheduler_cases, "random_swa": random_swa.random_swa_cases,
         "random_data": random_data.random_data_cases,
         "random_loss": random_loss.random_loss_cases,
         "rnn": random_rnn.database_cases, "random_rnn": random_rnn.random_rnn_cases}


def main(names):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    listed = [*ops.TIER_1, *ops.TIER_2, *ops.TIER_3]
    wanted = [name for name in names if name not in FILES]
    have = {path.name.removesuffix(".jsonl.gz") for path in (DATA / "ops").iterdir()}
    others = sorted({*have, *wanted} - {*listed})
    own = edges.edge_cases(others)
    unknown = own.keys() - {*listed, *others}
    assert not unknown, unknown
    files = [name for name in names if name in FILES] if names else list(FILES)
    counts = {"ops": 0}
    for name in wanted if names else listed + others:
        cases = ops.op_cases(name) + own.get(name, [])
        encode.write(DATA / "ops" / f"{name}.jsonl.gz", cases)
        counts["ops"] += len(cases)
    for name in files:
        cases = FILES[name]()
        encode.write(DATA / f"{name}.jsonl.gz", cases)
        counts[name] = len(cases)
    print(counts)


if __name__ == "__main__":
    main(sys.argv[1:])
