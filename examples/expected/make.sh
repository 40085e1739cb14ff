#!/usr/bin/env bash
# Makes the expected outputs of this folder with PyTorch 2.15: make.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")"
python=${1:-python3}
for seed in 0 7; do
    "$python" tensors.py "$seed" >"tensors_$seed.txt"
    "$python" cnn.py "$seed" >"cnn_$seed.txt"
    for script in regression polynomial char_rnn gat; do
        "$python" "$script.py" "$seed" >"${script}_$seed.txt"
    done
done
# The synthetic digits come from the library; PyTorch trains on the same bytes.
digits=$(mktemp -d)
cargo run --release --quiet --package flambeau-examples --bin dump_digits -- "$digits"
"$python" mnist.py "$digits" 0 2 2>/dev/null >mnist_synthetic.txt
for seed in 0 1 2 3; do
    "$python" mnist.py "$digits" "$seed" 1 2>&1 >/dev/null
done >first_losses.txt
rm -r "$digits"
