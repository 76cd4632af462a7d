"""Elements in memory and in files: cache, save, load, snapshot.

A saved dataset is a folder: ``dataset.json`` says how many elements there are, of which structure, and which files of which
sizes hold them; each ``.npz`` file holds some elements, the leaves of equal shapes stacked. Nothing is pickled. Everything is
written to a folder beside the final one, which takes its place at the end.
"""

import json
import os
import weakref

import numpy as np

from eagerdl import dtypes
from eagerdl.data.nodes import Iterator, Node, Through, Walk
from eagerdl.data.sources import PlaceIterator
from eagerdl.data.structure import columns
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.tree import flatten

FORMAT = 1
PART_BYTES, PART_ELEMENTS = 64 << 20, 10_000  # a file of a saved dataset holds at most about so much
META = "dataset.json"


# -- writing ------------------------------------------------------------------------------------


class Writer:
    """Writes elements, one after the other, to a folder that appears when `finish` is called."""

    def __init__(self, path, compression, where):
        if compression not in (None, "GZIP", "AUTO"):
            raise ArgumentError(where, "compression is None or 'GZIP'", f"got {compression!r}", "use None")
        self.path, self.where = os.path.abspath(path), where
        self.pack = np.savez_compressed if compression == "GZIP" else np.savez
        self.folder = f"{self.path}.{os.urandom(4).hex()}.part"
        os.makedirs(self.folder)
        self.parts, self.waiting, self.bytes, self.structure, self.count = [], [], 0, None, 0

    def add(self, element):
        """Writes one more element."""
        if self.structure is None:
            self.structure = skeleton(element, self.where)
        elif skeleton(element, self.where) != self.structure:
            raise DTypeError(self.where, "all elements must have one structure and the same dtypes",
                             f"the first has {self.structure}, number {self.count} {skeleton(element, self.where)}",
                             "make them alike with map")  # fmt: skip
        self.waiting.append(element)
        self.count += 1
        self.bytes += sum(leaf.nbytes for leaf in flatten(element)[0] if leaf is not None)
        if self.bytes >= PART_BYTES or len(self.waiting) >= PART_ELEMENTS:
            self._flush()

    def _flush(self):
        if not self.waiting:
            return
        arrays = {}
        for place, column in enumerate(columns(self.waiting, self.where)[0]):
            if column[0] is None:
                continue
            plain = [_plain(leaf) for leaf in column]
            if len({leaf.shape for leaf in plain}) == 1:
                arrays[str(place)] = np.stack(plain)
            else:
                arrays.update({f"{place}.{row}": leaf for row, leaf in enumerate(plain)})
        name = f"part-{len(self.parts):05d}.npz"
        self.pack(os.path.join(self.folder, name), **arrays)
        self.parts.append([name, len(self.waiting)])
        self.waiting, self.bytes = [], 0

    def finish(self):
        """Writes what is left and puts the folder into its place, that of an older dataset too."""
        import shutil

        self._flush()
        meta = {"format": FORMAT, "count": self.count, "structure": self.structure, "parts": self.parts}
        with open(os.path.join(self.folder, META), "w", encoding="utf-8") as file:
            json.dump(meta, file)
            file.flush()
            os.fsync(file.fileno())
        if os.path.isdir(self.path):
            if os.listdir(self.path) and not os.path.exists(os.path.join(self.path, META)):
                self.abandon()
                raise ArgumentError(self.where, "the path must be new, empty or a saved dataset", f"{self.path} holds other files",
                                    "choose another path")  # fmt: skip
            shutil.rmtree(self.path)
        os.replace(self.folder, self.path)

    def abandon(self):
        """Removes what was written."""
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)


def _plain(leaf):
    """A leaf as an array that `.npz` holds without pickle."""
    if leaf.dtype.kind == "O":
        values = leaf.ravel().tolist()
        if not all(isinstance(one, str | bytes) for one in values):
            raise DTypeError(
                "save", "elements must be arrays or text", "an array of objects came", "convert them with map"
            )
        coded = [["b", one.decode("latin-1")] if isinstance(one, bytes) else ["s", one] for one in values]
        return np.frombuffer(json.dumps([list(leaf.shape), coded]).encode(), np.uint8)
    return leaf.view(np.uint16) if leaf.dtype == dtypes.bfloat16 else leaf


def _revived(leaf, dtype):
    """The leaf that `_plain` made an array of."""
    if dtype == "object":
        shape, coded = json.loads(leaf.tobytes())
        out = np.empty(len(coded), object)
        out[:] = [text.encode("latin-1") if kind == "b" else text for kind, text in coded]
        return out.reshape(shape)
    return leaf.view(dtypes.bfloat16) if dtype == "bfloat16" else leaf


def skeleton(element, where):
    """The structure of an element as JSON, with the dtypes at the leaves."""
    if isinstance(element, dict):
        if not all(isinstance(key, str) for key in element):
            raise DTypeError(where, "keys must be strings to be saved", f"got {list(element)}", "rename them with map")
        return {"dict": [[key, skeleton(value, where)] for key, value in element.items()]}
    if isinstance(element, tuple):
        return {"tuple": [skeleton(value, where) for value in element]}
    if element is None:
        return None
    if not isinstance(element, np.ndarray):
        raise DTypeError(where, "elements must be arrays or text to be saved", "a dataset inside an element came",
                         "flatten it with flat_map")  # fmt: skip
    return "text" if element.dtype.kind == "U" else element.dtype.name


def _build(structure, leaves):
    """The element of a skeleton, with leaves from an iterator of (place, dtype) -> leaf."""
    if isinstance(structure, dict):
        if "dict" in structure:
            return {key: _build(value, leaves) for key, value in structure["dict"]}
        return tuple([_build(value, leaves) for value in structure["tuple"]])
    return leaves(structure)


# -- reading ------------------------------------------------------------------------------------


class Saved(Node):
    """The elements of a saved dataset, read file by file."""

    label = "load"

    def __init__(self, path, where="load"):
        self.path, self.where = os.path.abspath(path), where
        try:
            with open(os.path.join(self.path, META), encoding="utf-8") as file:
                meta = json.load(file)
            if meta["format"] > FORMAT:
                raise ArgumentError(where, f"format {FORMAT} or older is needed", f"{path} has format {meta['format']}",
                                    "update eagerdl")  # fmt: skip
            self.count, self.structure = int(meta["count"]), meta["structure"]
            self.parts = [(str(name), int(size)) for name, size in meta["parts"]]
        except FileNotFoundError:
            raise ArgumentError(where, "a folder that Dataset.save wrote is needed", f"{self.path} has no {META}",
                                "check the path") from None  # fmt: skip
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ArgumentError(
                where, "the saved dataset must be whole", f"{self.path}/{META}: {error}", "save it again"
            ) from error
        if (
            any(os.path.basename(name) != name for name, _ in self.parts)
            or sum(size for _, size in self.parts) != self.count
        ):
            raise ArgumentError(where, "the saved dataset must be whole", f"{self.path}/{META} does not fit together",
                                "save it again")  # fmt: skip
        self.starts = np.cumsum([0, *[size for _, size in self.parts]])
        self.open = (None, None)

    def cardinality(self):
        return self.count

    def iterator(self, walk):
        return PlaceIterator(self, self.count)

    def has_places(self):
        return True

    def at(self, index):
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        which, arrays = self.open  # read together: another thread may open another file
        if which != number:
            arrays = self._read(number)
            self.open = number, arrays
        row, place = index - int(self.starts[number]), -1

        def leaf(dtype):
            nonlocal place
            place += 1
            if dtype is None:
                return None
            stacked = arrays.get(str(place))
            return _revived(arrays[f"{place}.{row}"] if stacked is None else stacked[row, ...], dtype)

        return _build(self.structure, leaf)

    def _read(self, number):
        import zipfile

        name = os.path.join(self.path, self.parts[number][0])
        try:
            with open(name, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise ArgumentError(self.where, "the files of a saved dataset must be whole", f"{name}: {error}",
                                "save it again") from error  # fmt: skip


# -- cache --------------------------------------------------------------------------------------


class Cache(Through):
    """Keeps all elements once they were read, in memory or in a folder.

    What is kept is the first pass whoever makes it, so that shuffles below give the order of their first round.
    """

    label = "cache"

    def __init__(self, source, path, compression=None, label="cache"):
        super().__init__(source)
        self.path, self.compression, self.label = path, compression, label
        self.stored, self.origin = None, None  # a node with the elements; the state of the input before them
        if path and os.path.exists(os.path.join(path, META)):
            self.stored = Saved(path, label)

    def iterator(self, walk):
        return CacheIterator(self, Walk(fixed=(), threads=walk.threads))

    def recorder(self):
        """What takes the elements of a pass: `Kept`, or a `Writer` for a folder."""
        return Writer(self.path, self.compression, self.label) if self.path else Kept()

    def keep(self, recorder, origin):
        """Takes the elements of a whole pass."""
        recorder.finish()
        self.stored, self.origin = Saved(self.path, self.label) if self.path else recorder, origin


class Kept:
    """Elements in memory."""

    def __init__(self):
        self.elements = []
        self.add, self.at = self.elements.append, self.elements.__getitem__

    def cardinality(self):
        """How many there are."""
        return len(self.elements)

    def finish(self):
        """Nothing is left to do."""

    def abandon(self):
        """Nothing is to be removed."""


class CacheIterator(Iterator):
    """Reads what is kept, else the input. Restored where nothing is kept yet, it reads the input from the beginning."""

    def __init__(self, node, walk):
        self.node, self.walk = node, walk
        self._begin(None)

    def _begin(self, origin):
        node = self.node
        self.position, self.source, self.recorder = 0, None, None
        self.origin = node.origin
        if node.stored is None or (origin is not None and node.origin is not None and _differ(origin, node.origin)):
            self.source = node.input.iterator(self.walk)
            if origin is not None:
                self.source.restore(origin)
            self.origin = self.source.state()

    def _record(self, element):
        if self.recorder is None:
            self.recorder = self.node.recorder()
            self.finalizer = weakref.finalize(self, self.recorder.abandon)
        self.recorder.add(element)

    def _keep(self):
        """At the end of the input."""
        if self.source is not None and not self.kept:
            self.kept = True
            if self.recorder is None:
                self.recorder = self.node.recorder()
            else:
                self.finalizer.detach()
            self.node.keep(self.recorder, self.origin)

    kept = False

    def next(self):
        if self.source is None:
            if self.position >= self.node.stored.cardinality():
                raise StopIteration
            element = self.node.stored.at(self.position)
        else:
            try:
                element = self.source.next()
            except StopIteration:
                self._keep()
                raise
            self._record(element)
        self.position += 1
        return element

    def state(self):
        return {"position": self.position, "origin": self.origin}

    def restore(self, state):
        if self.kept or state["position"] < self.position or _differ(state["origin"], self.origin):
            if self.recorder is not None and not self.kept:
                self.finalizer()
            self.kept = False
            self._begin(state["origin"])
        if self.source is None:
            self.position = state["position"]
        elif (missing := state["position"] - self.position) and self.skip(missing) < missing:
            raise ArgumentError("cache", f"the input must have the {state['position']} elements that were read from it",
                                f"now it ends after {self.position}", "restore with the same data")  # fmt: skip


def _differ(a, b):
    """True if two states are not the same."""
    if isinstance(a, dict):
        return not isinstance(b, dict) or a.keys() != b.keys() or any(_differ(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return not isinstance(b, list | tuple) or len(a) != len(b) or any(map(_differ, a, b))
    if isinstance(a, np.ndarray):
        return not np.array_equal(a, b)
    return bool(a != b)
