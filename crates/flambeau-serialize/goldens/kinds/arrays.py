"""Files of NumPy: one array (npy) and archives of arrays (npz), right and wrong."""

import io
import struct
import warnings
import zipfile

import numpy as np

from . import asm
from .truth import array, either, refused

HELD = ["bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64"]
LACKED = ["uint16", "uint32", "uint64", "complex64", "complex128", "longdouble"]


def saved(x, version=None, **options):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.lib.format.write_array(out, np.asanyarray(x), version=version, **options)
    return out.getvalue()


def truth_of(x):
    return {"value": {"tree": array(x), "storages": []}}


def as_numpy(data, *words):
    """What `numpy.load` gives, or that it refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:
        return data, refused(*words or ("corrupt|cannot load",))
    if x.dtype.name not in HELD:
        return data, refused(f"{x.dtype.name}|{x.dtype.str}|descr|dtype")
    return data, truth_of(x)


def by_hand(header, data=bytes(range(16)), version=1, length=None):
    text = header.encode("utf-8" if version == 3 else "latin1")
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def head(descr="'<f4'", order="False", shape="(4,)", more=""):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {more}}}\n"


def right():
    for name in HELD:
        x = np.array([0, 1, 2, 100]).astype(name)
        yield f"dtype_{name}", *as_numpy(saved(x))
        if x.itemsize > 1:
            yield f"big_{name}", *as_numpy(saved(x.astype(x.dtype.newbyteorder(">"))))
    yield "special", *as_numpy(saved(np.array([0.0, -0.0, np.inf, -np.inf, np.nan])))
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    yield "c_order", *as_numpy(saved(x))
    yield "fortran", *as_numpy(saved(np.asfortranarray(x)))
    yield "fortran_big", *as_numpy(saved(np.asfortranarray(x.astype(">i2"))))
    yield "transposed", *as_numpy(saved(x.T))
    yield "strided", *as_numpy(saved(x[:, ::2, 1:3]))
    yield "zero_dim", *as_numpy(saved(np.float32(2.5)))
    yield "zero_dim_fortran", *as_numpy(by_hand(head(order="True", shape="()"), b"\0\0\x20\x40"))
    for n, shape in enumerate([(0,), (0, 3), (3, 0, 2)]):
        yield f"zero_size{n}", *as_numpy(saved(np.zeros(shape, np.int32)))
    yield "one", *as_numpy(saved(np.ones((1, 1, 1))))
    yield "many_dims", *as_numpy(saved(np.ones([1] * 30 + [2])))
    for version in (1, 2, 3):
        yield f"version{version}", *as_numpy(saved(x, version=(version, 0)))
    yield "bool_bytes", *as_numpy(by_hand(head("'|b1'"), b"\x00\x02\xff\x01"))
    yield "native_mark", *as_numpy(by_hand(head("'=f4'")))
    yield "bare_descr", *as_numpy(by_hand(head("'f4'")))
    yield "bar_mark", *as_numpy(by_hand(head("'|u1'", shape="(16,)")))
    yield "int_as_less", *as_numpy(by_hand(head("'<i1'", shape="(16,)")))
    yield "double_quotes", *as_numpy(by_hand('{"descr": "<f4", "fortran_order": False, "shape": (4,)}'))
    yield "keys_in_other_order", *as_numpy(by_hand("{'shape': (4,), 'fortran_order': False, 'descr': '<f4'}\n"))
    yield "spaces", *as_numpy(by_hand("   {  'descr' :'<f4' ,'fortran_order':False,\n 'shape':( 2 ,2 ) }     \n"))
    yield "python2_longs", *as_numpy(by_hand(head(shape="(2L, 2L)")))
    yield "shape_list", *as_numpy(by_hand(head(shape="[4]")))
    yield "shape_no_comma", *as_numpy(by_hand(head(shape="(4)")))
    for name, shape in (("underscores", "(1_6,)"), ("hex_shape", "(0x10,)")):
        data, truth = as_numpy(by_hand(head("'|u1'", shape=shape)))
        yield name, data, truth | refused("header")
    yield "trailing", *as_numpy(saved(x) + b"more")
    yield "long_header", *as_numpy(by_hand(head() + " " * 5000))
    yield "named_dtypes", *as_numpy(by_hand(head("'<d'", shape="(2,)")))
    yield "char_codes", *as_numpy(by_hand(head("'<h'", shape="(8,)")))
    yield "word_dtype", *as_numpy(by_hand(head("'float32'")))
    for name in LACKED:
        x = np.frombuffer(bytes(np.dtype(name).itemsize), name)
        yield f"lacks_{name}", saved(x), refused("|".join([x.dtype.name, x.dtype.str, x.dtype.str[1:]]))
    yield "text", saved(np.array(["ab", "c"])), refused("U2|str")
    yield "byte_text", saved(np.array([b"ab", b"c"])), refused("S2|bytes")
    yield "void", saved(np.zeros(2, "V3")), refused("V3|void")
    yield "dates", saved(np.array(["2020-01-01"], "datetime64[D]")), refused("M8|datetime")
    yield "spans", saved(np.array([5], "timedelta64[s]")), refused("m8|timedelta")
    yield "records", saved(np.zeros(2, [("a", "<i4"), ("b", "<f4")])), refused("struct|record|field|dtype|descr")
    yield "subarray", saved(np.zeros(2, [("a", "<i4", (2,))])), refused("struct|record|field|dtype|descr")
    yield "unicode_field", saved(np.zeros(2, [("é", "<i4")]), version=(3, 0)), refused("struct|record|field|dtype|descr")
    yield "objects", saved(np.array([1, "a", None], object)), refused("object|pickle")
    yield "object_bomb", by_hand(head("'|O'"), asm.pickle(asm.red(asm.g("os", "system"), asm.s("id")))), refused("object|pickle")


def wrong():
    good = by_hand(head())
    cases = {
        "no_bytes": b"", "magic_only": good[:6], "version_only": good[:8], "header_cut": good[:30], "data_cut": good[:-1], "data_missing": good[:-16],
        "version0": by_hand(head(), version=0), "version4": good[:6] + b"\x04\x00" + good[8:], "minor1": good[:7] + b"\x01" + good[8:],
        "length_lies": by_hand(head(), length=60000), "length_short": by_hand(head(), length=20), "length_zero": by_hand("", length=0), "length_max": by_hand(head(), version=2, length=2**32 - 1),
        "shape_negative": by_hand(head(shape="(-4,)")), "shape_two_negatives": by_hand(head(shape="(-2, -2)")), "shape_huge": by_hand(head(shape="(10000000000000,)")), "shape_overflow": by_hand(head(shape="(4294967296, 4294967296, 4)")),
        "shape_wraps": by_hand(head(shape="(4611686018427387905, 4)")), "shape_zero_huge": by_hand(head(shape="(0, 9223372036854775808)")), "shape_beyond_i64": by_hand(head(shape="(99999999999999999999999,)")),
        "shape_float": by_hand(head(shape="(4.0,)")), "shape_bool": by_hand(head(shape="(True, 4)")), "shape_text": by_hand(head(shape="('4',)")), "shape_none": by_hand(head(shape="None")), "shape_nested": by_hand(head(shape="((4,),)")),
        "order_number": by_hand(head(order="0")), "order_text": by_hand(head(order="'False'")), "order_none": by_hand(head(order="None")), "descr_none": by_hand(head("None")), "descr_number": by_hand(head("5")), "descr_unknown": by_hand(head("'<q9'")),
        "descr_empty": by_hand(head("''")), "descr_f3": by_hand(head("'<f3'")), "descr_list_empty": by_hand(head("[]")), "key_extra": by_hand(head(more="'x': 1")), "key_missing": by_hand("{'descr': '<f4', 'shape': (4,)}\n"),
        "key_twice": by_hand(head(more="'shape': (2,)")), "no_dict": by_hand("['descr']\n"), "call": by_hand("{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').getpid(),)}\n"),
        "sum": by_hand(head(shape="(2+2,)")), "expression": by_hand(head(shape="(9**9**9,)")), "open": by_hand("{'descr': '<f4', 'fortran_order': False, 'shape': (4,"), "two_dicts": by_hand(head() + head()),
        "nested_deep": by_hand(head(shape="(" * 5000 + "4" + ")" * 5000)), "nul": by_hand(head().replace(" ", "\0", 1)), "garbage_header": by_hand("\xff\xfe\x00garbage"), "not_utf8": good[:6] + b"\x03\x00" + struct.pack("<I", 4) + b"\xff\xfe{}",
        "long_header_lie": by_hand(head() + " " * 20000), "many_dims": by_hand(head("'|u1'", shape="(" + "1, " * 65 + ")"), b"\1"), "thousand_dims": by_hand(head("'|u1'", shape="(" + "1," * 10000 + ")"), b"\1", version=2),
        "no_magic": b"NUMPY" + good[6:], "comment": by_hand("# hi\n" + head()), "text_file": b"1.0 2.0 3.0\n",
    }  # fmt: skip
    for name, data in cases.items():
        data, truth = as_numpy(data, "corrupt|cannot load|not a")
        yield name, data, truth | refused("header") if name == "comment" else truth


def archives():
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, -1])

    def of(writer, *arrays, **named):
        out = io.BytesIO()
        writer(out, *arrays, **named)
        return out.getvalue()

    def read(data):
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            items = [[{"k": "str", "v": name.encode().hex()}, array(file[name])] for name in file.files]
        return data, {"value": {"tree": {"k": "dict", "kind": "dict", "items": items, "attributes": []}, "storages": []}}

    npy, other = saved(x), saved(y)
    yield "positional", *read(of(np.savez, x, y))
    yield "named", *read(of(np.savez, weight=x, bias=y, scalar=np.float64(3.0), flag=np.array(True)))
    yield "compressed", *read(of(np.savez_compressed, x=x, zeros=np.zeros(500)))
    yield "empty", *read(of(np.savez))
    yield "fortran", *read(of(np.savez, f=np.asfortranarray(x), big=y.astype(">i8"), t=x.T))
    yield "names", *read(of(np.savez, **{"a/b": x, "é": y, "with space": x, "layers.0.w": y, "x.npy": x}))
    yield "zero_size", *read(of(np.savez, e=np.zeros((0, 3)), s=np.int32(4)))
    yield "by_zip", *read(asm.zipped([("x.npy", npy), ("y.npy", other)]))
    yield "order", *read(asm.zipped([("z.npy", npy), ("a.npy", other)]))
    yield "comment", *read(asm.zipped([("x.npy", npy)], comment=b"hi"))
    yield "no_suffix", asm.zipped([("x", npy)]), {**read(asm.zipped([("x", npy)]))[1], **refused("x")}
    yield "other_member", asm.zipped([("x.npy", npy), ("notes.txt", b"hello")]), either(None, "notes.txt") | {"value": read(asm.zipped([("x.npy", npy)]))[1]["value"]}
    yield "folder", asm.zipped([("d/", b""), ("d/x.npy", npy)]), {**read(asm.zipped([("d/x.npy", npy)]))[1], **refused("d/")}
    for name in ("uint16", "complex64"):
        yield f"lacks_{name}", of(np.savez, x=x, bad=np.ones(2, name)), refused(name + ("|u2" if name == "uint16" else "|c8"), "bad")
    yield "objects", of(np.savez, x=x, o=np.array([None, 1], object)), refused("object|pickle", "o")
    whole = of(np.savez, weight=x, bias=y)
    for keep in (3, 10, 40, len(whole) // 2, len(whole) - 22, len(whole) - 1):
        yield f"cut{keep}", whole[:keep], refused("corrupt|cannot load")
    at = whole.index(x.tobytes()) + 4
    yield "crc", asm.flipped(whole, at), refused("corrupt", "weight")
    yield "inner_cut", asm.zipped([("x.npy", npy[:-4])]), refused("corrupt|cannot load", "x")
    yield "inner_garbage", asm.zipped([("x.npy", b"garbage")]), refused("corrupt|cannot load|not a", "x")
    yield "inner_empty", asm.zipped([("x.npy", b"")]), refused("corrupt|cannot load|empty", "x")
    yield "inner_huge_claim", asm.zipped([("x.npy", by_hand(head(shape="(1000000000000,)")))]), refused("corrupt|cannot load", "x")
    yield "traversal", asm.zipped([("../../etc/x.npy", npy)]), {**read(asm.zipped([("../../etc/x.npy", npy)]))[1], **refused("..")}
    zeros = saved(np.zeros(30_000_000))
    yield "bomb", asm.zipped([("x.npy", zeros)], deflated=True), {**truth_of_zeros(zeros), **refused("x")}
    claim = by_hand(head("'<f8'", shape="(8000000000,)"), b"")
    yield "bomb_short", asm.zipped([("x.npy", claim + b"\0" * 10_000_000)], deflated=True), refused("corrupt|cannot load", "x")
    for method, name in ((zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as file:
            info = zipfile.ZipInfo("x.npy")
            info.compress_type = method
            file.writestr(info, npy)
        yield name, out.getvalue(), {**read(out.getvalue())[1], **refused("compress")}
    locked = asm.zipped([("x.npy", npy)])
    for at in (6, locked.rindex(b"PK\x01\x02") + 8):
        locked = asm.flipped(locked, at)
    yield "encrypted", locked, refused("encrypt|password|corrupt")
    twice = asm.zipped([("x.npy", npy), ("y.npy", other)]).replace(b"y.npy", b"x.npy")
    yield "same_name_twice", twice, {"value": read(asm.zipped([("x.npy", other)]))[1]["value"], **refused("x")}
    yield "zip_bomb_overlap", overlapping(npy, 200), refused("corrupt|cannot load|overlap|twice")


def truth_of_zeros(data):
    items = [[{"k": "str", "v": b"x".hex()}, array(np.load(io.BytesIO(data)))]]
    return {"value": {"tree": {"k": "dict", "kind": "dict", "items": items, "attributes": []}, "storages": []}}


def overlapping(data, count):
    """Many names in the directory for one piece of the file."""
    one = asm.zipped([("x000.npy", data)])
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    record = one[start:end]
    records = b"".join(record.replace(b"x000", f"x{n:03}".encode()) for n in range(count))
    tail = bytearray(one[end:])
    tail[8:12] = struct.pack("<HH", count, count)
    tail[12:20] = struct.pack("<II", len(records), start)
    return one[:start] + records + bytes(tail)


def files():
    for part, prefix, suffix in ((right, "npy", "npy"), (wrong, "badnpy", "npy"), (archives, "npz", "npz")):
        for name, data, truth in part():
            yield f"{prefix}_{name}.{suffix}", data, truth
