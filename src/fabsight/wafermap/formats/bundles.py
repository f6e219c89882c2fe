"""Bundles of maps in a `.npz`: thousands of maps and their labels, read one at a time.

    WM-811K   flat, offsets, hw (rows, columns), label, classes, split, splits
    MixedWM38 maps, labels (a column a class, several may hold), label_names, split, splits

Each array's size is checked against its entry in the archive before it is read. Map values are 0
none, 1 pass, 2 fail (Wu, Jang, Chen 2015); the maps of MixedWM38 also hold 3, its authors' mark of
a die that failed (Wang et al. 2020).
"""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fabsight.task import FabsightError
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.formats.placing import notch_down, require_size
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import About, Grid, Placement, Wafer

MAX_BYTES = 4 * 2**30  # of an array
_FLAT = ("flat", "offsets", "hw")
_STACKED = ("maps",)
_DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    RuntimeError,  # of encrypted entries; NotImplementedError of unknown packing is one too
    TypeError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
)
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class _Bundle:
    """A bundle's arrays.

    Attributes:
        maps: (maps, rows, columns), or all maps one after the other.
        offsets: Where each map begins in `maps` where these are one after the other.
        labels: (maps, classes), whether a class holds; None where there are none.
        names: Of the classes, canonical.
        split: Of each map, as `Wafer.split`.
        title: What the bundle is.
    """

    maps: np.ndarray
    offsets: np.ndarray | None
    sizes: np.ndarray | None
    labels: np.ndarray | None
    names: tuple[str, ...]
    split: list[str]
    title: str

    def __len__(self) -> int:
        return len(self.maps) if self.sizes is None else len(self.sizes)


def holds_maps(path: Path) -> bool:
    """Whether a file is an archive with the arrays of a bundle."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()[:1000]}
    except _DAMAGE:
        return False
    return names.issuperset(_FLAT) or names.issuperset(_STACKED)


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The maps of a bundle, in its order, each `path#index`."""
    bundle = _load(path)
    for k in range(len(bundle)):
        grid, place, warned = _cut(_map(bundle, k, path), path, k)
        about = About(wafer=str(k), format=bundle.title, placement=place)
        labels = None
        if bundle.labels is not None:
            labels = tuple(bundle.names[c] for c in np.flatnonzero(bundle.labels[k])) or ("none",)
        wafer = Wafer(
            grid, about, f"{path}#{k}", labels=labels, split=bundle.split[k], warnings=warned
        )
        yield wafer if settings.notch in ("file", "down") else notch_down(wafer, settings)


def _map(bundle: _Bundle, k: int, path: Path) -> Grid:
    if bundle.offsets is None or bundle.sizes is None:
        return np.asarray(bundle.maps[k])
    rows, columns = int(bundle.sizes[k, 0]), int(bundle.sizes[k, 1])
    begin, end = int(bundle.offsets[k]), int(bundle.offsets[k + 1])
    if rows < 0 or columns < 0 or begin < 0 or end - begin != rows * columns:
        raise FabsightError(
            f"read {path}: map {k}: hw states {rows} x {columns} dies, offsets {end - begin}"
        )
    return np.asarray(bundle.maps[begin:end]).reshape(rows, columns)


def _cut(
    grid: UInt8[np.ndarray, "height width"], path: Path, k: int
) -> tuple[Grid, Placement, tuple[str, ...]]:
    """A copy of the map, cut to its dies, where it lies in the whole, and warnings."""
    down, right = np.flatnonzero(grid.any(1)), np.flatnonzero(grid.any(0))
    if not len(down):
        raise FabsightError(f"read {path}: map {k} has no die at all")
    top, left = int(down[0]), int(right[0])
    part = grid[top : down[-1] + 1, left : right[-1] + 1]
    warned: tuple[str, ...] = ()
    if part.max() > 2:
        if part.max() > 3:
            raise FabsightError(
                f"read {path}: map {k} holds {part.max()}; 0 none, 1 pass and 2 fail can be read"
            )
        warned = (f"{(part == 3).sum()} dies of value 3 are taken to fail",)
        part = np.minimum(part, 2)
    return np.array(part, np.uint8), Placement(x0=left, y0=top), warned


def _load(path: Path) -> _Bundle:
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {
                name.removesuffix(".npy"): _array(archive, name, path)
                for name in archive.namelist()
                if name.removesuffix(".npy") in _READ
            }
    except _DAMAGE as error:
        raise FabsightError(
            f"read {path}: the bundle is damaged ({str(error)[:120]}); copy it again"
        ) from error
    if set(_FLAT) <= arrays.keys():
        return _flat(arrays, path)
    if "maps" in arrays:
        return _stacked(arrays, path)
    raise FabsightError(
        f"read {path}: a bundle has the arrays flat, offsets, hw or maps; this one has "
        f"{', '.join(sorted(arrays)) or 'none'}"
    )


_READ = frozenset((*_FLAT, *_STACKED, "label", "classes", "labels", "label_names"))
_READ |= {"split", "splits"}


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    """An array of the archive, if its header and its size agree."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of NumPy format {version}")
        shape, fortran, dtype = _HEADERS[version](file)
        expected = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
        if dtype.hasobject or expected > MAX_BYTES or expected != size - file.tell():
            raise FabsightError(
                f"read {path}: {name} states {'x'.join(map(str, shape))} of {dtype}, which is not "
                f"what its {size:,} bytes hold, or too much"
            )
        data = file.read(expected)
    if len(data) != expected:
        raise ValueError(f"{name} is cut off")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _flat(arrays: Mapping[str, np.ndarray], path: Path) -> _Bundle:
    flat, offsets, sizes = (arrays[name] for name in _FLAT)
    count = len(sizes) if sizes.ndim == 2 else 0
    whole = offsets.dtype.kind in "iu" and sizes.dtype.kind in "iu" and flat.dtype == np.uint8
    if not whole or sizes.shape != (count, 2) or offsets.shape != (count + 1,) or flat.ndim != 1:
        raise FabsightError(
            f"read {path}: flat {flat.shape}, offsets {offsets.shape} and hw {sizes.shape} do not "
            "belong together: n maps have n + 1 offsets and n rows of hw"
        )
    if count and int(offsets[-1]) != len(flat):
        raise FabsightError(
            f"read {path}: the last offset is {int(offsets[-1]):,}, flat holds {len(flat):,} dies"
        )
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    if "label" in arrays and "classes" in arrays:
        names = _canonical(arrays["classes"], path)
        label = _per_map(arrays["label"], "label", count, len(names), path)
        labels = label[:, None] == np.arange(len(names))
    split = _split(arrays, count, path)
    return _Bundle(flat, offsets, sizes, labels, names, split, "WM-811K bundle")


def _stacked(arrays: Mapping[str, np.ndarray], path: Path) -> _Bundle:
    maps = arrays["maps"]
    if maps.ndim != 3 or maps.dtype != np.uint8:
        raise FabsightError(
            f"read {path}: maps are {maps.shape} of {maps.dtype}; (maps, rows, columns) of uint8 "
            "can be read"
        )
    require_size(maps.shape[1], maps.shape[2], f"{path}: maps")
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    if "labels" in arrays and "label_names" in arrays:
        labels, names = arrays["labels"], _canonical(arrays["label_names"], path)
        if labels.shape != (len(maps), len(names)):
            raise FabsightError(
                f"read {path}: labels are {labels.shape}, {len(maps)} maps and {len(names)} names "
                "need a row a map and a column a name"
            )
        labels = labels.astype(bool)
    split = _split(arrays, len(maps), path)
    return _Bundle(maps, None, None, labels, names, split, "MixedWM38 bundle")


def _canonical(names: np.ndarray, path: Path) -> tuple[str, ...]:
    """Class names as `claims.PATTERNS` has them."""
    found = tuple(str(name).strip().lower().replace("_", "-") for name in names.ravel())
    found = tuple({"normal": "none", "near-full": "near-full"}.get(n, n) for n in found)
    unknown = [name for name in found if name not in PATTERNS]
    if unknown:
        raise FabsightError(
            f"read {path}: class {unknown[0]!r} is none of {', '.join(PATTERNS)}; rename it"
        )
    return found


def _per_map(numbers: np.ndarray, name: str, count: int, below: int, path: Path) -> np.ndarray:
    """Numbers of classes or splits, one a map, all below a limit."""
    if numbers.shape != (count,) or numbers.dtype.kind not in "iu":
        raise FabsightError(
            f"read {path}: {name} is {numbers.shape} of {numbers.dtype}; {count} maps need a whole "
            "number each"
        )
    wrong = np.flatnonzero((numbers < 0) | (numbers >= below))
    if len(wrong):
        raise FabsightError(
            f"read {path}: map {wrong[0]}: {name} is {numbers[wrong[0]]}, of {below} names"
        )
    return numbers


def _split(arrays: Mapping[str, np.ndarray], count: int, path: Path) -> list[str]:
    """train, val or test of each map, from the names in `splits` (train1, train10, ... are train).

    >>> _split({"split": np.array([1, 0]), "splits": np.array(["train", "val"])}, 2, Path("a"))
    ['val', 'train']
    """
    if "split" not in arrays or "splits" not in arrays:
        return [""] * count
    written = [str(name) for name in arrays["splits"].ravel()]
    names = [next((s for s in _SPLITS if name.startswith(s)), "") for name in written]
    return [names[k] for k in _per_map(arrays["split"], "split", count, len(names), path).tolist()]
