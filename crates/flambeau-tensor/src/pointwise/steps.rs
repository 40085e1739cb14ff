//! A program's steps as backends take them.

use super::{Node, NodeId};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The nodes and results of a program.
#[derive(Debug)]
pub(super) struct Steps {
    pub nodes: Vec<Node>,
    pub outputs: SmallVec<[NodeId; 2]>,
    structure: OnceLock<&'static Structure>,
}

/// What a program computes, apart from dtype rules and derivatives: one for all programs with the same steps, so that a
/// backend finds its compiled form by a number.
#[derive(Debug)]
pub struct Structure {
    /// The number.
    pub id: u32,
    /// [`super::Pointwise::nodes`].
    pub nodes: Vec<Node>,
    /// [`super::Pointwise::outputs`].
    pub outputs: SmallVec<[NodeId; 2]>,
}

impl Steps {
    pub fn new(nodes: Vec<Node>, outputs: SmallVec<[NodeId; 2]>) -> Self {
        Steps { nodes, outputs, structure: OnceLock::new() }
    }

    /// The structure of these steps. Made once and kept for the program's life: programs are few, their calls many.
    #[inline]
    pub fn structure(&self) -> &'static Structure {
        self.structure.get_or_init(|| self.intern())
    }

    fn intern(&self) -> &'static Structure {
        type Key = (Vec<Node>, SmallVec<[NodeId; 2]>);
        static ALL: Mutex<Option<HashMap<Key, &'static Structure>>> = Mutex::new(None);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        let id = all.len() as u32;
        let (nodes, outputs) = (self.nodes.clone(), self.outputs.clone());
        all.entry((nodes.clone(), outputs.clone()))
            .or_insert_with(|| Box::leak(Box::new(Structure { id, nodes, outputs })))
    }
}
