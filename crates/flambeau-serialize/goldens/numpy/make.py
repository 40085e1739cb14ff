"""Writes the files of this folder with NumPy, or checks what flambeau wrote (they were made with NumPy 2.4).

    python goldens/numpy/make.py                                     # in crates/flambeau-serialize
    cargo run -p flambeau-serialize --example write_files -- DIR && python goldens/numpy/make.py --check DIR

Each array that is read has the values 0, 1, 2, … in the order of its indices; `refused_*` are arrays that no tensor can be.
"""

import io
import pathlib
import sys
import zipfile

import numpy as np

here = pathlib.Path(__file__).parent
DTYPES = ["b1", "i1", "u1", "i2", "i4", "i8", "f2", "f4", "f8"]


def counted(shape, dtype, order="C"):
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype).copy(order)


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version)
    return out.getvalue()


def make():
    for old in [*here.glob("*.npy"), *here.glob("*.npz")]:
        old.unlink()
    for dtype in DTYPES:
        np.save(here / f"c_{dtype}.npy", counted((2, 3), "<" + dtype))
        np.save(here / f"fortran_{dtype}.npy", counted((2, 3, 2), "<" + dtype, "F"))
        np.save(here / f"big_{dtype}.npy", counted((2, 3), ">" + dtype))
    shapes = {"scalar": (), "line": (5,), "empty": (0, 3), "empty_fortran": (3, 0, 2), "deep": (1, 2, 1, 3, 1, 2), "one": (1, 1)}
    for name, shape in shapes.items():
        np.save(here / f"{name}.npy", counted(shape, "<f4", "F" if "fortran" in name else "C"))
    np.save(here / "fortran_ones.npy", counted((3, 1, 2), "<i8", "F"))
    np.save(here / "wide.npy", counted((100_000,), "<i1")[:0].reshape(0, 100_000))
    # With one space less the header would end 64 bytes earlier.
    np.save(here / "edge.npy", np.zeros((0, 100, *(2,) * 12), "<i1"))
    np.save(here / "none.npy", counted((0,), "<f4"))
    plain = counted((2, 3), "<f4")
    (here / "version2.npy").write_bytes(npy(plain, (2, 0)))
    (here / "version3.npy").write_bytes(npy(plain, (3, 0)))
    (here / "trailing.npy").write_bytes(npy(plain) + npy(plain))
    head = b"{'shape': (2L, 3L), 'fortran_order': False, 'descr': u'=f4'}"
    (here / "python2.npy").write_bytes(b"\x93NUMPY\x01\x00" + bytes([len(head), 0]) + head + plain.tobytes())
    other = b'{"descr":"float32" , "shape":(2,\n3,),"fortran_order":\tFalse,}  '
    (here / "spelled.npy").write_bytes(b"\x93NUMPY\x01\x00" + bytes([len(other), 0]) + other + plain.tobytes())

    arrays = {"w": counted((2, 3), "<f4"), "b": counted((3,), "<i8"), "layer.0/weight": counted((2, 2), "<f8", "F")}
    np.savez(here / "stored.npz", **arrays)
    np.savez_compressed(here / "deflated.npz", **arrays)
    np.savez(here / "numbered.npz", counted((2,), "<f4"), counted((3,), "|b1"))
    with zipfile.ZipFile(here / "names.npz", "w") as zip:
        entries = [("w", npy(counted((2,), "<f4"))), ("w.npy", npy(counted((3,), "<f4"))), ("only.npy", npy(counted((4,), "<f4")))]
        entries += [("readme.txt", b"no array"), ("folder/", b""), ("only.npy", npy(counted((5,), "<f4")))]
        for name, data in entries:
            # With a date of its own, so that the file is the same each time.
            zip.writestr(zipfile.ZipInfo(name), data)
    with zipfile.ZipFile(here / "none.npz", "w"):
        pass

    refused = {
        "records": np.zeros(2, [("x", "<i4"), ("y", "<f8")]),
        "texts": np.array(["ab", "c"]),
        "bytes": np.array([b"ab", b"c"]),
        "dates": np.array(["2026-11-27"], "datetime64[D]"),
        "spans": np.array([1], "timedelta64[s]"),
        "complex": np.zeros(2, np.complex64),
        "longdouble": np.zeros(2, np.longdouble),
        "objects": np.array([{}, None], object),
        "void": np.zeros(2, "V2"),
        "u2": np.zeros(2, np.uint16),
        "u4": np.zeros(2, np.uint32),
        "u8": np.zeros(2, np.uint64),
    }
    for name, array in refused.items():
        np.save(here / f"refused_{name}.npy", array, allow_pickle=True)


def same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape and a.strides == b.strides and a.tobytes() == b.tobytes(), (a, b)


def check(folder):
    for dtype in DTYPES:
        for name, array in {"c": counted((2, 3), "<" + dtype), "fortran": counted((2, 3, 2), "<" + dtype, "F")}.items():
            path = folder / f"{name}_{dtype}.npy"
            same(np.load(path), array)
            assert path.read_bytes() == npy(array), path
    same(np.load(folder / "sliced.npy"), counted((4, 6), "<f4")[::2, ::3].copy())
    same(np.load(folder / "scalar.npy"), counted((), "<f4"))
    for name in ["stored.npz", "deflated.npz"]:
        npz, theirs = np.load(folder / name), np.load(here / name)
        assert npz.files == theirs.files, npz.files
        for key in npz.files:
            same(npz[key], theirs[key])
        assert npz.zip.testzip() is None
    # Up to the archive's directory, in which zip writers differ.
    ours, theirs = [(where / "stored.npz").read_bytes().split(b"PK\x01\x02")[0] for where in (folder, here)]
    assert ours == theirs
    print(f"NumPy {np.__version__} reads all that was written, and writes the same bytes")


if __name__ == "__main__":
    check(pathlib.Path(sys.argv[2])) if sys.argv[1:2] == ["--check"] else make()
