"""Archives of `torch.save` that are damaged or made to harm."""

import io
import struct
import zipfile

import torch

from . import asm
from .asm import FOUR, archive, d, f, g, i, lst, ordered, pers, red, s, storage, t, tensor
from .pth import loaded, saved
from .truth import either, refused

CORRUPT = "corrupt|cannot load"


def calls():
    for module, name in [
        ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"), ("builtins", "eval"), ("__builtin__", "eval"), ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "__import__"),
        ("sys", "exit"), ("shutil", "rmtree"), ("importlib", "import_module"), ("torch", "load"), ("torch.hub", "load"), ("torch._utils", "_import_dotted_name"), ("runpy", "run_path"), ("collections", "namedtuple"),
        ("torch", "os.system"), ("collections", "OrderedDict.fromkeys"), ("torch.serialization", "os.system"), ("webbrowser", "open"), ("operator", "attrgetter"), ("numpy.testing._private.utils", "runstring"), ("functools", "partial"),
    ]:  # fmt: skip
        yield f"call_{module}_{name}", archive(red(g(module, name), s("touch pwned"))), refused(f"{module}.{name}|{name}")
    yield "stack_global", archive(b"", raw=b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."), refused("os.system")
    yield "stack_global_memo", archive(b"", raw=b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93\x8c\x02id\x85R."), refused("os.system")
    yield "inst", archive(b"", raw=b"(S'id'\nios\nsystem\n."), refused("os.system|opcode")
    yield "obj", archive(b"", raw=b"(cos\nsystem\nX\x02\0\0\0ido."), refused("os.system")
    yield "newobj", archive(g("subprocess", "Popen") + b")" + b"\x81"), refused("subprocess.Popen")
    yield "newobj_ex", archive(b"", raw=b"\x80\x04" + g("subprocess", "Popen") + b")}" + b"\x92."), refused("subprocess.Popen")
    yield "build", archive(ordered() + d((s("__class__"), g("os", "system"))) + b"b"), refused("os.system")
    yield "build_class", archive(g("collections", "OrderedDict") + d((s("x"), i(1))) + b"b"), refused(CORRUPT)
    yield "ext", archive(b"\x82\x01"), refused("opcode")
    yield "reduce_value", archive(red(i(1), i(2))), refused(CORRUPT)
    yield "reduce_no_tuple", archive(g("collections", "OrderedDict") + i(1) + b"R"), refused(CORRUPT)
    yield "global_not_called", archive(g("os", "system")), refused("os.system")
    yield "global_popped", archive(g("os", "system") + b"0" + i(1)), refused("os.system|opcode")
    yield "global_in_key", archive(pers(t(s("storage"), g("os", "FloatStorage"), s("0"), s("cpu"), i(4)))), refused("os.FloatStorage")
    yield "storage_no_class", archive(tensor(pers(t(s("storage"), s("FloatStorage"), s("0"), s("cpu"), i(4))))), refused(CORRUPT)
    yield "pers_text", archive(pers(s("0"))), refused(CORRUPT)
    yield "pers_module", archive(pers(t(s("module"), i(1), i(2), i(3)))), refused(CORRUPT)
    yield "pers_short", archive(pers(t(s("storage")))), refused(CORRUPT)


def claims():
    for name, n in [("huge", 2**40), ("max", 2**63 - 1), ("negative", -4), ("wrap", 2**62), ("beyond", 2**64), ("more", 5), ("fewer", 3), ("none", 0)]:
        yield f"numel_{name}", archive(tensor(storage(n=n), size=(min(max(n, 0), 4),))), refused(CORRUPT)
    yield "numel_huge_all", archive(tensor(storage(n=2**40), size=(2**40,))), refused(CORRUPT)
    views = {
        "size_beyond": {"size": (5,)}, "offset_beyond": {"offset": 1}, "offset_negative": {"offset": -1}, "offset_huge": {"offset": 2**63 - 1}, "stride_beyond": {"size": (2,), "stride": (4,)}, "stride_negative": {"size": (2,), "stride": (-1,), "offset": 3},
        "stride_huge": {"size": (2,), "stride": (2**63 - 1,)}, "size_negative": {"size": (-4,)}, "size_huge": {"size": (2**63 - 1,)}, "product_overflow": {"size": (2**32, 2**32), "stride": (0, 0)},
        "size_beyond_i64": {"size": (2**64,)}, "ranks_differ": {"size": (2, 2), "stride": (1,)}, "wrapping_reach": {"size": (2**33, 2), "stride": (2**31, 1)},
    }  # fmt: skip
    for name, view in views.items():
        yield name, archive(tensor(storage(), **view)), refused(CORRUPT)
    yield "expanded_huge", archive(tensor(storage(), size=(2**20, 2**20), stride=(0, 0))), either(loaded(archive(tensor(storage(), size=(2**20, 2**20), stride=(0, 0)))), "large")
    yield "zero_size_offset_huge", archive(tensor(storage(), size=(0,), offset=2**60)), either_or_refused(archive(tensor(storage(), size=(0,), offset=2**60)))
    yield "thousand_dims", archive(tensor(storage(), size=(1,) * 1000, stride=(1,) * 1000)), either_or_refused(archive(tensor(storage(), size=(1,) * 1000, stride=(1,) * 1000)))
    yield "hundred_thousand_dims", archive(tensor(storage(), size=(1,) * 100_000, stride=(1,) * 100_000)), either_or_refused(archive(tensor(storage(), size=(1,) * 100_000, stride=(1,) * 100_000)))
    yield "float_size", archive(red(g("torch._utils", "_rebuild_tensor_v2"), storage(), i(0), t(f(4.0)), t(i(1)), asm.FALSE, ordered())), refused(CORRUPT)
    yield "nan_size", archive(red(g("torch._utils", "_rebuild_tensor_v2"), storage(), i(0), t(f(float("nan"))), t(i(1)), asm.FALSE, ordered())), refused(CORRUPT)
    yield "bool_size", archive(red(g("torch._utils", "_rebuild_tensor_v2"), storage(n=4), i(0), t(asm.TRUE), t(i(1)), asm.FALSE, ordered())), either_or_refused(archive(red(g("torch._utils", "_rebuild_tensor_v2"), storage(n=4), i(0), t(asm.TRUE), t(i(1)), asm.FALSE, ordered())))
    yield "storage_two_claims", archive(lst(tensor(storage(n=4)), tensor(storage(n=2), size=(2,)))), either_or_refused(archive(lst(tensor(storage(n=4)), tensor(storage(n=2), size=(2,)))))
    yield "storage_two_classes", archive(lst(tensor(storage(n=4)), tensor(storage("IntStorage", n=4)))), either_or_refused(archive(lst(tensor(storage(n=4)), tensor(storage("IntStorage", n=4)))))
    yield "missing_storage", archive(tensor(storage(key="7"))), refused("data/7|corrupt")
    yield "key_traversal", archive(tensor(storage(key="../data.pkl", n=4))), refused(CORRUPT)
    yield "key_escape", archive(tensor(storage(key="../../../etc/passwd", n=4))), refused(CORRUPT)
    yield "key_empty", archive(tensor(storage(key="", n=4)), storages={"0": FOUR}), refused(CORRUPT)
    yield "grad_of_integers", archive(tensor(storage("IntStorage"), grad=True)), either(loaded(archive(tensor(storage("IntStorage")))), "gradient|floating")


def either_or_refused(data):
    try:
        return either(loaded(data), CORRUPT)
    except Exception:
        return refused(CORRUPT)


def pickles():
    bodies = {
        "nothing": b"", "stop_only": b".", "no_stop": b"\x80\x02N", "two_protos": b"\x80\x02\x80\x02N.", "protocol6": b"\x80\x06N.", "protocol255": b"\x80\xffN.", "mark_only": b"\x80\x02(.", "unclosed_mark": b"\x80\x02](N.",
        "tuple_no_mark": b"\x80\x02Nt.", "underflow": b"\x80\x020.", "tuple3_short": b"\x80\x02N\x87.", "memo_missing": b"\x80\x02h\x05.", "memo_put_empty": b"\x80\x02q\x01N.", "append_to_none": b"\x80\x02NNa.", "append_to_tuple": b"\x80\x02)Na.",
        "setitem_list": b"\x80\x02]NNs.", "setitems_odd": b"\x80\x02}(Nu.", "text_huge": b"\x80\x02X\xff\xff\xff\xffabc.", "text8_huge": b"\x80\x04\x8d" + b"\xff" * 8 + b"abc.", "bytes_huge": b"\x80\x03B\xff\xff\xff\x7fabc.", "bytes8_huge": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc.",
        "bytearray8_huge": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7fabc.", "long4_negative": b"\x80\x02\x8b\xff\xff\xff\xff.", "long4_huge": b"\x80\x02\x8b\xff\xff\xff\x7f\x01.", "text_not_utf8": b"\x80\x02X\x02\0\0\0\xff\xfe.", "frame_huge": b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
        "global_no_newline": b"\x80\x02cos", "global_one_line": b"\x80\x02cos\n", "unknown_opcode": b"\x80\x02\xc8.", "next_buffer": b"\x80\x05\x97.", "readonly_buffer": b"\x80\x05N\x98.", "int_text_wrong": b"Iabc\n.", "zeros": b"\0" * 100,
        "random": bytes((n * 37 + 11) % 256 for n in range(300)), "marks": b"\x80\x02" + b"(" * 100_000 + b".", "lists_and_marks": b"\x80\x02" + b"](" * 50_000 + b"N" + b"e" * 50_000 + b".",
    }  # fmt: skip
    fine = {"two_protos": None, "frame_huge": None, "unclosed_mark": None}
    for name, raw in bodies.items():
        words = "corrupt|cannot load"
        yield f"pickle_{name}", archive(b"", raw=raw), either(fine[name], words) if name in fine else refused(words)
    yield "pickle_bytes_after_stop", archive(b"", raw=b"\x80\x02N.more"), either(None, CORRUPT)
    # Self-containing and doubling.
    yield "list_in_itself", archive(b"]q\x00h\x00a"), refused("itself|nest|deep|recurs")
    yield "dict_in_itself", archive(b"}q\x00" + s("a") + b"h\x00s"), refused("itself|nest|deep|recurs")
    yield "two_in_each_other", archive(b"]q\x00]q\x01h\x00ah\x00h\x01a"), refused("itself|nest|deep|recurs")
    yield "ordered_in_its_attributes", archive(red(g("collections", "OrderedDict")) + b"q\x00}" + s("me") + b"h\x00sb"), refused("itself|nest|deep|recurs")
    laughs = b"]q\x00" + b"".join(b"]q" + bytes([n + 1]) + (b"h" + bytes([n]) + b"a") * 10 for n in range(30))
    yield "billion_laughs", archive(laughs), refused("memory|repeat|large|budget")
    doubling = b")q\x00" + b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(60))
    yield "doubling_tuples", archive(doubling), refused("memory|repeat|large|budget|deep")
    text = b"](" + s("a" * 60_000) + b"q\x01" + b"h\x01" * 60_000 + b"e"
    yield "repeated_text", archive(text), refused("memory|repeat|large|budget")
    sets = b"](" + b"".join(i(n) for n in range(3000)) + b"eq\x01" + b"](" + (g("__builtin__", "set") + b"h\x01\x85R") * 3000 + b"e"
    yield "repeated_sets", archive(sets), refused("memory|repeat|large|budget")
    yield "unhashable_key", archive(d((lst(i(1)), i(2)))), refused("key|unhashable")
    yield "unhashable_in_set", archive(red(g("__builtin__", "set"), lst(lst(i(1))))), either(None, "hash|set|key") | {"value": {"tree": {"k": "set", "v": [{"k": "list", "v": [{"k": "int", "v": 1}]}]}, "storages": []}}
    yield "same_hashes", archive(d(*((i(n * (2**61 - 1)), i(0)) for n in range(3000)))), either_or_refused(archive(d(*((i(n * (2**61 - 1)), i(0)) for n in range(3000)))))
    yield "many_keys", archive(b"}(" + b"".join(i(n) + b"N" for n in range(50_000)) + b"u"), either({n: None for n in range(50_000)}, CORRUPT)
    yield "bytearray_huge", archive(red(g("__builtin__", "bytearray"), i(2**40))), refused("bytearray|corrupt")
    yield "size_of_text", archive(red(g("torch", "Size"), s("abc"))), refused(CORRUPT)
    yield "device_nonsense", archive(red(g("torch", "device"), s("toaster"))), either_or_refused(archive(red(g("torch", "device"), s("toaster"))))
    yield "device_two_colons", archive(red(g("torch", "device"), s("cuda:1:2"))), either_or_refused(archive(red(g("torch", "device"), s("cuda:1:2"))))
    yield "counter_of_list", archive(red(g("collections", "Counter"), lst(s("a"), s("a")))), either_or_refused(archive(red(g("collections", "Counter"), lst(s("a"), s("a")))))
    yield "encode_beyond", archive(red(g("_codecs", "encode"), s("日"), s("latin1"))), refused(CORRUPT)
    yield "encode_hex", archive(red(g("_codecs", "encode"), s("41"), s("rot13"))), refused(CORRUPT)
    yield "encode_bomb", archive(red(g("_codecs", "encode"), s("x" * 100), s("zlib"))), refused(CORRUPT)


def archives():
    whole = saved({"weight": torch.arange(12.0), "name": "x"})
    good = archive(d((s("x"), tensor(storage()))))
    length = len(whole)
    for keep in (0, 1, 3, 4, 30, 100, length // 3, length // 2, length - 200, length - 60, length - 22, length - 21, length - 1):
        yield f"cut{keep}", whole[:keep], refused("corrupt|empty|not a file|cannot load")
    at = whole.index(struct.pack("<2f", 1.0, 2.0))
    yield "flip_data", asm.flipped(whole, at), refused("corrupt")
    yield "flip_pickle", asm.flipped(whole, whole.index(b"weight")), refused("corrupt")
    directory = whole.index(b"PK\x01\x02")
    for offset, what in [(0, "signature"), (10, "method"), (16, "crc"), (20, "compressed"), (24, "size"), (28, "name_length"), (42, "place"), (46, "name")]:
        yield f"flip_directory_{what}", asm.flipped(whole, directory + offset, 0x04), refused("corrupt|data.pkl|compress|cannot load")
    end = whole.rindex(b"PK\x05\x06")
    for offset, what in [(0, "signature"), (8, "count_here"), (10, "count"), (12, "length"), (16, "place")]:
        yield f"flip_end_{what}", asm.flipped(whole, end + offset, 0x05), either(loaded(whole), "corrupt|cannot load|data.pkl")
    yield "leading_garbage", b"garbage!" + good, refused("not a file|corrupt|cannot load")
    yield "trailing_garbage", good + b"\0" * 40, either(loaded(good), "corrupt")
    yield "no_pickle", asm.zipped([("archive/version", b"3\n")]), refused("data.pkl")
    yield "empty_zip", asm.zipped([]), refused("data.pkl|not a file|corrupt|empty")
    yield "pickle_at_top", asm.zipped([("data.pkl", asm.pickle(i(1)))]), either_or_refused(asm.zipped([("data.pkl", asm.pickle(i(1)))]))
    yield "two_folders", asm.zipped([*asm.entries_of(archive(i(1), prefix="a")), *asm.entries_of(archive(i(2), prefix="b"))]), either(1, "folder|two|data.pkl")
    yield "deep_folder", archive(i(1), prefix="a/b"), either(1, "data.pkl")
    same = asm.zipped([*asm.entries_of(archive(i(1))), ("archive/data.pkX", asm.pickle(i(2)))]).replace(b"data.pkX", b"data.pkl")
    yield "two_pickles", same, either(1, "twice|corrupt|duplicate") | {"value2": either(2)["value"]}
    yield "traversal_name", archive(tensor(storage()), extra=[("../../evil", b"x"), ("/abs", b"y"), ("C:\\evil", b"z")]), either(loaded(good)["x"], "..|evil|corrupt")
    yield "zip_of_text", asm.zipped([("a.txt", b"hello")]), refused("data.pkl")
    bomb = archive(d((s("a"), i(1))), extra=[("archive/data/9", b"\0" * 20_000_000)], deflated=True)
    yield "bomb_unused", bomb, either({"a": 1}, CORRUPT)
    yield "bomb_storage", archive(tensor(storage(n=5_000_000), size=(5_000_000,)), storages={"0": b"\0" * 20_000_000}, deflated=True), either(torch.zeros(5_000_000), "corrupt|large|deflat|compress|memory")
    yield "bomb_pickle", archive(b"", raw=b"\x80\x02" + b"N0" * 5_000_000 + b"N.", deflated=True), either(None, "corrupt|large|deflat|compress|memory|opcode")
    yield "bomb_pickle_marks", archive(b"", raw=b"\x80\x02" + b"(" * 20_000_000 + b".", deflated=True), refused(CORRUPT)
    yield "overlap", overlap_storages(), either_or_refused(overlap_storages())
    claimed = bytearray(archive(tensor(storage(n=2**28), size=(2**28,))))
    for signature, at in ((b"PK\x03\x04", 18), (b"PK\x01\x02", 20)):
        place = claimed.index(b"archive/data/0" if signature == b"PK\x03\x04" else b"PK\x01\x02")
        place = claimed.rindex(signature, 0, claimed.index(b"archive/data/0", 0 if signature == b"PK\x03\x04" else claimed.index(b"PK\x01\x02")))
        claimed[place + at : place + at + 8] = struct.pack("<II", 2**30, 2**30)
    yield "entry_claims_gigabyte", bytes(claimed), refused(CORRUPT)
    locked = bytearray(good)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = locked.index(signature)
        locked[place + at] |= 1
    yield "encrypted", bytes(locked), refused("encrypt|password|corrupt|cannot load")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as file:
        for name, data in asm.entries_of(good):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_BZIP2
            file.writestr(info, data)
    yield "bzip2", out.getvalue(), refused("compress")
    yield "other_hdf5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100, refused("HDF5")
    yield "other_gguf", b"GGUF\x03\0\0\0" + b"\0" * 100, refused("GGUF")
    yield "other_bare_pickle", asm.pickle(d((s("a"), i(1)))), refused("pickle")
    yield "other_bare_pickle_system", asm.pickle(red(g("os", "system"), s("id"))), refused("pickle|os.system")
    yield "other_text", b"import os\n", refused("not a file|cannot load")
    yield "other_gzip", b"\x1f\x8b\x08\0" + b"\0" * 50, refused("not a file|cannot load|gzip")
    yield "other_html", b"<!DOCTYPE html><html><body>404</body></html>", refused("not a file|cannot load|HTML")
    yield "other_lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n", refused("not a file|cannot load|LFS")
    yield "other_zeros", b"\0" * 2000, refused("not a file|cannot load|corrupt")


def overlap_storages():
    """Two names for one storage in the directory."""
    good = archive(lst(tensor(storage(key="0")), tensor(storage(key="1"))), storages={"0": FOUR, "1": FOUR})
    data = bytearray(good)
    first = good.index(b"archive/data/0") - 30
    record = good.rindex(b"archive/data/1") - 46
    data[record + 42 : record + 46] = struct.pack("<I", first)
    return bytes(data)


def files():
    for part in (calls, claims, pickles, archives):
        for name, data, truth in part():
            yield f"bad_{name}.pth", data, truth
