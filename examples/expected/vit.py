"""A small vision transformer on the digits: what examples/vit.rs prints. python vit.py DIGITS SEED STEPS

Mirrors pytorch/examples' vision_transformer.
"""
import sys
from itertools import islice

import torch
from torch import nn, optim

from digits import Digits

IMAGE, PATCH, DIM, HEADS, LAYERS, MLP, CLASSES = 28, 7, 64, 4, 4, 128, 10


class PatchExtractor(nn.Module):
    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    def forward(self, x):
        b, c, h, w = x.size()
        p = self.patch_size
        patches = x.unfold(2, p, p).unfold(3, p, p).contiguous().view(b, c, -1, p, p)
        return patches.permute(0, 2, 3, 4, 1).contiguous().view(b, (h // p) * (w // p), -1)


class InputEmbedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear_projection = nn.Linear(PATCH * PATCH, DIM)
        self.class_token = nn.Parameter(torch.randn(1, 1, DIM))
        self.pos_embedding = nn.Parameter(torch.randn(1, (IMAGE // PATCH) ** 2 + 1, DIM))
        self.patch_extractor = PatchExtractor(PATCH)

    def forward(self, x):
        x = self.linear_projection(self.patch_extractor(x))
        b, n, _ = x.shape
        x = torch.cat((self.class_token.expand(b, -1, -1), x), dim=1)
        return x + self.pos_embedding[:, : n + 1, :]


class EncoderBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(DIM)
        self.attention = nn.MultiheadAttention(DIM, HEADS, dropout=0.1, batch_first=True)
        self.norm2 = nn.LayerNorm(DIM)
        self.mlp = nn.Sequential(
            nn.Linear(DIM, MLP), nn.GELU(), nn.Dropout(0.1), nn.Linear(MLP, DIM), nn.Dropout(0.1)
        )

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = InputEmbedding()
        self.encoder = nn.ModuleList([EncoderBlock() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(DIM)
        self.classifier = nn.Linear(DIM, CLASSES)

    def forward(self, x):
        x = self.embedding(x)
        for block in self.encoder:
            x = block(x)
        return self.classifier(self.norm(x[:, 0]))


folder, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
torch.manual_seed(seed)
train_loader = torch.utils.data.DataLoader(Digits(folder, "train"), batch_size=64, shuffle=True)
test_set = Digits(folder, "t10k")
model = ViT()
print(model)
criterion = nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
model.train()
for batch, (data, target) in enumerate(islice(train_loader, steps)):
    optimizer.zero_grad()
    loss = criterion(model(data), target)
    loss.backward()
    optimizer.step()
    print(f"Train Epoch: 1 [{batch * len(data)}/{len(train_loader.dataset)}]\tLoss: {loss.item():.7f}")
model.eval()
with torch.no_grad():
    labels = torch.from_numpy(test_set.labels[:500]).long()
    output = model(test_set.images[:500].float().div(255).unsqueeze(1))
    loss = criterion(output, labels).item()
    correct = output.argmax(dim=1).eq(labels).sum().item()
    print(f"Test set: Average loss: {loss:.4f}, Accuracy: {correct}/{len(labels)}")
