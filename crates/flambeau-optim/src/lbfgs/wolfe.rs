//! The line search by the strong Wolfe conditions (Nocedal, Wright, chapter 3; after minFunc, as PyTorch's).

use super::{Objective, dot, largest};
use crate::error::{Error, Result};
use crate::number::Num;
use flambeau_autograd::Tensor;

/// How much of the slope's promise a point must keep, and how much of the slope may be left.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// How small a bracket may become.
const TOLERANCE: f64 = 1e-9;

/// Where a search starts.
pub(super) struct Start<'a> {
    /// The parameters there.
    pub copies: Vec<Tensor>,
    pub d: &'a Tensor,
    pub loss: Num,
    pub grad: &'a Tensor,
    /// The derivative along d.
    pub slope: Num,
}

/// A point on the line.
#[derive(Clone)]
pub(super) struct Point {
    pub t: Num,
    pub loss: Num,
    pub grad: Handle,
    slope: Num,
}

/// A gradient that several points share: a `Tensor`'s `clone` is a copy.
pub(super) type Handle = std::sync::Arc<Tensor>;

pub(super) struct Found {
    pub point: Point,
    pub evaluations: i64,
}

/// The parameters' loss and gradient at t; they return to where they were.
fn point(objective: &mut Objective<'_>, start: &Start<'_>, t: Num) -> Result<Point> {
    objective.advance(t, start.d)?;
    let (loss, grad) = objective.evaluate()?;
    objective.restore(&start.copies)?;
    let slope = dot(&grad, start.d)?;
    Ok(Point { t, loss, grad: Handle::new(grad), slope })
}

/// The minimum of the cubic through two points with their slopes, within bounds.
fn interpolated(a: &Point, b: &Point, bounds: Option<(Num, Num)>) -> Num {
    let (low, high) = bounds.unwrap_or(if a.t <= b.t { (a.t, b.t) } else { (b.t, a.t) });
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1.pow(2.0) - a.slope * b.slope;
    if square >= Num::from(0.0) {
        let d2 = square.sqrt();
        let least = if a.t <= b.t {
            b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2))
        } else {
            a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2.0 * d2))
        };
        return least.max(low).min(high);
    }
    (low + high) / 2.0
}

/// A point along d from `start`, first tried at t, by at most `most` further evaluations.
pub(super) fn search(objective: &mut Objective<'_>, start: &Start<'_>, mut t: Num, most: i64) -> Result<Found> {
    let reach = largest(start.d)?;
    let zero = Num::from(0.0);
    let origin = Point {
        t: Num::Number(flambeau_tensor::Scalar::Int(0)),
        loss: start.loss,
        grad: Handle::new(start.grad.shallow_clone()),
        slope: start.slope,
    };
    let promised = |t: Num| start.loss + DECREASE * t * start.slope;
    let flat = |p: &Point| p.slope.abs() <= -CURVATURE * start.slope;
    let mut new = point(objective, start, t)?;
    let (mut evaluations, mut rounds) = (1, 0);

    // An interval that holds such a point, or the point itself.
    let mut previous = origin.clone();
    let mut bracket: Option<[Point; 2]> = None;
    while rounds < most {
        if new.loss > promised(t) || (rounds > 1 && new.loss >= previous.loss) || (!flat(&new) && new.slope >= zero) {
            bracket = Some([previous.clone(), new.clone()]);
            break;
        }
        if flat(&new) {
            return Ok(Found { point: new, evaluations });
        }
        let bounds = (t + 0.01 * (t - previous.t), t * 10.0);
        t = interpolated(&previous, &new, Some(bounds));
        previous = new;
        new = point(objective, start, t)?;
        evaluations += 1;
        rounds += 1;
    }
    if rounds == most {
        bracket = Some([origin, new]);
    }
    let Some(mut ends) = bracket else {
        // What Python says of a variable that no branch set.
        let what = "cannot access local variable 'bracket_f' where it is not associated with a value";
        return Err(Error::Runtime(what.into()));
    };

    // The interval shrinks around the point.
    let order = |ends: &[Point; 2]| if ends[0].loss <= ends[1].loss { (0, 1) } else { (1, 0) };
    let (mut low, mut high) = order(&ends);
    let mut stuck = false;
    while rounds < most {
        if (ends[1].t - ends[0].t).abs() * reach < Num::from(TOLERANCE) {
            break;
        }
        t = interpolated(&ends[0], &ends[1], None);
        let (most_t, least_t) = (ends[0].t.max(ends[1].t), ends[0].t.min(ends[1].t));
        let margin = 0.1 * (most_t - least_t);
        if (most_t - t).min(t - least_t) < margin {
            // Twice near an end, or at one, is no progress.
            if stuck || t >= most_t || t <= least_t {
                let near_most = (t - most_t).abs() < (t - least_t).abs();
                t = if near_most { most_t - margin } else { least_t + margin };
                stuck = false;
            } else {
                stuck = true;
            }
        } else {
            stuck = false;
        }
        let new = point(objective, start, t)?;
        evaluations += 1;
        rounds += 1;
        if new.loss > promised(t) || new.loss >= ends[low].loss {
            ends[high] = new;
            (low, high) = order(&ends);
            continue;
        }
        let done = flat(&new);
        if !done && new.slope * (ends[high].t - ends[low].t) >= zero {
            ends[high] = ends[low].clone();
        }
        ends[low] = new;
        if done {
            break;
        }
    }
    Ok(Found { point: ends[low].clone(), evaluations })
}
