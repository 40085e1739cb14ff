//! A graph attention network that finds the communities of a small graph. Mirrors pytorch/examples, gat/main.py (Veličković et
//! al., Graph Attention Networks, 2018); `expected/gat.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example gat -- --seed 0`

use clap::Parser;
use flambeau_examples::options;
use torch::nn::{Parameter, init};
use torch::prelude::*;

#[derive(Parser)]
#[command(name = "gat")]
struct Options {
    /// Seed of the graph, the initial weights and dropout.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Nodes that know most of their community and few others; their features are noise with a hint.
fn graph(nodes: i64, communities: i64) -> (Tensor, Tensor, Tensor) {
    let community = torch::arange(nodes).remainder(communities);
    let same = community.unsqueeze(0).eq(community.unsqueeze(1));
    let likely = torch::where_(&same, 0.6, 0.03);
    let upper = torch::rand((nodes, nodes)).lt(likely).triu_diagonal(1);
    let adjacency = upper.logical_or(upper.T()).logical_or(torch::eye(nodes).bool()).float();
    let features = torch::randn((nodes, 16)) + F::one_hot(&community, 16);
    (features, adjacency, community)
}

#[derive(Module)]
#[allow(non_snake_case, reason = "the names of the state dict")]
struct GraphAttention {
    W: Parameter,
    a: Parameter,
    softmax: nn::Softmax,
    heads: usize,
    hidden: usize,
    concat: bool,
    dropout: f64,
}

impl GraphAttention {
    fn new(in_features: usize, out_features: usize, heads: usize, concat: bool, dropout: f64) -> Self {
        let hidden = if concat { out_features / heads } else { out_features };
        let layer = GraphAttention {
            W: Parameter::new(torch::empty((in_features, hidden * heads))),
            a: Parameter::new(torch::empty((heads, 2 * hidden, 1))),
            softmax: nn::Softmax::new(1),
            heads,
            hidden,
            concat,
            dropout,
        };
        init::xavier_normal_(&layer.W);
        init::xavier_normal_(&layer.a);
        layer
    }
}

#[nn::forward]
impl GraphAttention {
    fn forward(&self, h: &Tensor, adjacency: &Tensor) -> Tensor {
        let nodes = h.size_dim(0);
        let h = torch::mm(h, &self.W);
        let h = F::dropout(h, self.dropout, self.training());
        let h = h.view((nodes, self.heads, self.hidden)).permute((1, 0, 2));
        let source = torch::matmul(&h, self.a.i((.., ..self.hidden as i64, ..)));
        let target = torch::matmul(&h, self.a.i((.., self.hidden as i64.., ..)));
        let e = F::leaky_relu_slope(source + target.mT(), 0.2);
        let attention = torch::where_(adjacency.gt(0), &e, -9e16 * torch::ones_like(&e));
        let attention = attention.softmax(-1);
        let attention = F::dropout(attention, self.dropout, self.training());
        let h = torch::matmul(attention, h);
        match self.concat {
            true => h.permute((1, 0, 2)).contiguous().view((nodes, self.heads * self.hidden)),
            false => h.mean_dim(0, false),
        }
    }
}

#[derive(Module)]
#[allow(clippy::upper_case_acronyms, reason = "the name that is printed")]
struct GAT {
    gat1: GraphAttention,
    gat2: GraphAttention,
}

impl GAT {
    fn new(in_features: usize, hidden: usize, classes: usize, heads: usize) -> Self {
        GAT {
            gat1: GraphAttention::new(in_features, hidden, heads, true, 0.2),
            gat2: GraphAttention::new(hidden, classes, 1, false, 0.2),
        }
    }
}

#[nn::forward]
impl GAT {
    fn forward(&self, x: &Tensor, adjacency: &Tensor) -> Tensor {
        let x = F::elu(self.gat1.call(x, adjacency));
        F::log_softmax(self.gat2.call(x, adjacency), 1)
    }
}

fn main() {
    let Options { seed } = options::parse();
    torch::manual_seed(seed);
    let (features, adjacency, community) = graph(60, 3);
    let train = torch::arange(60).remainder(4).eq(0);
    let net = GAT::new(16, 24, 3, 4);
    println!("{net}");
    let optimizer = optim::Adam::with(net.parameters(), 0.01, |o| o.weight_decay(5e-4));
    for epoch in 1..=60 {
        net.train();
        optimizer.zero_grad();
        let loss = F::nll_loss(net.call(&features, &adjacency).i(&train), community.i(&train));
        loss.backward();
        optimizer.step();
        if epoch % 10 == 0 {
            net.eval();
            let _guard = torch::no_grad();
            let found = net.call(&features, &adjacency).argmax_dim(1, false);
            let right = found.eq(&community).float().mean();
            println!("epoch {epoch}: loss {loss:.4}, accuracy {right:.3}");
        }
    }
}
