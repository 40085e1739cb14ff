//! What has names in it: dictionaries, and lists of pairs.

use crate::Value;

impl<T> Value<T> {
    /// Keys and values of a dictionary, or of a list of pairs with a text first, which Python's `dict` makes one of (of an
    /// empty list too); `None` of anything else.
    pub(crate) fn entries(&self) -> Option<Vec<(&Value<T>, &Value<T>)>> {
        let pair = |item: &'_ Value<T>| matches!(item, Value::Tuple(pair) if matches!(&pair[..], [Value::Str(_), _]));
        match self {
            Value::Dict(dict) => Some(dict.iter().collect()),
            Value::List(items) if items.iter().all(pair) => {
                Some(items.iter().filter_map(|item| item.as_slice()).map(|pair| (&pair[0], &pair[1])).collect())
            }
            _ => None,
        }
    }
}
