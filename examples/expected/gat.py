"""A graph attention network that finds the communities of a small graph: what examples/gat.rs prints.

Mirrors pytorch/examples, gat/main.py (Veličković et al., Graph Attention Networks, 2018).
"""
import sys

import torch
import torch.nn.functional as F
from torch import nn


def graph(nodes, communities):
    """Nodes that know most of their community and few others; their features are noise with a hint."""
    community = torch.arange(nodes) % communities
    same = community.unsqueeze(0) == community.unsqueeze(1)
    likely = torch.where(same, 0.6, 0.03)
    upper = (torch.rand(nodes, nodes) < likely).triu(1)
    adjacency = (upper | upper.T | torch.eye(nodes).bool()).float()
    features = torch.randn(nodes, 16) + F.one_hot(community, 16)
    return features, adjacency, community


class GraphAttention(nn.Module):
    def __init__(self, in_features, out_features, heads, concat, dropout):
        super().__init__()
        self.heads, self.concat, self.dropout = heads, concat, dropout
        self.hidden = out_features // heads if concat else out_features
        self.W = nn.Parameter(torch.empty(in_features, self.hidden * heads))
        self.a = nn.Parameter(torch.empty(heads, 2 * self.hidden, 1))
        self.softmax = nn.Softmax(dim=1)
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def forward(self, h, adjacency):
        nodes = h.size(0)
        h = torch.mm(h, self.W)
        h = F.dropout(h, self.dropout, training=self.training)
        h = h.view(nodes, self.heads, self.hidden).permute(1, 0, 2)
        source = torch.matmul(h, self.a[:, : self.hidden, :])
        target = torch.matmul(h, self.a[:, self.hidden :, :])
        e = F.leaky_relu(source + target.mT, 0.2)
        attention = torch.where(adjacency > 0, e, -9e16 * torch.ones_like(e))
        attention = F.softmax(attention, dim=-1)
        attention = F.dropout(attention, self.dropout, training=self.training)
        h = torch.matmul(attention, h)
        if self.concat:
            return h.permute(1, 0, 2).contiguous().view(nodes, self.heads * self.hidden)
        return h.mean(dim=0)


class GAT(nn.Module):
    def __init__(self, in_features, hidden, classes, heads):
        super().__init__()
        self.gat1 = GraphAttention(in_features, hidden, heads, True, 0.2)
        self.gat2 = GraphAttention(hidden, classes, 1, False, 0.2)

    def forward(self, x, adjacency):
        x = F.elu(self.gat1(x, adjacency))
        return F.log_softmax(self.gat2(x, adjacency), dim=1)


def main(seed):
    torch.manual_seed(seed)
    features, adjacency, community = graph(60, 3)
    train = torch.arange(0, 60) % 4 == 0
    net = GAT(16, 24, 3, 4)
    print(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=5e-4)
    for epoch in range(1, 61):
        net.train()
        optimizer.zero_grad()
        loss = F.nll_loss(net(features, adjacency)[train], community[train])
        loss.backward()
        optimizer.step()
        if epoch % 10 == 0:
            net.eval()
            with torch.no_grad():
                found = net(features, adjacency).argmax(dim=1)
            right = (found == community).float().mean().item()
            print(f"epoch {epoch}: loss {loss.item():.4f}, accuracy {right:.3f}")


main(int(sys.argv[1]))
