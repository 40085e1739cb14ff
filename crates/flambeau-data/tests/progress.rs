//! Progress bars beside tqdm's: `goldens/meter.py` has the lines.

use flambeau_data::progress::{Meter, format_meter, tqdm_with, trange};
use serde_json::Value as Json;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[test]
fn lines_are_tqdms() {
    let golden: Json = serde_json::from_str(include_str!("../goldens/meter.json")).unwrap();
    for case in golden["lines"].as_array().unwrap() {
        let count = |name: &str| case[name].as_u64().map(|n| n as usize);
        let text = |name: &str| case[name].as_str().unwrap();
        let meter = Meter {
            n: count("n").unwrap(),
            total: count("total"),
            elapsed: case["elapsed"].as_f64().unwrap(),
            ncols: count("ncols"),
            prefix: text("prefix"),
            unit: text("unit"),
            rate: case["rate"].as_f64(),
            postfix: text("postfix"),
        };
        assert_eq!(format_meter(&meter), text("line"), "{case}");
    }
    for pair in golden["postfixes"].as_array().unwrap() {
        let (given, short) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let screen = Screen::default();
        let bar = tqdm_with(0..1, |o| o.file(screen.clone(), false));
        bar.set_postfix([("x", given)]);
        bar.close();
        assert!(screen.text().contains(&format!(", x={short}]")), "{given}: {}", screen.text());
    }
}

/// What was written.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_interval_may_be_endless() {
    for interval in [f64::INFINITY, f64::NAN, -1.0, 1e300] {
        let screen = Screen::default();
        for _ in tqdm_with(0..3, |o| o.file(screen.clone(), true).mininterval(interval)) {}
        assert!(screen.text().contains("3/3"), "{}", screen.text());
    }
}

#[test]
fn a_terminal_has_one_line_that_changes() {
    let screen = Screen::default();
    let bar = tqdm_with(vec![1, 2, 3], |o| o.file(screen.clone(), true).mininterval(0.0).desc("sum"));
    let mut sum = 0;
    for x in &bar {
        sum += x;
        bar.set_postfix([("sum", sum)]);
    }
    assert_eq!((sum, bar.n()), (6, 3));
    drop(bar);
    let text = screen.text();
    assert!(text.starts_with("\rsum:   0%|"), "{text:?}");
    assert_eq!(text.matches('\n').count(), 1, "{text:?}");
    let last = text.trim_end().rsplit('\r').next().unwrap();
    assert!(last.starts_with("sum: 100%|██") && last.contains("| 3/3 [00:00<00:00, "), "{last}");
    assert!(last.ends_with("it/s, sum=6]"), "{last}");
}

#[test]
fn a_pipe_has_lines_and_a_disabled_bar_nothing() {
    let screen = Screen::default();
    for _ in tqdm_with(0..1000, |o| o.file(screen.clone(), false)) {}
    let text = screen.text();
    assert_eq!(text.lines().count(), 1, "only the end of a short loop: {text:?}");
    assert!(text.starts_with("100%|") && text.contains(" 1000/1000 [") && !text.contains('\r'), "{text:?}");

    let screen = Screen::default();
    let bar = tqdm_with(std::iter::empty::<()>(), |o| o.file(screen.clone(), false).total(5).unit("step"));
    bar.update(2);
    bar.update(2);
    bar.close();
    bar.close();
    assert!(screen.text().contains("| 4/5 [00:00<"), "{:?}", screen.text());
    assert_eq!(screen.text().lines().count(), 1);

    let screen = Screen::default();
    let left: Vec<u8> = tqdm_with([1, 2], |o| o.file(screen.clone(), true).disable(true)).into_iter().collect();
    tqdm_with(0..3, |o| o.file(screen.clone(), false).leave(false)).into_iter().for_each(drop);
    assert_eq!((left, screen.text()), (vec![1, 2], String::new()));
    assert_eq!(trange(3).into_iter().sum::<usize>(), 3);
}

#[test]
fn a_loop_that_ends_early_shows_how_far_it_was() {
    let screen = Screen::default();
    for i in tqdm_with(0..10, |o| o.file(screen.clone(), false)) {
        if i == 4 {
            break;
        }
    }
    assert!(screen.text().contains(" 4/10 ["), "{:?}", screen.text());
}
