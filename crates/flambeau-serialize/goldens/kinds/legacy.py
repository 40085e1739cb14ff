"""Files of `torch.save` from before PyTorch 1.6, the tar files before those, and archives of TorchScript."""

import io
import pickle
import re
import struct
import tarfile

import torch
from torch import nn

from . import asm
from .asm import FOUR, d, g, i, lst, ordered, red, s, s2, t
from .pth import as_pytorch, loaded, saved, tensors, values
from .truth import either, elements, refused, value

MAGIC = 0x1950A86A20F9469CFC6C
INFO = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def old(x, **options):
    """Its keys are addresses, which differ from run to run: they become small numbers, in the order of the value."""
    torch.serialization.sorted = list
    data = saved(x, _use_new_zipfile_serialization=False, **options)
    keys = list(dict.fromkeys(re.findall(rb"(?:X\x0e\0\0\0|\x8c\x0e|X\x0f\0\0\0|\x8c\x0f)(\d+)", data)))
    for n, key in enumerate(keys):
        data = data.replace(key, b"%0*d" % (len(key), n + 1))
    return data


def by_hand(body, keys=("0",), data=struct.pack("<q", 4) + FOUR, info=INFO, protocol=1001, keys_pickle=None):
    head = b"".join(pickle.dumps(x, 2) for x in (MAGIC, protocol, info))
    return head + asm.pickle(body) + (pickle.dumps(list(keys), 2) if keys_pickle is None else keys_pickle) + data


def storage(cls="FloatStorage", key="0", location="cpu", n=4, view=asm.NONE, text=s):
    return asm.pers(t(text("storage"), g("torch", cls), text(key), text(location), i(n), view))


def legacy():
    for name, x in tensors():
        yield name, *as_pytorch(old(x))
    for name, x in values():
        if name in ("numbers", "texts", "surrogate", "complex", "bytearray", "set", "counter", "ordered_attributes", "none", "keys"):
            yield name, *as_pytorch(old(x))
    for protocol in (2, 3, 4, 5):
        x = {"x": torch.arange(3), "y": ("a", b"b", 2**70)}
        yield f"protocol{protocol}", *as_pytorch(old(x, pickle_protocol=protocol))
    for name in ["uint16", "complex64", "float8_e5m2"]:
        yield f"lacks_{name}", old(torch.zeros(2).to(getattr(torch, name))), refused(name)
    yield "hand_made", *as_pytorch(by_hand(asm.tensor(storage())))
    python2 = ordered((s2("w"), asm.tensor(storage(text=s2))))
    yield "python2", *as_pytorch(by_hand(python2))
    pairs = red(g("collections", "OrderedDict"), lst(lst(s2("w"), asm.tensor(storage(text=s2))), lst(s2("n"), i(3))))
    yield "python2_pairs", *as_pytorch(by_hand(pairs))
    v1 = red(g("torch._utils", "_rebuild_tensor"), storage(), i(0), t(i(2), i(2)), t(i(2), i(1)))
    yield "rebuild_v1", *as_pytorch(by_hand(v1))
    view = t(s("77"), i(1), i(2))
    # PyTorch gives a view of a storage a storage of its own over the same memory.
    data = by_hand(asm.tensor(storage(view=view), size=(2,)))
    yield "view_metadata", data, elements(loaded(data))
    two = lst(asm.tensor(storage(view=view), size=(2,)), asm.tensor(storage(), size=(4,)))
    data = by_hand(two)
    flat = loaded(data)
    yield "view_and_root", data, elements(flat)
    yield "cuda", *as_pytorch(by_hand(asm.tensor(storage(location="cuda:3"))))
    yield "info_big", *as_pytorch(by_hand(asm.tensor(storage()), info={**INFO, "little_endian": False}))
    yield "no_storages", *as_pytorch(by_hand(d((s("a"), i(1))), keys=(), data=b""))
    yield "trailing_bytes", *as_pytorch(by_hand(asm.tensor(storage())) + b"trailing")
    yield "two_storages_swapped", *as_pytorch(
        by_hand(lst(asm.tensor(storage(key="b")), asm.tensor(storage("LongStorage", "a", n=2), size=(2,))), keys=("a", "b"),
                data=struct.pack("<3q", 2, 5, -6) + struct.pack("<q", 4) + FOUR)
    )  # fmt: skip
    # Hostile.
    yield "wrong_magic", by_hand(asm.tensor(storage())).replace(b"\x9c\x46\xf9", b"\x9c\x46\xf8"), refused("magic|not a file|pickle")
    yield "wrong_version", by_hand(asm.tensor(storage()), protocol=1002), refused("1002|version")
    yield "module_id", by_hand(asm.pers(t(s("module"), g("torch.nn.modules.linear", "Linear"), s("linear.py"), s("class Linear")))), refused("torch.nn.modules.linear.Linear|module")
    yield "system", by_hand(red(g("os", "system"), s("touch pwned"))), refused("os.system")
    yield "system_in_info", b"".join([pickle.dumps(MAGIC, 2), pickle.dumps(1001, 2), asm.pickle(red(g("posix", "system"), s("id"))), asm.pickle(i(1)), pickle.dumps([], 2)]), refused("posix.system")
    yield "system_in_keys", by_hand(i(1), keys_pickle=asm.pickle(red(g("os", "system"), s("id"))), data=b""), refused("os.system")
    yield "keys_missing", by_hand(asm.tensor(storage()), keys=()), refused("storage|0")
    yield "keys_unknown", by_hand(asm.tensor(storage()), keys=("0", "9"), data=(struct.pack("<q", 4) + FOUR) * 2), refused("9")
    yield "keys_twice", by_hand(asm.tensor(storage()), keys=("0", "0"), data=(struct.pack("<q", 4) + FOUR) * 2), either(loaded(by_hand(asm.tensor(storage()))), "0|twice")
    yield "keys_no_list", by_hand(asm.tensor(storage()), keys_pickle=pickle.dumps(5, 2)), refused("corrupt|list")
    for count in (3, 5, 2**40, -1, 2**63 - 1, -(2**63)):
        yield f"count{count}", by_hand(asm.tensor(storage()), data=struct.pack("<q", count) + FOUR), refused("corrupt")
    yield "huge_claim", by_hand(asm.tensor(storage(n=2**40), size=(2**40,)), data=struct.pack("<q", 2**40)), refused("corrupt")
    yield "negative_claim", by_hand(asm.tensor(storage(n=-4))), refused("corrupt")
    whole = by_hand(d((s("x"), asm.tensor(storage()))))
    for keep in (1, 14, 20, len(whole) // 2, len(whole) - 30, len(whole) - 16, len(whole) - 1):
        yield f"cut{keep}", whole[:keep], refused("corrupt|not a file|pickle")
    yield "cut_after_magic", pickle.dumps(MAGIC, 2), refused("corrupt")


def tar(tensors_pickled, storages_pickled, pickled, names=("storages", "tensors", "pickle")):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as file:
        for name, data in zip(names, (storages_pickled, tensors_pickled, pickled)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_storages(entries, views=()):
    """Entries are `(key, class, bytes, elements)`; views are `(key, root, offset, elements)`."""
    out = pickle.dumps(len(entries), 2)
    for key, cls, data, count in entries:
        out += asm.pickle(t(i(key), s("cpu"), g("torch", cls))) + struct.pack("<q", count) + data
    return out + pickle.dumps(list(views), 2)


def tar_tensors(entries):
    out = pickle.dumps(len(entries), 2)
    for key, storage_key, cls, size, stride, offset in entries:
        out += asm.pickle(t(i(key), i(storage_key), g("torch", cls)))
        out += struct.pack(f"<ii{len(size)}q{len(size)}qq", len(size), 0, *size, *stride, offset)
    return out


def id_of(key):
    return asm.pers(s(str(key)))


def loaded_tar(data):
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        file.write(data)
        file.flush()
        return torch.load(file.name, weights_only=False)


def tars():
    storages = tar_storages([(100, "FloatStorage", FOUR, 4)])
    one = tar_tensors([(1, 100, "FloatTensor", (4,), (1,), 0)])

    def right(*parts):
        data = tar(*parts)
        return data, value(loaded_tar(data))

    yield "one", *right(one, storages, asm.pickle(id_of(1)))
    yield "state_dict", *right(one, storages, asm.pickle(ordered((s("w"), id_of(1)), (s("again"), id_of(1)), (s("n"), i(3)))))
    yield "python2", *right(one, storages, asm.pickle(ordered((s2("w"), asm.pers(s2("1"))))))
    many = tar_storages([(100, "FloatStorage", FOUR, 4), (101, "LongStorage", struct.pack("<2q", 5, -6), 2), (102, "ByteStorage", b"\x01\x02\x03", 3)])
    views = tar_tensors([
        (1, 100, "FloatTensor", (2, 2), (2, 1), 0), (2, 100, "FloatTensor", (2,), (2,), 1), (3, 101, "LongTensor", (2,), (1,), 0), (4, 102, "ByteTensor", (1, 3), (3, 1), 0),
    ])  # fmt: skip
    yield "several", *right(views, many, asm.pickle(lst(*(id_of(n) for n in (1, 2, 3, 4)))))
    data = tar(tar_tensors([(1, 200, "FloatTensor", (2,), (1,), 0)]), tar_storages([(100, "FloatStorage", FOUR, 4)], [(200, 100, 1, 2)]), asm.pickle(id_of(1)))
    yield "storage_view", data, elements(loaded_tar(data))
    yield "no_tensors", *right(tar_tensors([]), tar_storages([]), asm.pickle(d((s("a"), i(1)))))
    yield "system", tar(one, storages, asm.pickle(red(g("os", "system"), s("id")))), refused("os.system")
    yield "unknown_tensor", tar(one, storages, asm.pickle(id_of(9))), refused("9")
    yield "unknown_storage", tar(tar_tensors([(1, 999, "FloatTensor", (4,), (1,), 0)]), storages, asm.pickle(id_of(1))), refused("corrupt")
    yield "beyond", tar(tar_tensors([(1, 100, "FloatTensor", (5,), (1,), 0)]), storages, asm.pickle(id_of(1))), refused("corrupt")
    yield "negative", tar(tar_tensors([(1, 100, "FloatTensor", (4,), (-1,), 3)]), storages, asm.pickle(id_of(1))), refused("corrupt")
    yield "huge_count", tar(one, tar_storages([(100, "FloatStorage", FOUR, 2**50)]), asm.pickle(id_of(1))), refused("corrupt")
    huge = pickle.dumps(1, 2) + asm.pickle(t(i(1), i(100), g("torch", "FloatTensor"))) + struct.pack("<ii", 2**31 - 1, 0)
    yield "huge_ndim", tar(huge, storages, asm.pickle(id_of(1))), refused("corrupt")
    yield "many_claimed", tar(pickle.dumps(2**40, 2), storages, asm.pickle(id_of(1))), refused("corrupt")
    yield "view_beyond", tar(tar_tensors([(1, 200, "FloatTensor", (9,), (1,), 0)]), tar_storages([(100, "FloatStorage", FOUR, 4)], [(200, 100, 1, 9)]), asm.pickle(id_of(1))), refused("corrupt")
    yield "no_pickle", tar(one, storages, b"x", names=("storages", "tensors", "other")), refused("pickle")
    yield "traversal", tar(one, storages, asm.pickle(id_of(1)), names=("../storages", "../../tensors", "/pickle")), refused("corrupt|storages|pickle|not a file")
    whole = tar(one, storages, asm.pickle(id_of(1)))
    for keep in (257, 512, 600, 1536, 2048):
        yield f"cut{keep}", whole[:keep], refused("corrupt|not a file|tar")


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.bn = nn.BatchNorm1d(3)

    def forward(self, x):
        return self.bn(self.fc(x))


def plain_script(module):
    """A TorchScript archive without its notes on where the source lay."""
    out = io.BytesIO()
    torch.jit.save(module, out)
    return asm.zipped([(name, data) for name, data in asm.entries_of(out.getvalue()) if not name.endswith(".debug_pkl")])


def script():
    torch.manual_seed(0)
    for name, module in [
        ("linear", torch.jit.trace(nn.Linear(2, 3), torch.ones(1, 2))),
        ("small", torch.jit.trace(Small().eval(), torch.ones(2, 2))),
        ("nested", torch.jit.trace(nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1, bias=False))), torch.ones(1, 2))),
        ("empty", torch.jit.trace(nn.ReLU(), torch.ones(1))),
    ]:
        data = plain_script(module)
        state = torch.jit.load(io.BytesIO(data)).state_dict()
        yield name, data, {"script": value(state)["value"], "refused": ["TorchScript", "state_dict"]}


def files():
    for part, suffix in ((legacy, "legacy"), (tars, "tar"), (script, "jit")):
        for name, data, truth in part():
            yield f"{suffix}_{name}.pth", data, truth
