//! Progress bars around any iterator: Python's package `tqdm`.

mod meter;

pub use meter::{Meter, format_meter};

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::time::Instant;

/// Seconds between two lines where nobody looks at a terminal.
const BETWEEN_LINES: f64 = 10.0;
/// How much the newest rate counts in the mean.
const SMOOTHING: f64 = 0.3;

/// Options of [`tqdm_with`] under tqdm's names.
pub struct TqdmOptions {
    desc: String,
    total: Option<usize>,
    leave: bool,
    ncols: usize,
    mininterval: f64,
    unit: String,
    disable: bool,
    terminal: bool,
    file: Box<dyn Write>,
}

impl TqdmOptions {
    fn new() -> Self {
        let columns = std::env::var("COLUMNS").ok().and_then(|n| n.parse().ok());
        TqdmOptions {
            desc: String::new(),
            total: None,
            leave: true,
            ncols: columns.unwrap_or(80),
            mininterval: 0.1,
            unit: "it".to_owned(),
            disable: false,
            terminal: stderr().is_terminal(),
            file: Box::new(stderr()),
        }
    }

    /// What stands before the bar. Default: nothing.
    #[must_use]
    pub fn desc(mut self, desc: impl Into<String>) -> Self {
        self.desc = desc.into();
        self
    }

    /// How many items there are. Default: what the iterator says, if it knows.
    #[must_use]
    pub fn total(mut self, total: usize) -> Self {
        self.total = Some(total);
        self
    }

    /// Whether the bar stays when it is done. Default: true.
    #[must_use]
    pub fn leave(mut self, leave: bool) -> Self {
        self.leave = leave;
        self
    }

    /// How wide the line is. Default: the variable `COLUMNS`, or 80.
    #[must_use]
    pub fn ncols(mut self, columns: usize) -> Self {
        self.ncols = columns;
        self
    }

    /// Seconds between two drawings of the bar. Default: 0.1.
    #[must_use]
    pub fn mininterval(mut self, seconds: f64) -> Self {
        self.mininterval = seconds;
        self
    }

    /// What an item is called. Default: `it`.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Whether nothing is shown. Default: false.
    #[must_use]
    pub fn disable(mut self, disable: bool) -> Self {
        self.disable = disable;
        self
    }

    /// Where the bar is written, and whether that is a terminal. Default: standard error.
    #[must_use]
    pub fn file(mut self, file: impl Write + 'static, is_terminal: bool) -> Self {
        (self.file, self.terminal) = (Box::new(file), is_terminal);
        self
    }
}

struct State {
    options: TqdmOptions,
    n: usize,
    postfix: String,
    start: Instant,
    /// When and at which item the bar was drawn last.
    drawn: Option<(Instant, usize)>,
    /// Means of items and of seconds between two drawings.
    pace: (f64, f64),
    /// How many characters stand on the terminal's line.
    shown: usize,
    closed: bool,
}

impl State {
    fn line(&self) -> String {
        let (items, seconds) = self.pace;
        format_meter(&Meter {
            n: self.n,
            total: self.options.total,
            elapsed: self.start.elapsed().as_secs_f64(),
            ncols: Some(self.options.ncols),
            prefix: &self.options.desc,
            unit: &self.options.unit,
            rate: (seconds > 0.0 && items > 0.0 && !self.closed).then(|| items / seconds),
            postfix: &self.postfix,
        })
    }

    /// Puts a text in the place of the line. What the terminal refuses is not worth an error.
    fn put(&mut self, text: &str) {
        let count = text.chars().count();
        let rest = " ".repeat(self.shown.saturating_sub(count));
        let _ = write!(self.options.file, "\r{text}{rest}");
        let _ = self.options.file.flush();
        self.shown = count;
    }

    /// Shows the bar, if it is time.
    fn draw(&mut self, now: bool) {
        let o = &self.options;
        if o.disable || self.closed {
            return;
        }
        let interval = if o.terminal { o.mininterval } else { BETWEEN_LINES };
        // Seconds as a number, as an interval may be endless.
        let since = self.drawn.map_or_else(|| self.start.elapsed(), |(at, _)| at.elapsed()).as_secs_f64();
        let due = if o.terminal { self.drawn.is_none() || now } else { false };
        if !due && since < interval {
            return;
        }
        let done = (self.n - self.drawn.map_or(0, |(_, n)| n)) as f64;
        if done > 0.0 {
            let mean = |old: f64, new: f64| SMOOTHING * new + (1.0 - SMOOTHING) * old;
            self.pace = (mean(self.pace.0, done), mean(self.pace.1, since));
        }
        self.drawn = Some((Instant::now(), self.n));
        let line = self.line();
        if self.options.terminal {
            self.put(&line);
        } else {
            let _ = writeln!(self.options.file, "{line}");
        }
    }

    fn close(&mut self) {
        if self.closed || self.options.disable {
            return;
        }
        self.closed = true;
        let line = self.line();
        match (self.options.terminal, self.options.leave) {
            (true, true) => {
                self.put(&line);
                let _ = writeln!(self.options.file);
            }
            (true, false) => {
                self.put("");
                let _ = write!(self.options.file, "\r");
            }
            (false, true) => {
                let _ = writeln!(self.options.file, "{line}");
            }
            (false, false) => {}
        }
        let _ = self.options.file.flush();
    }
}

/// An iterator with a progress bar: what [`tqdm`] gives. Loop over it, or over a reference where the loop tells it things.
pub struct Tqdm<I> {
    items: RefCell<I>,
    state: RefCell<State>,
    /// The reference's loop is over.
    over: Cell<bool>,
}

/// Shows how far a loop is, on standard error: `tqdm(iterable)`. On a terminal it is tqdm's bar; elsewhere a line now and then, and one at
/// the end.
///
/// ```
/// use flambeau_data::progress::tqdm;
/// let bar = tqdm(0..100);
/// bar.set_description("epoch 1");
/// let mut sum = 0;
/// for i in &bar {
///     sum += i;
///     bar.set_postfix([("sum", sum)]);
/// }
/// assert_eq!(sum, 4950);
/// for _ in tqdm(vec!["a", "b"]) {}
/// ```
pub fn tqdm<T: IntoIterator>(iterable: T) -> Tqdm<T::IntoIter> {
    tqdm_with(iterable, |o| o)
}

/// [`tqdm`] with its keywords: `desc`, `total`, `leave`, `ncols`, `mininterval`, `unit`, `disable`, `file`.
pub fn tqdm_with<T: IntoIterator>(iterable: T, options: impl FnOnce(TqdmOptions) -> TqdmOptions) -> Tqdm<T::IntoIter> {
    let items = iterable.into_iter();
    let mut options = options(TqdmOptions::new());
    let (least, most) = items.size_hint();
    options.total = options.total.or_else(|| most.filter(|&most| most == least));
    let state = State {
        options,
        n: 0,
        postfix: String::new(),
        start: Instant::now(),
        drawn: None,
        pace: (0.0, 0.0),
        shown: 0,
        closed: false,
    };
    Tqdm { items: RefCell::new(items), state: RefCell::new(state), over: Cell::new(false) }
}

/// `tqdm(range(n))`.
pub fn trange(n: usize) -> Tqdm<std::ops::Range<usize>> {
    tqdm(0..n)
}

impl<I> Tqdm<I> {
    /// Sets what stands before the bar.
    pub fn set_description(&self, desc: impl Into<String>) {
        let mut state = self.state.borrow_mut();
        state.options.desc = desc.into();
        state.draw(true);
    }

    /// Sets what stands at the end, as `loss=0.5, accuracy=0.9`: numbers with three digits.
    pub fn set_postfix<'a, V: Display>(&self, values: impl IntoIterator<Item = (&'a str, V)>) {
        let part = |(name, value): (&str, V)| format!("{name}={}", meter::short(&value.to_string()));
        self.set_postfix_str(values.into_iter().map(part).collect::<Vec<_>>().join(", "));
    }

    /// Sets what stands at the end, as it is.
    pub fn set_postfix_str(&self, text: impl Into<String>) {
        let mut state = self.state.borrow_mut();
        state.postfix = text.into();
        // Shown with the next item, as a loop sets it at each step.
        state.draw(false);
    }

    /// Goes on by `n` items: for what is no loop over an iterator.
    pub fn update(&self, n: usize) {
        let mut state = self.state.borrow_mut();
        state.n += n;
        state.draw(false);
    }

    /// How many items are done.
    pub fn n(&self) -> usize {
        self.state.borrow().n
    }

    /// Prints a line on standard output above the bar: `tqdm.write(text)`.
    pub fn write(&self, text: impl Display) {
        let mut state = self.state.borrow_mut();
        if state.options.terminal && !state.options.disable {
            state.put("");
            let _ = write!(state.options.file, "\r");
            let _ = state.options.file.flush();
        }
        println!("{text}");
        state.draw(true);
    }

    /// Ends the bar; the end of its scope does so too.
    pub fn close(&self) {
        self.state.borrow_mut().close();
    }
}

impl<I: Iterator> Tqdm<I> {
    fn step(&self) -> Option<I::Item> {
        if self.over.get() {
            return None;
        }
        self.state.borrow_mut().draw(false);
        let item = self.items.borrow_mut().next();
        if item.is_none() {
            self.over.set(true);
            self.close();
        }
        item
    }
}

impl<I> Drop for Tqdm<I> {
    fn drop(&mut self) {
        self.state.get_mut().close();
    }
}

/// The items of a [`Tqdm`]; an item is done when the next one is asked for.
pub struct Items<T> {
    bar: T,
    begun: bool,
}

impl<I: Iterator, T: std::ops::Deref<Target = Tqdm<I>>> Iterator for Items<T> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if std::mem::replace(&mut self.begun, true) && !self.bar.over.get() {
            self.bar.update(1);
        }
        self.bar.step()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.bar.items.borrow().size_hint()
    }
}

impl<'a, I: Iterator> IntoIterator for &'a Tqdm<I> {
    type Item = I::Item;
    type IntoIter = Items<&'a Tqdm<I>>;

    fn into_iter(self) -> Self::IntoIter {
        Items { bar: self, begun: false }
    }
}

impl<I: Iterator> IntoIterator for Tqdm<I> {
    type Item = I::Item;
    type IntoIter = Items<Box<Tqdm<I>>>;

    fn into_iter(self) -> Self::IntoIter {
        Items { bar: Box::new(self), begun: false }
    }
}
