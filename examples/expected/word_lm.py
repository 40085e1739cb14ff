"""A language model over words, an LSTM or a transformer: what examples/word_lm.rs prints. python word_lm.py MODEL SEED STEPS

Mirrors pytorch/examples' word_language_model.
"""
import math
import sys

import torch
from torch import nn
from torch.nn import functional as F

WORDS = [
    ["the", "a", "one", "every"],
    ["small", "old", "red", "quiet", "quick"],
    ["cat", "ship", "child", "river", "lamp", "bird"],
    ["sees", "finds", "follows", "leaves"],
]
PARTS = [0, 1, 2, 3, 0, 2]


class Dictionary:
    def __init__(self):
        self.word2idx = {}
        self.idx2word = []

    def add_word(self, word):
        if word not in self.word2idx:
            self.idx2word.append(word)
            self.word2idx[word] = len(self.idx2word) - 1
        return self.word2idx[word]


class Corpus:
    def __init__(self):
        self.dictionary = Dictionary()
        self.train, self.valid, self.test = (self.tokenize(sentences(n)) for n in (1500, 150, 150))

    def tokenize(self, lines):
        return torch.tensor([self.dictionary.add_word(w) for line in lines for w in line.split() + ["<eos>"]])


def sentences(n):
    """Sentences drawn from a small grammar."""
    draw = lambda words: words[torch.randint(len(words), (1,)).item()]
    return [" ".join(draw(WORDS[part]) for part in PARTS) for _ in range(n)]


class RNNModel(nn.Module):
    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout, tie_weights):
        super().__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        self.init_weights()
        self.nhid, self.nlayers = nhid, nlayers

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -initrange, initrange)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        output = self.drop(output)
        decoded = self.decoder(output).view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid)


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout, max_len=5000):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        pe = pe.unsqueeze(0).transpose(0, 1)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return self.dropout(x + self.pe[: x.size(0), :])


class TransformerModel(nn.Module):
    def __init__(self, ntoken, ninp, nhead, nhid, nlayers, dropout):
        super().__init__()
        self.pos_encoder = PositionalEncoding(ninp, dropout)
        layer = nn.TransformerEncoderLayer(ninp, nhead, nhid, dropout)
        self.encoder = nn.TransformerEncoder(layer, nlayers, enable_nested_tensor=False)
        self.input_emb = nn.Embedding(ntoken, ninp)
        self.ninp = ninp
        self.decoder = nn.Linear(ninp, ntoken)
        self.init_weights()

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.input_emb.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -initrange, initrange)

    def forward(self, src):
        src_mask = torch.log(torch.tril(torch.ones(len(src), len(src))))
        src = self.input_emb(src) * math.sqrt(self.ninp)
        src = self.pos_encoder(src)
        output = self.encoder(src, mask=src_mask)
        return F.log_softmax(self.decoder(output), dim=-1)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous()


def repackage_hidden(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


BPTT = 35


def get_batch(source, i):
    seq_len = min(BPTT, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].view(-1)


kind, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
torch.manual_seed(seed)
corpus = Corpus()
ntokens = len(corpus.dictionary.idx2word)
train_data, val_data = batchify(corpus.train, 20), batchify(corpus.valid, 10)
if kind == "Transformer":
    model = TransformerModel(ntokens, 64, 2, 64, 2, 0.2)
else:
    model = RNNModel(kind, ntokens, 64, 64, 2, 0.2, True)
print(model)
criterion = nn.NLLLoss()
lr = 5.0


def evaluate(data_source):
    model.eval()
    total_loss = 0.0
    hidden = None if kind == "Transformer" else model.init_hidden(10)
    with torch.no_grad():
        for i in range(0, data_source.size(0) - 1, BPTT):
            data, targets = get_batch(data_source, i)
            if kind == "Transformer":
                output = model(data).view(-1, ntokens)
            else:
                output, hidden = model(data, hidden)
                hidden = repackage_hidden(hidden)
            total_loss += len(data) * criterion(output, targets).item()
    return total_loss / (len(data_source) - 1)


model.train()
hidden = None if kind == "Transformer" else model.init_hidden(20)
for batch, i in enumerate(range(0, train_data.size(0) - 1, BPTT)):
    if batch == steps:
        break
    data, targets = get_batch(train_data, i)
    model.zero_grad()
    if kind == "Transformer":
        output = model(data).view(-1, ntokens)
    else:
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
    loss = criterion(output, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    for p in model.parameters():
        p.data.add_(p.grad, alpha=-lr)
    print(f"| epoch 1 | {batch}/{len(train_data) // BPTT} batches | loss {loss.item():.7f} | ppl {math.exp(loss.item()):.4f}")
val_loss = evaluate(val_data)
print(f"| end of epoch 1 | valid loss {val_loss:.5f} | valid ppl {math.exp(val_loss):.3f}")
test_loss = evaluate(batchify(corpus.test, 10))
print(f"| End of training | test loss {test_loss:.5f} | test ppl {math.exp(test_loss):.3f}")
