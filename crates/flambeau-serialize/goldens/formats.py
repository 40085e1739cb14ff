"""Writes the files of `formats/`, one per row of the format's history, and what PyTorch reads in each (made with 2.15).

    python goldens/formats.py            # in crates/flambeau-serialize

`formats/expected.txt` has a line per file: its name and the value that `torch.load` gives, in the notation of `text` below.
`formats/refused.txt` has a line per file that must be refused: its name and words of the error.
"""

import argparse
import collections
import datetime
import io
import pathlib
import pickle
import struct
import tarfile
import warnings
import zipfile

import numpy as np
import torch
from torch import nn

warnings.simplefilter("ignore")
here = pathlib.Path(__file__).parent / "formats"
here.mkdir(exist_ok=True)
for old in here.iterdir():
    old.unlink()
expected, refused = [], []


def text(x, storages):
    """The value in one line; bytes and floats in hexadecimal, storages numbered in the order in which they come."""

    def inner(y):
        return text(y, storages)

    def pairs(d):
        return "{" + ", ".join(f"{inner(k)}: {inner(v)}" for k, v in d.items()) + "}"

    if x is None or isinstance(x, bool):
        return str(x)
    if isinstance(x, (np.generic,)):
        return inner(x.item())
    if isinstance(x, int):
        if -(2**63) <= x < 2**63:
            return str(x)
        return "i" + x.to_bytes(x.bit_length() // 8 + 1, "little", signed=True).hex()
    if isinstance(x, float):
        return "f" + struct.pack(">d", x).hex()
    if isinstance(x, complex):
        return "c" + struct.pack(">dd", x.real, x.imag).hex()
    if isinstance(x, str):
        return "u" + x.encode("utf-8", "surrogatepass").hex() if not x.isidentifier() or not x.isascii() else f"'{x}'"
    if isinstance(x, bytes):
        return "b" + x.hex()
    if isinstance(x, bytearray):
        return "a" + x.hex()
    if isinstance(x, torch.Size):
        return f"Size{list(x)}"
    if isinstance(x, (list, collections.deque)):
        return "[" + ", ".join(map(inner, x)) + "]"
    if isinstance(x, tuple):
        return "(" + ", ".join(map(inner, x)) + ")"
    if isinstance(x, (set, frozenset)):
        return "set{" + ", ".join(sorted(map(inner, x))) + "}"
    if isinstance(x, argparse.Namespace):
        return "Namespace" + pairs(vars(x))
    if isinstance(x, collections.OrderedDict):
        return "OrderedDict" + pairs(x) + ("@" + pairs(vars(x)) if vars(x) else "")
    if isinstance(x, collections.Counter):
        return "Counter" + pairs(x)
    if isinstance(x, dict):
        return "dict" + pairs(x)
    if isinstance(x, (torch.dtype, torch.device, torch.layout)):
        return str(x)
    if isinstance(x, np.ndarray):
        x = torch.from_numpy(x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="), order="K"))
    if isinstance(x, (torch.UntypedStorage, torch.storage.TypedStorage)):
        dtype = torch.uint8 if isinstance(x, torch.UntypedStorage) else x.dtype
        x = torch.empty(0, dtype=dtype).set_(x.untyped())
    if isinstance(x, torch.Tensor):
        storage = x.untyped_storage()
        start, end = storage.data_ptr(), storage.data_ptr() + storage.nbytes()
        same = [n for n, other in enumerate(storages) if other._cdata == storage._cdata]
        # Old files have storages that are parts of others.
        same += [n for n, other in enumerate(storages) if start < other.data_ptr() + other.nbytes() and other.data_ptr() < end]
        number = same[0] if same else len(storages)
        storages += [] if same else [storage]
        content = torch.empty(x.shape, dtype=x.dtype).copy_(x.detach()).reshape(-1).view(torch.uint8).numpy().tobytes().hex()
        flags = "P" * isinstance(x, nn.Parameter) + "g" * x.requires_grad
        return f"T({x.dtype}, {list(x.shape)}, {list(x.stride())}, {content}, s{number}{flags})"
    raise TypeError(type(x))


def expect(name, value=None, **options):
    """Notes what PyTorch reads in a file that was written, or `value` where PyTorch has another way to read it."""
    if value is None:
        value = torch.load(here / name, weights_only=False, **options)
    expected.append(f"{name} {text(value, [])}\n")


def refuse(name, words):
    refused.append(f"{name} {words}\n")


def save(name, value, **options):
    torch.save(value, here / name, **options)
    return name


def both(name, value, **options):
    """The value in the format of today and in the one before 1.6."""
    expect(save(f"{name}.zip.pth", value, **options))
    expect(save(f"{name}.old.pth", value, _use_new_zipfile_serialization=False, **options))


torch.manual_seed(0)
numpy_random = np.random.default_rng(0)

# State dicts as torchvision's and torchaudio's models have them.
net = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
both("state_dict", net.state_dict())
both("lstm", nn.LSTM(2, 2, bidirectional=True).state_dict())
tied = nn.Linear(2, 2)
both("tied", {"encoder": tied.state_dict(), "decoder": tied.state_dict(), "step": 7})
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
net(torch.randn(2, 1, 3, 3)).sum().backward()
optimizer.step()
both("optimizer", {"state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best_acc1": 71.5})

# Tensors of every kind.
base = torch.arange(24, dtype=torch.float32)
dtypes = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
dtypes += [torch.float16, torch.bfloat16, torch.float32, torch.float64]
both("dtypes", {str(d).split(".")[1]: torch.tensor([0, 1, 2.5, 100]).to(d) for d in dtypes})
views = [base.view(4, 6), base.view(4, 6).t(), base[3:9:2], base.view(2, 3, 4)[1, :, 2], base[5], base[24:], base[:1].expand(2, 3)]
both("views", views)
empty = torch.empty(0)
both("empty", [empty, empty.view(torch.int32), torch.empty(0, 3), torch.empty(2, 0, 5).transpose(0, 2), torch.tensor(1.5)])
parameter = nn.Parameter(torch.ones(2))
tagged = torch.ones(3)
tagged.note = "kept by user code"
both("flags", [parameter, nn.Parameter(torch.ones(1), False), torch.ones(1, requires_grad=True), tagged, nn.Buffer(torch.ones(1))])
both("storage", [torch.arange(3.0).storage()])
expect(save("untyped.zip.pth", [torch.arange(3.0).untyped_storage()]))

# Plain values, in each protocol.
values = {
    "integers": [0, 255, 256, 65536, -1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**100), 3**200],
    "floats": [0.0, -0.0, 1e-320, float("inf"), float("-inf"), 0.1],
    "complex": [1j, complex(-0.0, 2.5)],
    "texts": ["", "grüße", "tab\tline\nquote'\"\\ \\u0041", "\ud800", "a\udc80b", "😀"],
    "bytes": [b"", b"\x00\xff'", bytearray(), bytearray(b"\x80\n")],
    "none": None,
    "flags": (True, False),
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "sets": [set(), {3, 1}, frozenset(), frozenset([2])],
    "dicts": [{}, {1: 2, "a": None, (1, 2): 3, None: 4, 1.5: 5, b"k": 6}],
    "torch": [torch.Size([2, 3]), torch.float16, torch.device("cuda", 1), torch.device("cpu"), torch.strided],
}
kinds = {
    "ordered": collections.OrderedDict(a=1),
    "counter": collections.Counter("aab"),
    "default": collections.defaultdict(list, {"x": [1]}),
    "deque": collections.deque([1, 2], maxlen=4),
    "args": argparse.Namespace(lr=0.1, name="net", layers=[1, 2], nested=argparse.Namespace(x=1)),
}
for protocol in range(6):
    both(f"values{protocol}", values, pickle_protocol=protocol)
    both(f"kinds{protocol}", kinds, pickle_protocol=protocol)
    if protocol > 0:  # persistent ids of protocol 0 are texts, which torch.load refuses
        both(f"tensors{protocol}", {"a": base[:2], "b": [base[1:3], nn.Parameter(torch.ones(1))]}, pickle_protocol=protocol)

# NumPy.
arrays = {
    "kinds": [np.arange(3).astype(d) for d in ["bool", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">f4", ">i8"]],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.array(1.5),
    "empty": np.zeros((0, 3), "f4"),
    "view": np.arange(10)[::3],
    "numbers": [np.float32(0.1), np.float64(0.1), np.float16(0.1), np.int8(-1), np.uint64(2**64 - 1), np.int64(-5), np.bool_(True)],
    "more": [np.complex64(1 + 2j), np.complex128(1j), np.str_("grüße"), np.bytes_(b"ab")],
}
for protocol in (1, 2, 3, 4, 5):
    both(f"numpy{protocol}", arrays, pickle_protocol=protocol)


# Archives that were made or changed by other programs.
def rezip(name, source, change=lambda name, data: (name, data), order=list, method=zipfile.ZIP_STORED, **options):
    with zipfile.ZipFile(here / source) as read, zipfile.ZipFile(here / name, "w", method) as write:
        for entry in order(read.namelist()):
            changed = change(entry, read.read(entry))
            if changed:
                with write.open(changed[0], "w", **options) as out:
                    out.write(changed[1])
    return name


expect(rezip("deflated.pth", "optimizer.zip.pth", method=zipfile.ZIP_DEFLATED))
expect(rezip("reversed.pth", "optimizer.zip.pth", order=lambda names: names[::-1]))
expect(rezip("zip64.pth", "views.zip.pth", force_zip64=True))
expect(rezip("folder.pth", "views.zip.pth", lambda name, data: ("x y é/" + name.split("/", 1)[1], data)))
kept = ("data.pkl", "version", "/data/")
expect(rezip("bare.pth", "views.zip.pth", lambda name, data: (name, data) if any(k in name for k in kept) else None))
expect(rezip("big.pth", "dtypes.zip.pth", lambda name, data: (name, b"big") if name.endswith("/byteorder") else (name, data)))
junk = here / "trailing.pth"
junk.write_bytes((here / "views.zip.pth").read_bytes() + b"more behind the archive")
expect(junk.name)


class Stream(io.RawIOBase):
    """A file that cannot seek, so that zipfile writes sizes behind the data."""

    def __init__(self, file):
        self.file = file

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(bytes(data))


with zipfile.ZipFile(here / "views.zip.pth") as read, open(here / "streamed.pth", "wb") as file:
    with zipfile.ZipFile(Stream(file), "w") as write:
        for entry in read.namelist():
            write.writestr(entry, read.read(entry))
expect("streamed.pth")

# Classes that tensors had on other devices and in other years.
cuda = (here / "views.old.pth").read_bytes().replace(b"ctorch\nFloatStorage", b"ctorch.cuda\nFloatStorage").replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
(here / "cuda.old.pth").write_bytes(cuda)
expect("cuda.old.pth", map_location="cpu")
other = (here / "state_dict.old.pth").read_bytes()
at = other.index(b"\x88", other.index(b"little_endian"))
(here / "other_machine.old.pth").write_bytes(other[:at] + b"\x89" + other[at + 1 :])
expect("other_machine.old.pth")


# What PyTorch 0.1 to 0.3 wrote, and Python 2, made by hand.
class Global:
    """Pickled as the name of a class or function."""

    def __init__(self, name):
        self.name = name


class Call:
    """Pickled as a call of a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class Persistent:
    def __init__(self, id):
        self.id = id


class OldPickler(pickle._Pickler):
    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            module, name = obj.name.rsplit(".", 1)
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        elif isinstance(obj, Call):
            self.save(Global(obj.function))
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(obj, Persistent):
            self.save(obj.id)
            self.write(pickle.BINPERSID)
        else:
            super().save(obj, save_persistent_id)


def dumps(value, protocol=2):
    out = io.BytesIO()
    OldPickler(out, protocol).dump(value)
    return out.getvalue()


def python2(data):
    """Texts as Python 2 writes its `str`."""
    out, at = b"", 0
    while (found := data.find(b"X", at)) >= 0:
        (length,) = struct.unpack("<I", data[found + 1 : found + 5]) if found + 5 <= len(data) else (1 << 31,)
        if length < 100 and found + 5 + length < len(data) and data[found + 5 + length] in b"q.th\x85\x86":
            out += data[at:found] + b"U" + bytes([length]) + data[found + 5 : found + 5 + length]
            at = found + 5 + length
        else:
            out += data[at : found + 1]
            at = found + 1
    return out + data[at:]


def legacy(name, value, storages, change=lambda data: data):
    """A file before 1.6 of that value and storages by key."""
    info = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [0x1950A86A20F9469CFC6C, 1001, info, value, sorted(storages)]
    with open(here / name, "wb") as file:
        for part in head:
            file.write(change(dumps(part)))
        for key in sorted(storages):
            file.write(struct.pack("<q", storages[key].numel()) + storages[key].numpy().tobytes())
    return name


def storage(key, numel, view=None, kind="torch.FloatStorage"):
    return Persistent(("storage", Global(kind), key, "cpu", numel, view))


def rebuild(*arguments):
    return Call("torch._utils._rebuild_tensor", *arguments)


whole = torch.arange(10, dtype=torch.float32)
parts = {
    "whole": rebuild(storage("1", 10), 0, (2, 5), (5, 1)),
    "part": rebuild(storage("1", 10, ("2", 3, 4)), 1, (3,), (1,)),
    "again": rebuild(storage("1", 10, ("2", 3, 4)), 0, (2, 2), (2, 1)),
    "other": rebuild(storage("3", 2, kind="torch.LongStorage"), 0, (2,), (1,)),
}
file = legacy("storage_views.old.pth", parts, {"1": whole, "3": torch.tensor([5, 6])})
expect(file)
expect(legacy("python2.old.pth", parts, {"1": whole, "3": torch.tensor([5, 6])}, python2))
refuse(legacy("view_outside.old.pth", rebuild(storage("1", 10, ("2", 8, 4)), 0, (2,), (1,)), {"1": whole}), "beyond it")


def tar(name, value, storages, views, tensors):
    with tarfile.open(here / name, "w:", format=tarfile.PAX_FORMAT) as file:

        def member(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))

        member("sys_info", dumps({"protocol_version": 1000, "little_endian": True}))
        data = dumps(value)
        packed = dumps(len(storages))
        for key, (kind, content) in storages.items():
            packed += dumps((key, "cpu", Global(kind))) + struct.pack("<q", content.numel()) + content.numpy().tobytes()
        member("storages", packed + dumps(views))
        packed = dumps(len(tensors))
        for key, (of, size, stride, offset) in tensors.items():
            packed += dumps((key, of, Global("torch.FloatTensor"))) + struct.pack("<ii", len(size), 0)
            packed += struct.pack(f"<{2 * len(size) + 1}q", *size, *stride, offset)
        member("tensors", packed)
        member("pickle", data)
    return name


tar_storages = {10: ("torch.FloatStorage", whole), 2**40: ("torch.LongStorage", torch.tensor([7, 8]))}
tar_views = [(11, 10, 2, 6)]
tar_tensors = {20: (10, (2, 5), (5, 1), 0), 21: (11, (3,), (2,), 1), 22: (2**40, (2,), (1,), 0), 23: (10, (), (), 4)}
tar_value = collections.OrderedDict(a=Persistent(20), b=Persistent(21), c=[Persistent(22), Persistent(20)], d=Persistent(23))
expect(tar("tar.pth", tar_value, tar_storages, tar_views, tar_tensors))
refuse(tar("tar_outside.pth", tar_value, tar_storages, tar_views, tar_tensors | {20: (10, (2, 6), (5, 1), 0)}), "does not fit its storage")


# TorchScript: the parameters alone.
class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("scale", torch.full((width,), 2.0))
        self.norm = nn.BatchNorm1d(width)
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])
        self.free = torch.ones(1)
        self.sizes = [1, 2]
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.norm(x * self.scale) * self.weight + self.free


block = Block(2).eval()
shared = nn.Sequential(block, nn.ReLU(), block)
for name, module in [
    ("script", torch.jit.script(shared)),
    ("trace", torch.jit.trace(shared, torch.ones(1, 2))),
    ("frozen", torch.jit.freeze(torch.jit.script(block))),
]:
    module.save(here / f"{name}.pt")
    expect(f"{name}.pt", torch.jit.load(here / f"{name}.pt").state_dict())

# What is refused, and the word that must be in the error.
for name, value, words in [
    ("complex64", torch.ones(1, dtype=torch.complex64), "`torch.complex64`"),
    ("complex128", torch.ones(1, dtype=torch.complex128), "`torch.complex128`"),
    ("uint16", torch.ones(1, dtype=torch.uint16), "`torch.uint16`"),
    ("uint64", torch.ones(1, dtype=torch.uint64), "`torch.uint64`"),
    ("float8", torch.ones(1).to(torch.float8_e4m3fn), "`torch.float8_e4m3fn`"),
    ("quantized", torch.quantize_per_tensor(torch.ones(1), 1.0, 0, torch.quint8), "quantized tensor"),
    ("sparse", torch.eye(2).to_sparse(), "sparse tensor"),
    ("csr", torch.eye(2).to_sparse_csr(), "sparse tensor"),
    ("meta", torch.ones(2, device="meta"), "meta"),
    ("module", nn.Identity(), "`torch.nn.modules.linear.Identity`"),
    ("path", pathlib.PurePosixPath("a"), "`pathlib.PurePosixPath`"),
    ("date", datetime.date(2020, 1, 1), "`datetime.date`"),
    ("object_array", np.array([{}], dtype=object), "`O8`"),
    ("date_array", np.array(["2020"], dtype="M8[s]"), "`M8`"),
    ("uint16_array", np.zeros(2, "u2"), "`u2`"),
    ("record_array", np.zeros(2, "f4,i4"), "`V8`"),
    ("text_array", np.array(["a"]), "`U1`"),
    ("dtype_object", np.dtype("f4"), "dtype of NumPy itself"),
    ("function", torch.nn.functional.relu, "`torch.nn.functional.relu`"),
    ("exception", ValueError("x"), "`builtins.ValueError`"),
    ("slice", slice(1, 2), "slice`"),
]:
    refuse(save(f"{name}.zip.pth", value), words)
    try:
        refuse(save(f"{name}.old.pth", value, _use_new_zipfile_serialization=False), words)
    except Exception:  # the old format has no such tensors
        refused[:] = [line for line in refused if not line.startswith(f"{name}.old.pth")]
        (here / f"{name}.old.pth").unlink(missing_ok=True)

refuse(rezip("bzip2.pth", "views.zip.pth", method=zipfile.ZIP_BZIP2), "compressed by")
refuse(rezip("order.pth", "views.zip.pth", lambda n, d: (n, b"middle") if n.endswith("/byteorder") else (n, d)), "Unknown endianness type: middle")
refuse(rezip("version.pth", "views.zip.pth", lambda n, d: (n, b"11\n") if n.endswith("/version") else (n, d)), "the maximum supported version for reading is 10")
refuse(rezip("short.pth", "views.zip.pth", lambda n, d: (n, d[:8]) if n.endswith("/data/0") else (n, d)), "has 8 bytes")
refuse(rezip("long.pth", "views.zip.pth", lambda n, d: (n, d + b"1234") if n.endswith("/data/0") else (n, d)), "has 100 bytes")
refuse(rezip("root.pth", "views.zip.pth", lambda n, d: (n.split("/", 1)[1], d)), "without data.pkl")
(here / "pickle.pth").write_bytes(pickle.dumps({"a": 1}, 2))
refuse("pickle.pth", "a bare Python pickle")
bomb = lambda n, d: (n, b"\0" * 100_000_000) if n.endswith("/data/0") else (n, d.replace(b"K\x18", b"J\x40\x78\x7d\x01"))
refuse(rezip("bomb.pth", "views.zip.pth", bomb, method=zipfile.ZIP_DEFLATED), "more than there are")

# Ten entries of the directory that are one and the same piece of the file.
save("whole.zip.pth", [torch.zeros(2000)] + [torch.zeros(1) for _ in range(9)])
data = (here / "whole.zip.pth").read_bytes()
(here / "whole.zip.pth").unlink()
with zipfile.ZipFile(io.BytesIO(data)) as read:
    infos = {info.filename.split("/", 1)[1]: info for info in read.infolist()}
    pickled = read.read("whole.zip/data.pkl").replace(b"K\x01tq", b"M\xd0\x07tq")
with zipfile.ZipFile(here / "overlap.pth", "w") as write:
    write.writestr("x/data.pkl", pickled)
    write.writestr("x/version", b"3\n")
    write.writestr("x/data/0", bytes(8000))
    for key in range(1, 10):
        same = zipfile.ZipInfo(f"x/data/{key}")
        first = write.getinfo("x/data/0")
        same.header_offset, same.CRC = first.header_offset, first.CRC
        same.file_size = same.compress_size = first.file_size
        write.filelist.append(same)
refuse("overlap.pth", "more than there are")

(here / "expected.txt").write_text("".join(expected))
(here / "refused.txt").write_text("".join(refused))
