//! An operation that fails inside a module panics at the line of whoever called the module, as far as the line is known.

use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{self as nn, Call, Forward, Module, ModuleState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// A layer of the user's, with a wrong shape of its own.
#[derive(Module)]
struct Wrong {
    inner: nn::Linear,
    state: ModuleState,
}

const WRONG_LINE: u32 = line!() + 4;

impl Forward for Wrong {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.inner.call(x.view([7]))
    }
}

/// A layer of the user's whose own layer gets a wrong shape.
#[derive(Module)]
struct Passes {
    relu: nn::ReLU,
    inner: nn::Linear,
}

const INNER_LINE: u32 = line!() + 4;

impl Forward for Passes {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.inner.call(self.relu.call(x))
    }
}

impl Wrong {
    fn new() -> Self {
        Wrong { inner: nn::Linear::new(2, 2), state: ModuleState::new() }
    }
}

/// A layer of the user's that panics in words of its own.
#[derive(Module)]
struct Panics;

const PANICS_LINE: u32 = line!() + 4;

impl Forward for Panics {
    fn forward(&self, _: &Tensor) -> Tensor {
        panic!("no forward today")
    }
}

#[test]
fn errors_in_modules_are_at_the_callers_line() {
    static SEEN: Mutex<Vec<(String, u32, String)>> = Mutex::new(Vec::new());
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let at = info.location().unwrap();
        let text = info.payload().downcast_ref::<String>().cloned();
        let text = text.or_else(|| info.payload().downcast_ref::<&str>().map(|t| (*t).to_owned()));
        SEEN.lock().unwrap().push((at.file().to_owned(), at.line(), text.unwrap()));
    }));
    let x = ones([2, 3]);
    let linear = || nn::Linear::new(4, 2);
    let flat = nn::Sequential::new((nn::ReLU::new(), linear()));
    let nested = nn::Sequential::new((nn::Sequential::new((nn::ReLU::new(), nn::Sequential::new((linear(),)))),));
    let boxed: Box<dyn Forward> = Box::new(nn::Sequential::new((linear(),)));
    let list: Vec<Box<dyn Forward>> = vec![Box::new(nn::ReLU::new()), Box::new(linear())];
    let shared: std::sync::Arc<dyn Forward> = std::sync::Arc::new(linear());
    let hooked = nn::Sequential::new((linear(),));
    let handle = hooked.register_forward_hook(|_, _, _| None);
    let bare = linear();
    let bare_handle = bare.register_forward_pre_hook(|_, _| None);
    let own = nn::Sequential::new((Wrong::new(),));
    let inner = nn::Sequential::new((Passes { relu: nn::ReLU::new(), inner: linear() },));
    let panics = nn::Sequential::new((nn::ReLU::new(), Panics));
    let words = "addmm: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x2)";
    let shape = "shape '[7]' is invalid for input of size 6";
    let calls: [(u32, &str, &str, &dyn Fn()); 10] = [
        (line!(), words, "", &|| drop(linear().call(&x))),
        (line!(), words, "1 (Linear)", &|| drop(flat.call(&x))),
        (line!(), words, "0.1.0 (Linear)", &|| drop(nested.call(&x))),
        (line!(), words, "0 (Linear)", &|| drop(boxed.call(&x))),
        (line!(), words, "", &|| drop(list[1].call(&x))),
        (line!(), words, "", &|| drop(shared.call(&x))),
        (line!(), words, "0 (Linear)", &|| drop(hooked.call(&x))),
        (line!(), words, "", &|| drop(bare.call(&x))),
        (WRONG_LINE, shape, "0 (Wrong)", &|| drop(own.call(&x))),
        (INNER_LINE, words, "0.inner (Linear)", &|| drop(inner.call(&x))),
    ];
    let mut wrong = Vec::new();
    for (line, words, place, call) in calls {
        let words = if place.is_empty() { words.to_owned() } else { format!("{words}\n  in {place}") };
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
        // One panic, told once.
        if seen != [(file!().to_owned(), line, words)] || payload.downcast_ref::<String>().is_none() {
            wrong.push((line, seen));
        }
    }
    catch_unwind(AssertUnwindSafe(|| panics.call(&x))).unwrap_err();
    let seen = std::mem::take(&mut *SEEN.lock().unwrap());
    if seen != [(file!().to_owned(), PANICS_LINE, "no forward today".to_owned())] {
        wrong.push((PANICS_LINE, seen));
    }
    // Nothing is left behind: an operation of the library's own lines panics where it is called.
    catch_unwind(AssertUnwindSafe(|| x.view([7]))).unwrap_err();
    let here = line!() - 1;
    let seen = std::mem::take(&mut *SEEN.lock().unwrap());
    if seen.len() != 1 || seen[0].1 != here {
        wrong.push((here, seen));
    }
    std::panic::set_hook(former);
    assert!(wrong.is_empty(), "{wrong:#?}");
    handle.remove();
    bare_handle.remove();
}
