//! Which layers run, in which order: hooks on every module of a model.

use super::LayerInfo;
use crate::{HookHandle, Module};
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

type Id = (usize, TypeId);

/// The hooks on a model's modules, which go when this is dropped, and what they saw.
pub(super) struct Recording {
    seen: Arc<Mutex<Seen>>,
    hooks: HashMap<Id, [HookHandle; 2]>,
}

#[derive(Default)]
struct Seen {
    /// All modules of the tree, with the place of the one that holds each.
    tree: Vec<(LayerInfo, Option<usize>, Id)>,
    /// The rows, each with its place in the tree.
    rows: Vec<LayerInfo>,
    /// The newest row of each module.
    newest: HashMap<Id, usize>,
    known: std::collections::HashSet<Id>,
}

impl Seen {
    /// A module's forward begins: it gets a row.
    fn begin(&mut self, place: usize) {
        let (info, _, id) = &self.tree[place];
        let mut row = info.clone();
        row.is_recursive = !self.known.insert(*id);
        self.newest.insert(*id, self.rows.len());
        self.rows.push(row);
    }
}

fn id(module: &dyn Module) -> Id {
    (std::ptr::from_ref(module).cast::<()>().addr(), module.type_id())
}

impl Recording {
    pub(super) fn new(model: &dyn Module, runs: bool) -> Self {
        let mut recording = Recording { seen: Arc::default(), hooks: HashMap::new() };
        let mut stack = vec![(model.type_name().to_owned(), model, 0, None)];
        while let Some((name, module, depth, parent)) = stack.pop() {
            let (id, place) = (id(module), recording.with(|seen| seen.tree.len()));
            recording.with(|seen| seen.tree.push((LayerInfo::new(&name, module, depth, place), parent, id)));
            if !runs {
                recording.with(|seen| seen.begin(place));
            } else if crate::module::can_carry_hooks(module) {
                recording.hook(module, id, place);
            }
            let children = module.named_children().into_iter().rev();
            stack.extend(children.map(|(name, child)| (name, child, depth + 1, Some(place))));
        }
        recording
    }

    fn with<R>(&self, f: impl FnOnce(&mut Seen) -> R) -> R {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Of a module in several places the last one tells its name.
    fn hook(&mut self, module: &dyn Module, id: Id, place: usize) {
        let lock = |seen: &Mutex<Seen>, f: &mut dyn FnMut(&mut Seen)| {
            f(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
        };
        let seen = self.seen.clone();
        let before = module.register_forward_pre_hook(move |_, _| {
            lock(&seen, &mut |seen| seen.begin(place));
            None
        });
        let seen = self.seen.clone();
        let after = module.register_forward_hook(move |module, input, output| {
            lock(&seen, &mut |seen| {
                if let Some(&row) = seen.newest.get(&id) {
                    seen.rows[row].ran(module, input, output);
                }
            });
            None
        });
        if let Some(former) = self.hooks.insert(id, [before, after]) {
            former.into_iter().for_each(HookHandle::remove);
        }
    }

    /// The rows, containers that only hold others among them, each with its number and the rows in it.
    pub(super) fn finish(self) -> Vec<LayerInfo> {
        let mut seen = self.with(std::mem::take);
        drop(self);
        seen.add_containers();
        let Seen { mut rows, .. } = seen;
        let mut counts = HashMap::new();
        for i in 0..rows.len() {
            let depth = rows[i].depth;
            let count: &mut usize = counts.entry(depth).or_default();
            *count += 1;
            rows[i].depth_index = *count;
            let within = rows[i + 1..].iter().take_while(|row| row.depth > depth).count();
            rows[i].children = (i + 1..i + 1 + within).collect();
        }
        // torchinfo has one object for all rows of such a container, so that they all are as the last one.
        for i in (0..rows.len()).filter(|&i| !rows[i].stands_alone).collect::<Vec<_>>() {
            let last = rows.iter().rposition(|row| !row.stands_alone && row.place == rows[i].place).unwrap_or(i);
            let LayerInfo { is_recursive, depth_index, children, .. } = rows[last].clone();
            (rows[i].is_recursive, rows[i].depth_index, rows[i].children) = (is_recursive, depth_index, children);
        }
        rows
    }
}

impl Seen {
    /// Puts the modules that hold a row's, and did not run themselves, before it.
    fn add_containers(&mut self) {
        let mut current: HashMap<usize, Id> = HashMap::new();
        let mut at = 0;
        while at < self.rows.len() {
            let (depth, place) = (self.rows[at].depth, self.rows[at].place);
            let mut above = Vec::new();
            let mut parent = self.tree[place].1;
            while let Some(place) = parent {
                above.push(place);
                parent = self.tree[place].1;
            }
            // The model itself stands first.
            above.pop();
            for &place in above.iter().rev() {
                let (info, _, id) = &self.tree[place];
                if current.get(&info.depth) != Some(id) {
                    let mut row = info.clone();
                    row.is_recursive = !self.known.insert(*id);
                    row.stands_alone = false;
                    current.insert(info.depth, *id);
                    self.rows.insert(at, row);
                    at += 1;
                }
            }
            current.insert(depth, self.tree[place].2);
            current.retain(|&d, _| d <= depth);
            at += 1;
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        for (_, hooks) in self.hooks.drain() {
            hooks.into_iter().for_each(HookHandle::remove);
        }
    }
}
