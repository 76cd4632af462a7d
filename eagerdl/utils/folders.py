"""Files in folders as labelled examples: what is there, which part of it is wanted, and a dataset that reads it."""

import os
from pathlib import Path

import numpy as np

from eagerdl.data.dataset import AUTOTUNE, Dataset
from eagerdl.data.nodes import fresh_seed
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.messages import print_message

LABEL_MODES = ("int", "binary", "categorical", None)
SUBSETS = ("training", "validation", "both", None)


def one_of(where, name, value, known):
    """Refuses what is not in `known`."""
    if value not in known:
        raise ArgumentError(
            where, f"{name} is one of {', '.join(map(repr, known))}", f"got {value!r}", "use one of them"
        )


def dataset_of_folder(
    where, directory, endings, read, batch, *, labels, label_mode, class_names, shuffle, seed, validation_split, subset,
    follow_links, verbose,
):  # fmt: skip
    """A Dataset of the files in a folder, or a list of two for the subset "both".

    Args:
        where: the function that asks, for messages.
        endings: the endings of the files, in lower case.
        read: a function from a path to an example.
        batch: a function from a dataset to one with batches.
        directory, labels, ...: the arguments of Keras.
    """
    one_of(where, "label_mode", label_mode, LABEL_MODES)
    one_of(where, "subset", subset, SUBSETS)
    check_split(where, validation_split, subset, shuffle, seed)
    if labels is None or label_mode is None:
        labels = label_mode = None
    paths, numbers, class_names = files_of_folder(where, directory, endings, labels, class_names, follow_links)
    if label_mode == "binary" and len(class_names) != 2:
        raise ArgumentError(where, "label_mode='binary' needs two classes", f"there are {len(class_names)}: {class_names}",
                            "use label_mode='int'")  # fmt: skip
    if label_mode == "categorical" and not 0 <= numbers.min() <= numbers.max() < len(class_names):
        raise ArgumentError(where, f"label_mode='categorical' needs labels from 0 to {len(class_names) - 1}",
                            f"they reach from {numbers.min()} to {numbers.max()}", "use label_mode='int'")  # fmt: skip
    if verbose:
        classes = "" if class_names is None else f" belonging to {len(class_names)} classes"
        print_message(f"Found {len(paths)} files{classes}.")
    seed = fresh_seed() if seed is None else seed
    order = np.arange(len(paths))
    if shuffle:
        np.random.RandomState(seed % 2**32).shuffle(order)  # Keras' bit generator: the same files are for validation
    count = int(validation_split * len(paths)) if validation_split else 0
    parts = {None: order, "training": order[: len(order) - count], "validation": order[len(order) - count :]}
    out = []
    for part in ("training", "validation") if subset == "both" else (subset,):
        chosen = parts[part]
        if not len(chosen):
            raise ArgumentError(where, f"the {part} part needs files", f"it is {count} of {len(paths)} for validation",
                                "choose another validation_split")  # fmt: skip
        if part and verbose:
            print_message(f"Using {len(chosen)} files for {part}.")
        files = [paths[place] for place in chosen]
        again = shuffle and not (subset == "both" and part == "validation")
        examples = dataset_of_files(files, numbers if numbers is None else numbers[chosen], label_mode, class_names, read,
                                    seed if again else None)  # fmt: skip
        made = batch(examples).prefetch(AUTOTUNE)
        made.class_names, made.file_paths = class_names, files
        out.append(made)
    return out if subset == "both" else out[0]


def check_split(where, validation_split, subset, shuffle, seed):
    """Refuses arguments by which no part, or overlapping parts, would be chosen."""
    if validation_split and not 0 < validation_split < 1:
        raise ArgumentError(where, "validation_split is between 0 and 1", f"got {validation_split}", "use 0.2")
    if bool(validation_split) != bool(subset):
        raise ArgumentError(where, "validation_split and subset go together",
                            f"got validation_split={validation_split}, subset={subset!r}", "pass both, or none")  # fmt: skip
    if validation_split and shuffle and seed is None and subset != "both":
        raise ArgumentError(where, "the two parts must not overlap", "files are shuffled, and seed=None",
                            "pass the same seed for both parts, shuffle=False, or subset='both'")  # fmt: skip


def files_of_folder(where, directory, endings, labels, class_names, follow_links):
    """The paths, their class numbers (or None), and the names of the classes (or None)."""
    directory = Path(directory)
    if not directory.is_dir():
        raise ArgumentError(where, "the folder must exist", f"got {str(directory)!r}", "check the path")
    if isinstance(labels, str) and labels == "inferred":
        present = sorted(entry.name for entry in directory.iterdir() if entry.is_dir() and entry.name[0] != ".")
        unknown = [name for name in class_names or () if name not in present]
        if unknown:
            raise ArgumentError(where, "class_names are names of the folders inside",
                                f"{unknown[0]!r} is none; there are {present}", "check them")  # fmt: skip
        names = list(class_names or present)
        found = [list(walk(directory / name, endings, follow_links)) for name in names]
        numbers = np.repeat(np.arange(len(names), dtype=np.int32), [len(paths) for paths in found])
        paths = [path for some in found for path in some]
    else:
        if class_names is not None:
            raise ArgumentError(
                where, "class_names need labels='inferred'", f"got labels={labels!r:.40}", "leave one out"
            )
        paths, numbers, names = list(walk(directory, endings, follow_links)), None, None
        if labels is not None:
            numbers, names = given_labels(where, labels, paths, directory)
    if not paths:
        raise ArgumentError(where, f"there must be files that end in {', '.join(endings)}", f"{str(directory)!r} has none",
                            "with labels='inferred' they lie in one folder for each class")  # fmt: skip
    return paths, numbers, names


def given_labels(where, labels, paths, directory):
    """Labels of a user as int32, and the names of the classes."""
    if isinstance(labels, str) or not hasattr(labels, "__len__"):
        raise DTypeError(
            where, "labels are 'inferred', None, or a list of ints", f"got {labels!r:.40}", "use one of them"
        )
    if len(labels) != len(paths):
        raise ShapeError(where, "there must be a label for each file",
                         f"{len(labels)} labels, {len(paths)} files in {str(directory)!r}",
                         "give them in the order of the sorted paths")  # fmt: skip
    return np.asarray(labels, np.int32), [str(label) for label in sorted(set(labels))]


def walk(folder, endings, follow_links):
    """The files below `folder` with one of the endings: folder by folder, each in alphabetical order."""
    for root, _, files in sorted(os.walk(folder, followlinks=follow_links)):
        for name in sorted(files):
            if name.lower().endswith(endings):
                yield os.path.join(root, name)


def dataset_of_files(paths, numbers, label_mode, class_names, read, seed):
    """A Dataset of examples, or of pairs of an example and its label; in a new order each time if there is a seed."""
    paths = np.array(paths)
    if numbers is None:
        dataset = Dataset.from_tensor_slices(paths)
    else:
        dataset = Dataset.from_tensor_slices((paths, encoded(numbers, label_mode, class_names)))
    if seed is not None:
        dataset = dataset.shuffle(len(paths), seed=seed)
    if numbers is None:
        return dataset.map(read, num_parallel_calls=AUTOTUNE)
    return dataset.map(lambda path, label: (read(path), label), num_parallel_calls=AUTOTUNE)


def encoded(numbers, label_mode, class_names):
    """Class numbers as int32 (n,), as float32 zeros and ones (n, 1), or as float32 one-hot vectors (n, classes)."""
    if label_mode == "binary":
        return numbers[:, None].astype(np.float32)
    if label_mode == "categorical":
        return (numbers[:, None] == np.arange(len(class_names))).astype(np.float32)
    return numbers


def batching(where, batch_size):
    """A function that makes batches of a dataset, if a size is given."""
    if batch_size is not None and (isinstance(batch_size, bool) or batch_size < 1):
        raise ArgumentError(where, "batch_size is positive, or None", f"got {batch_size!r}", "use 32")
    return lambda dataset: dataset if batch_size is None else dataset.batch(batch_size)


def check_format(where, format):
    """Datasets are this framework's own, in the interface of tf.data."""
    if format != "tf":
        raise ArgumentError(
            where, "datasets have the interface of tf.data", f"got format={format!r}", "leave format out"
        )
