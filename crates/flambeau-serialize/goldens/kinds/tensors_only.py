"""Files of safetensors, right and wrong. The library itself says which are which."""

import json
import struct
import tempfile

import safetensors
import safetensors.torch
import torch

from .truth import refused, value

FOUR = struct.pack("<4f", 0.0, 1.0, 2.5, -3.0)


def by_hand(header, data=FOUR, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def as_library(data, *words):
    """Its own tensors, or that it refuses."""
    try:
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            file.write(data)
            file.flush()
            return data, value(torch.load(file.name))
    except Exception:
        return data, refused(*words or ("corrupt",))


def entry(dtype="F32", shape=(4,), offsets=(0, 16), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def right():
    save = safetensors.torch.save
    special = torch.tensor([0.0, -0.0, 1.5, float("inf"), float("nan")])
    dtypes = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
    for dtype in dtypes:
        x = special if dtype.is_floating_point else torch.tensor([0, 1, 100])
        yield f"dtype_{str(dtype)[6:]}", *as_library(save({"x": x.to(dtype)}))
    yield "all_dtypes", *as_library(save({str(dtype)[6:]: torch.ones(3).to(dtype) for dtype in dtypes}))
    yield "empty", *as_library(save({}))
    yield "zero_size", *as_library(save({"a": torch.empty(0), "b": torch.empty(0, 3), "c": torch.ones(1)}))
    yield "scalar", *as_library(save({"s": torch.tensor(2.5), "i": torch.tensor(7)}))
    yield "many_dims", *as_library(save({"x": torch.ones([1] * 10 + [2])}))
    yield "metadata", *as_library(save({"x": torch.ones(2)}, metadata={"note": "grüße \"quoted\""}))
    yield "metadata_two", *as_library(by_hand({"__metadata__": {"format": "pt", "b": ""}, "x": entry()}))
    yield "names", *as_library(save({"a.b.c": torch.ones(1), "": torch.zeros(1), "é🔥": torch.ones(2), "with space": torch.ones(3), 'q"\\': torch.ones(1)}))
    yield "order", *as_library(save({name: torch.full((n + 1,), float(n)) for n, name in enumerate(["z", "a", "m", "B"])}))
    yield "many", *as_library(save({f"layers.{n}.weight": torch.full((2,), float(n)) for n in range(100)}))
    yield "bool_bytes", *as_library(by_hand({"x": entry("BOOL", (4,), (0, 4))}, b"\x00\x02\xff\x01"))
    yield "unaligned", *as_library(by_hand({"a": entry("U8", (1,), (0, 1)), "b": entry("F32", (1,), (1, 5))}, b"\x07" + FOUR[4:8]))
    yield "header_order", *as_library(by_hand({"b": entry("F32", (2,), (8, 16)), "a": entry("F32", (2,), (0, 8))}))
    yield "spaces_in_header", *as_library(by_hand(json.dumps({"x": entry()}, indent=3).encode() + b"    "))
    yield "metadata_empty", *as_library(by_hand({"__metadata__": {}, "x": entry()}))
    yield "metadata_only", *as_library(by_hand({"__metadata__": {"a": "b"}}, b""))
    yield "escaped_name", *as_library(by_hand(b'{"\\u00e9\\n":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'))
    yield "surrogate_name", *as_library(by_hand(b'{"\\ud800":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'))
    for name in ["uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "complex64"]:
        tag = {"uint16": "U16|uint16", "uint32": "U32|uint32", "uint64": "U64|uint64", "complex64": "C64|complex64"}.get(name, name + "|F8")
        yield f"lacks_{name}", save({"x": torch.ones(2).to(getattr(torch, name))}), refused(tag)
    yield "extra_fields", *as_library(by_hand({"x": entry(note="more")}))
    yield "shared_offsets", *as_library(by_hand({"a": entry(), "b": entry()}))


def wrong():
    good = by_hand({"x": entry()})
    cases = {
        "no_bytes": b"", "seven_bytes": good[:7], "header_length_only": good[:8], "header_cut": good[:20], "data_cut": good[:-1], "data_missing": good[:-16],
        "trailing": good + b"\0", "length_huge": by_hand({"x": entry()}, length=2**63), "length_max": by_hand({"x": entry()}, length=2**64 - 1),
        "length_over_100mb": by_hand({"x": entry()}, length=100_000_001), "length_one_more": by_hand({"x": entry()}, length=len(good) - 7),
        "length_zero": by_hand(b"", b""), "array": by_hand([1]), "null": by_hand(b"null"), "number": by_hand(b"5"), "not_json": by_hand(b"{nope}"),
        "not_utf8": by_hand(b'{"\xff":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'), "bom": by_hand(b"\xef\xbb\xbf" + json.dumps({"x": entry()}).encode()),
        "leading_space": by_hand(b" " + json.dumps({"x": entry()}).encode()), "dtype_unknown": by_hand({"x": entry("F33")}), "dtype_lower": by_hand({"x": entry("f32")}),
        "dtype_number": by_hand({"x": entry(5)}), "shape_negative": by_hand({"x": entry(shape=(-4,))}), "shape_float": by_hand({"x": entry(shape=(4.0,))}),
        "shape_text": by_hand({"x": {**entry(), "shape": "4"}}), "shape_product_overflow": by_hand({"x": entry(shape=(2**32, 2**32, 4))}),
        "shape_wraps": by_hand({"x": entry(shape=(2**62 + 1, 4))}), "shape_too_large": by_hand({"x": entry(shape=(5,))}), "shape_zero_huge": by_hand({"x": entry(shape=(0, 2**63), offsets=(0, 0)), "y": entry()}),
        "shape_1e400": by_hand(b'{"x":{"dtype":"F32","shape":[1e400],"data_offsets":[0,16]}}'), "offsets_reversed": by_hand({"x": entry(offsets=(16, 0))}),
        "offsets_beyond": by_hand({"x": entry(offsets=(16, 32))}), "offsets_negative": by_hand({"x": entry(offsets=(-16, 0))}), "offsets_three": by_hand({"x": entry(offsets=(0, 8, 16))}),
        "offsets_one": by_hand({"x": entry(offsets=(16,))}), "offsets_huge": by_hand({"x": entry(offsets=(2**64 - 16, 2**64 - 1))}), "offsets_float": by_hand({"x": entry(offsets=(0.0, 16.0))}),
        "hole": by_hand({"a": entry(shape=(1,), offsets=(0, 4)), "b": entry(shape=(2,), offsets=(8, 16))}), "overlap": by_hand({"a": entry(shape=(3,), offsets=(0, 12)), "b": entry(shape=(2,), offsets=(8, 16))}),
        "starts_late": by_hand({"x": entry(shape=(3,), offsets=(4, 16))}), "ends_early": by_hand({"x": entry(shape=(3,), offsets=(0, 12))}),
        "duplicate": by_hand(b'{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'),
        "missing_dtype": by_hand({"x": {"shape": [4], "data_offsets": [0, 16]}}), "missing_shape": by_hand({"x": {"dtype": "F32", "data_offsets": [0, 16]}}),
        "missing_offsets": by_hand({"x": {"dtype": "F32", "shape": [4]}}), "entry_null": by_hand({"x": None}), "metadata_number": by_hand({"__metadata__": {"a": 1}, "x": entry()}),
        "metadata_text": by_hand({"__metadata__": "a", "x": entry()}), "deep_json": by_hand(b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        "deep_metadata": by_hand(b'{"__metadata__":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"), "many_dims_huge": by_hand({"x": entry(shape=[1] * 100_000 + [4])}),
        "garbage": bytes(range(256)), "nan": by_hand(b'{"x":{"dtype":"F32","shape":[NaN],"data_offsets":[0,16]}}'), "text": b"hello, this is no tensor file at all",
        "second_object": by_hand(json.dumps({"x": entry()}).encode() + b"{}"), "open": by_hand(b'{"x":{"dtype":"F32"'),
    }  # fmt: skip
    # What the library reads and need not be read.
    allowed = {"many_dims_huge": "dimension", "duplicate": "twice"}
    for name, data in cases.items():
        data, truth = as_library(data, "corrupt|cannot load|not a safetensors")
        yield name, data, truth | refused(allowed[name]) if name in allowed else truth


def files():
    for part, prefix in ((right, "st"), (wrong, "badst")):
        for name, data, truth in part():
            yield f"{prefix}_{name}.safetensors", data, truth
