//! A list that grows through a shared reference.

use std::sync::OnceLock;

/// A list that only grows, through `&self`, so that what is in it can be lent for as long as the list lives.
pub(crate) struct Chain<T>(OnceLock<Box<Link<T>>>);

struct Link<T> {
    item: T,
    next: OnceLock<Box<Link<T>>>,
}

impl<T> Chain<T> {
    pub(crate) const fn new() -> Self {
        Chain(OnceLock::new())
    }

    /// Whether nothing was ever put in.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut place = &self.0;
        std::iter::from_fn(move || {
            let link = place.get()?;
            place = &link.next;
            Some(&link.item)
        })
    }

    /// Puts an item at the end.
    pub(crate) fn push(&self, item: T) -> &T {
        let (mut place, mut new) = (&self.0, Box::new(Link { item, next: OnceLock::new() }));
        loop {
            match place.set(new) {
                Ok(()) => return &place.get().expect("it was set").item,
                // Somebody stands here: go on behind.
                Err(back) => {
                    new = back;
                    place = &place.get().expect("it is set").next;
                }
            }
        }
    }
}

impl<T> Drop for Chain<T> {
    /// Link by link: a long list must not recurse.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut link) = next {
            next = link.next.take();
        }
    }
}

impl<T> FromIterator<T> for Chain<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let chain = Chain::new();
        for item in items {
            chain.push(item);
        }
        chain
    }
}
