use flambeau_nn::{self as nn};

fn main() {
    let _net = nn::sequential![nn::Linear::new(1, 1), nn::MSELoss::new()];
    let _tuple = nn::Sequential::new((1, 2));
}
