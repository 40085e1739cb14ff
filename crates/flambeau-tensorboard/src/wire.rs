//! Protocol buffers, as far as events need them: fields in the order of their numbers, as Google's encoder writes them.

/// A message that is being written. A field that has its type's default value takes no room, but for those that say so.
#[derive(Clone, Default)]
pub(crate) struct Message(Vec<u8>);

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Message {
    pub(crate) fn new() -> Self {
        Message::default()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, kind: u64) {
        push_varint(&mut self.0, u64::from(field) << 3 | kind);
    }

    /// An integer, a truth value or an enum.
    pub(crate) fn int(mut self, field: u32, value: i64) -> Self {
        if value != 0 {
            self.key(field, VARINT);
            push_varint(&mut self.0, value as u64);
        }
        self
    }

    /// A double of a choice between fields (`oneof`): written also where it is zero.
    pub(crate) fn chosen_double(mut self, field: u32, value: f64) -> Self {
        self.key(field, FIXED64);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn double(self, field: u32, value: f64) -> Self {
        if value.to_bits() == 0 { self } else { self.chosen_double(field, value) }
    }

    /// A float of a choice between fields: written also where it is zero.
    pub(crate) fn chosen_float(mut self, field: u32, value: f32) -> Self {
        self.key(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn float(self, field: u32, value: f32) -> Self {
        if value.to_bits() == 0 { self } else { self.chosen_float(field, value) }
    }

    /// Bytes or a text of a list or of a choice: written also where they are empty.
    pub(crate) fn chosen_bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.key(field, BYTES);
        push_varint(&mut self.0, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn bytes(self, field: u32, value: impl AsRef<[u8]>) -> Self {
        if value.as_ref().is_empty() { self } else { self.chosen_bytes(field, value) }
    }

    /// A message in this one: written also where it is empty.
    pub(crate) fn message(self, field: u32, value: Message) -> Self {
        self.chosen_bytes(field, value.0)
    }

    /// The fields of another message after these.
    pub(crate) fn append(mut self, rest: Message) -> Self {
        self.0.extend(rest.0);
        self
    }

    /// Several messages, one after the other.
    pub(crate) fn messages(self, field: u32, values: impl IntoIterator<Item = Message>) -> Self {
        values.into_iter().fold(self, |message, value| message.message(field, value))
    }

    /// A list of numbers, packed: each as `write` writes it.
    pub(crate) fn packed<T>(
        self,
        field: u32,
        values: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Vec<u8>, T),
    ) -> Self {
        let mut bytes = Vec::new();
        values.into_iter().for_each(|value| write(&mut bytes, value));
        self.bytes(field, bytes)
    }

    pub(crate) fn doubles(self, field: u32, values: impl IntoIterator<Item = f64>) -> Self {
        self.packed(field, values, |out, value| out.extend(value.to_le_bytes()))
    }

    pub(crate) fn floats(self, field: u32, values: impl IntoIterator<Item = f32>) -> Self {
        self.packed(field, values, |out, value| out.extend(value.to_le_bytes()))
    }

    pub(crate) fn ints(self, field: u32, values: impl IntoIterator<Item = i64>) -> Self {
        self.packed(field, values, |out, value| push_varint(out, value as u64))
    }
}
