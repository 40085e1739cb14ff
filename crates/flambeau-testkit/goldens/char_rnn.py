"""The losses of a character model's first steps, with dropout between the layers: what tests/modules/recurrent.rs trains beside.

    python crates/flambeau-testkit/goldens/char_rnn.py
"""
import pathlib

import torch
from torch import nn

TEXT = "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs. "
LETTERS = sorted(set(TEXT))


class CharRNN(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), 12)
        self.rnn = getattr(nn, kind)(12, 16, num_layers=2, batch_first=True, dropout=0.25)
        self.head = nn.Linear(16, len(LETTERS))

    def forward(self, x, state=None):
        y, state = self.rnn(self.embedding(x), state)
        return self.head(y), state


def losses(kind):
    torch.manual_seed(0)
    model, criterion = CharRNN(kind), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    codes = torch.tensor([LETTERS.index(c) for c in TEXT])
    # Four parts of the text side by side; the state goes on from window to window.
    parts, state, out = codes[:84].reshape(4, 21), None, []
    for step in range(20):
        start = step % 2 * 10
        x, y = parts[:, start:start + 10], parts[:, start + 1:start + 11]
        logits, state = model(x, state)
        state = tuple(s.detach() for s in state) if kind == "LSTM" else state.detach()
        loss = criterion(logits.reshape(-1, len(LETTERS)), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        out.append(loss.item())
    return out


if __name__ == "__main__":
    torch.set_num_threads(1)
    lines = [" ".join([kind, *map(repr, losses(kind))]) for kind in ("LSTM", "GRU", "RNN")]
    (pathlib.Path(__file__).parent / "data" / "char_rnn.txt").write_text("\n".join(lines) + "\n")
