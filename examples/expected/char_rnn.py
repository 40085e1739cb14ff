"""Tells from a name's letters which language it is from, with a recurrent network of linear layers: what examples/char_rnn.rs
prints.

Mirrors the PyTorch tutorial "Classifying names with a character-level RNN".
"""
import sys

import torch
from torch import nn

NAMES = {
    "Italian": ["Rossi", "Ferrari", "Bianchi", "Colombo", "Ricci", "Marino", "Greco", "Bruno"],
    "German": ["Schmidt", "Schneider", "Fischer", "Weber", "Wagner", "Becker", "Schulz", "Hoffmann"],
    "Japanese": ["Sato", "Suzuki", "Takahashi", "Tanaka", "Watanabe", "Ito", "Yamamoto", "Nakamura"],
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def encode(name):
    """One line per letter, with a one at the letter's place."""
    out = torch.zeros(len(name), 1, len(LETTERS))
    for i, letter in enumerate(name):
        out[i, 0, LETTERS.find(letter)] = 1
    return out


class RNN(nn.Module):
    def __init__(self, letters, hidden, languages):
        super().__init__()
        self.hidden_size = hidden
        self.i2h = nn.Linear(letters, hidden)
        self.h2h = nn.Linear(hidden, hidden)
        self.h2o = nn.Linear(hidden, languages)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, x, hidden):
        hidden = torch.tanh(self.i2h(x) + self.h2h(hidden))
        return self.softmax(self.h2o(hidden)), hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


def main(seed):
    torch.manual_seed(seed)
    languages = list(NAMES)
    rnn = RNN(len(LETTERS), 32, len(languages))
    criterion = nn.NLLLoss()
    optimizer = torch.optim.SGD(rnn.parameters(), lr=0.02)
    print(rnn)

    def read(name):
        hidden = rnn.init_hidden()
        for letter in encode(name):
            output, hidden = rnn(letter, hidden)
        return output

    total = 0.0
    for step in range(1, 1001):
        language = torch.randint(0, len(languages), (1,)).item()
        name = NAMES[languages[language]][torch.randint(0, 8, (1,)).item()]
        loss = criterion(read(name), torch.tensor([language]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        if step % 200 == 0:
            print(f"step {step}: mean loss {total / 200:.4f}")
            total = 0.0
    with torch.no_grad():
        for name in ("Romano", "Schwarz", "Matsumoto"):
            output = read(name)
            best = output.argmax(1).item()
            print(f"{name}: {languages[best]} ({output[0, best].exp().item():.2f})")


main(int(sys.argv[1]))
