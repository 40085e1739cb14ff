"""A small GPT over characters: what examples/gpt.rs prints.

Mirrors nanoGPT's train.py with its configuration train_shakespeare_char, at a quarter of the width. The time per step goes to
standard error.
"""
import argparse
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

VALIDATED_AT_ONCE = 64


class LayerNorm(nn.Module):
    """LayerNorm whose bias is optional."""

    def __init__(self, ndim, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(ndim))
        self.bias = nn.Parameter(torch.zeros(ndim)) if bias else None

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class CausalSelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head, self.n_embd, self.dropout = config.n_head, config.n_embd, config.dropout

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0, is_causal=True)
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        return self.resid_dropout(self.c_proj(y))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU()
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = LayerNorm(config.n_embd, config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = LayerNorm(config.n_embd, config.bias)
        self.mlp = MLP(config)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = LayerNorm(config.n_embd, config.bias)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.transformer = Transformer(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.apply(self.init_weights)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * config.n_layer))

    def init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, idx, targets=None):
        _, t = idx.size()
        pos = torch.arange(t, dtype=torch.long, device=idx.device)
        x = self.transformer.drop(self.transformer.wte(idx) + self.transformer.wpe(pos))
        for block in self.transformer.h:
            x = block(x)
        x = self.transformer.ln_f(x)
        if targets is None:
            return self.lm_head(x[:, [-1], :]), None
        logits = self.lm_head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

    def configure_optimizers(self, weight_decay, learning_rate, betas):
        params = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in params if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, temperature=1.0, top_k=None):
        for _ in range(max_new_tokens):
            logits, _ = self(idx[:, -self.config.block_size :])
            logits = logits[:, -1, :] / temperature
            if top_k is not None:
                v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
                logits[logits < v[:, [-1]]] = -float("inf")
            probs = F.softmax(logits, dim=-1)
            idx = torch.cat((idx, torch.multinomial(probs, num_samples=1)), dim=1)
        return idx


def sums():
    """A text to learn without a file: sums of two numbers below 40."""
    return "".join(f"{a} + {b} = {a + b}\n" for a in range(40) for b in range(40))


def validation_loss(model, data, block_size, amp):
    """Mean loss over the whole split, cut into blocks one after the other."""
    n = (len(data) - 1) // block_size
    x, y = data[: n * block_size].view(n, block_size), data[1 : n * block_size + 1].view(n, block_size)
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", enabled=amp):
        parts = zip(x.split(VALIDATED_AT_ONCE), y.split(VALIDATED_AT_ONCE))
        total = sum(len(a) * model(a, b)[1].item() for a, b in parts)
    model.train()
    return total / n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--eval-interval", type=int, default=250)
    parser.add_argument("--log-interval", type=int, default=10)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    for name, value in (("n-layer", 4), ("n-head", 4), ("n-embd", 128), ("block-size", 64), ("batch-size", 12)):
        parser.add_argument(f"--{name}", type=int, default=value)
    config = parser.parse_args()
    config.bias, config.dropout = False, 0.0
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)

    text = open(config.data).read() if config.data else sums()
    chars = sorted(set(text))
    config.vocab_size = len(chars)
    stoi = {c: i for i, c in enumerate(chars)}
    data = torch.tensor([stoi[c] for c in text])
    n = int(0.9 * len(data))
    train_data, val_data = data[:n], data[n:]

    model = GPT(config)
    count = sum(p.numel() for p in model.parameters())
    print(f"{len(text)} characters, {len(chars)} different; {count} parameters")
    optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99))

    def get_lr(it, learning_rate=1e-3, min_lr=1e-4, warmup_iters=100):
        if it < warmup_iters:
            return learning_rate * (it + 1) / (warmup_iters + 1)
        ratio = (it - warmup_iters) / (config.steps - warmup_iters)
        return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (learning_rate - min_lr)

    def get_batch():
        ix = torch.randint(len(train_data) - config.block_size, (config.batch_size,))
        x = torch.stack([train_data[i : i + config.block_size] for i in ix])
        y = torch.stack([train_data[i + 1 : i + 1 + config.block_size] for i in ix])
        return x, y

    start = time.time()
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = get_lr(step)
        if step % config.eval_interval == 0:
            print(f"step {step}: validation loss {validation_loss(model, val_data, config.block_size, config.amp):.7f}", flush=True)
            start_steps, start = step, time.time()
        x, y = get_batch()
        with torch.autocast("cpu", enabled=config.amp):
            _, loss = model(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % config.log_interval == 0:
            print(f"step {step}: loss {loss.item():.7f}", flush=True)
    if config.steps:
        print(f"{(time.time() - start) / (config.steps - start_steps) * 1e3:.2f} ms a step", file=sys.stderr)
    print(f"step {config.steps}: validation loss {validation_loss(model, val_data, config.block_size, config.amp):.7f}")
    if config.sample:
        model.eval()
        out = model.generate(torch.zeros((1, 1), dtype=torch.long), config.sample, temperature=0.8, top_k=200)
        print("".join(chars[i] for i in out[0, 1:].tolist()))


main()
