//! Laws of the primitives: every view of memory gives what a dense copy of it gives, and every scalar function gives what
//! plain f64 arithmetic gives.

mod concurrency;
mod indexing;
mod layout;
mod lines;
mod matmul;
mod pointwise;
mod reduce;
mod rows;
mod support;
