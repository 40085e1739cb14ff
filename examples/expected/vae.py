"""A variational autoencoder of digits: what examples/vae.rs prints. python vae.py DIGITS SEED STEPS

Mirrors pytorch/examples' vae.
"""
import sys
from itertools import islice

import torch
from torch import nn, optim
from torch.nn import functional as F

from digits import Digits


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 784), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


folder, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
torch.manual_seed(seed)
train_loader = torch.utils.data.DataLoader(Digits(folder, "train"), batch_size=128, shuffle=True)
test_set = Digits(folder, "t10k")
model = VAE()
print(model)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
model.train()
for batch, (data, _) in enumerate(islice(train_loader, steps)):
    optimizer.zero_grad()
    recon_batch, mu, logvar = model(data)
    loss = loss_function(recon_batch, data, mu, logvar)
    loss.backward()
    optimizer.step()
    print(f"Train Epoch: 1 [{batch * len(data)}/{len(train_loader.dataset)}]\tLoss: {(loss / len(data)).item():.7f}")
model.eval()
with torch.no_grad():
    data = test_set.images[:500].float().div(255).unsqueeze(1)
    recon_batch, mu, logvar = model(data)
    test_loss = loss_function(recon_batch, data, mu, logvar).item()
    print(f"====> Test set loss: {test_loss / len(data):.4f}")
    print(model.decode(torch.randn(4, 20)).view(4, 28, 28).sum((1, 2)))
