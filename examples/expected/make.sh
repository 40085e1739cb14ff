#!/usr/bin/env bash
# Makes the expected outputs of this folder with PyTorch 2.15: make.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")"
python=${1:-python3}
for seed in 0 7; do
    "$python" tensors.py "$seed" >"tensors_$seed.txt"
    "$python" cnn.py "$seed" >"cnn_$seed.txt"
    for script in regression polynomial char_rnn gat feature_maps; do
        "$python" "$script.py" "$seed" >"${script}_$seed.txt"
    done
done
# What trains in a few steps, with one thread and with two: how far these are apart says how close a program must come.
for threads in 1 2; do
    made() { "$python" "$1.py" "${@:3}" 2>/dev/null >"$2_$threads.txt"; }
    made gpt gpt --steps 12 --log-interval 1 --eval-interval 100 --sample 60 --threads $threads
    for model in LSTM Transformer; do
        made word_lm "word_lm_$model" $model 0 6 $threads
    done
    made reinforce reinforce 0 12 $threads
    made actor_critic actor_critic 0 12 $threads
    made time_series time_series 0 2 10 60 $threads
    made transfer_learning transfer_learning 1e-3 0 64 16 2 4 $threads
    for schedule in multistep onecycle; do
        made resnet_cifar "resnet_cifar_$schedule" 0 4 $schedule $threads
    done
    made style_transfer style_transfer 0 32 8 $threads
    made super_resolution super_resolution 0 96 16 2 4 $threads
done
# The synthetic digits come from the library; PyTorch trains on the same bytes.
digits=$(mktemp -d)
cargo run --release --quiet --package flambeau-examples --bin dump_digits -- "$digits"
"$python" mnist.py "$digits" 0 2 2>/dev/null >mnist_synthetic.txt
for seed in 0 1 2 3; do
    "$python" mnist.py "$digits" "$seed" 1 2>&1 >/dev/null
done >first_losses.txt
for threads in 1 2; do
    for script in mnist_cnn vae dcgan siamese mnist_rnn vit; do
        made $script $script "$digits" 0 6 $threads
    done
done
rm -r "$digits"
