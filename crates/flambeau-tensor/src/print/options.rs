//! `torch.set_printoptions`.

use std::sync::{PoisonError, RwLock};

/// How tensors print. The setters carry PyTorch's keyword names, for [`set_printoptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrintOptions {
    /// Digits after the point of floats (4).
    pub precision: usize,
    /// The most elements that print in full; more are summarised (1000).
    pub threshold: usize,
    /// Elements kept at each end of a summarised dimension (3).
    pub edgeitems: usize,
    /// Characters per line (80).
    pub linewidth: usize,
    /// Scientific notation: always, never, or as the values ask (`None`).
    pub sci_mode: Option<bool>,
}

/// A named set of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Four digits, three edge items.
    Default,
    /// Two digits, two edge items.
    Short,
    /// As the default, but never summarised.
    Full,
}

impl PrintOptions {
    const DEFAULT: Self = Self { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80, sci_mode: None };

    /// Sets the digits after the point.
    pub fn precision(self, precision: usize) -> Self {
        Self { precision, ..self }
    }

    /// Sets the most elements that print in full.
    pub fn threshold(self, threshold: usize) -> Self {
        Self { threshold, ..self }
    }

    /// Sets the elements kept at each end of a summarised dimension.
    pub fn edgeitems(self, edgeitems: usize) -> Self {
        Self { edgeitems, ..self }
    }

    /// Sets the characters per line.
    pub fn linewidth(self, linewidth: usize) -> Self {
        Self { linewidth, ..self }
    }

    /// Turns scientific notation on, off, or to the values' choice (`None`).
    pub fn sci_mode(self, sci_mode: impl Into<Option<bool>>) -> Self {
        Self { sci_mode: sci_mode.into(), ..self }
    }

    /// Takes over a profile; later setters change it.
    pub fn profile(self, profile: Profile) -> Self {
        let named = match profile {
            Profile::Default => Self::DEFAULT,
            Profile::Short => Self::DEFAULT.precision(2).edgeitems(2),
            Profile::Full => Self::DEFAULT.threshold(usize::MAX),
        };
        named.sci_mode(self.sci_mode)
    }
}

impl Default for PrintOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

static OPTIONS: RwLock<PrintOptions> = RwLock::new(PrintOptions::DEFAULT);

/// The options that `Display` uses: `torch.get_printoptions()`.
pub fn printoptions() -> PrintOptions {
    *OPTIONS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the options of the process: `torch.set_printoptions(precision=2)` is
/// `set_printoptions(|o| o.precision(2))`. What is not set stays, except `sci_mode`, which PyTorch resets in each call.
pub fn set_printoptions(change: impl FnOnce(PrintOptions) -> PrintOptions) {
    let new = change(printoptions().sci_mode(None));
    *OPTIONS.write().unwrap_or_else(PoisonError::into_inner) = new;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stay_until_set_and_sci_mode_resets() {
        set_printoptions(|o| o.precision(2).sci_mode(true));
        assert_eq!(printoptions(), PrintOptions { precision: 2, sci_mode: Some(true), ..PrintOptions::default() });
        set_printoptions(|o| o.linewidth(40));
        assert_eq!(printoptions(), PrintOptions { precision: 2, linewidth: 40, ..PrintOptions::default() });
        set_printoptions(|o| o.profile(Profile::Short).edgeitems(1));
        assert_eq!(printoptions(), PrintOptions { precision: 2, edgeitems: 1, ..PrintOptions::default() });
        set_printoptions(|o| o.profile(Profile::Default));
        assert_eq!(printoptions(), PrintOptions::default());
    }
}
