import itertools

import numpy as np
from cases.builders import case, fails, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def collapsed(alignment, blank):
    return tuple(label for label, _ in itertools.groupby(alignment) if label != blank)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """Goes through all alignments."""
    losses = []
    for labels, logits, n, t in zip(target, output, target_length, output_length, strict=True):
        p = np.exp(log_softmax(logits[:t]))
        wanted, total = tuple(labels[:n]), 0.0
        for alignment in itertools.product(range(output.shape[2]), repeat=int(t)):
            if collapsed(alignment, mask_index) == wanted:
                total += np.prod([p[i, k] for i, k in enumerate(alignment)])
        losses.append(-np.log(total))
    return np.array(losses)


def padded(labels, length):
    return [*labels, *[-1] * (length - len(labels))]


def ctc_decode(
    inputs, sequence_lengths, strategy="greedy", beam_width=100, top_paths=1, merge_repeated=True, mask_index=0
):
    """Goes through all alignments; a beam that is wide enough finds the same."""
    _, times, classes = inputs.shape
    blank = classes - 1 if mask_index is None else mask_index
    paths, scores = [], []
    for logits, t in zip(inputs, sequence_lengths, strict=True):
        if strategy == "greedy":
            best = logits[:t].argmax(-1)
            labels = collapsed(best, blank) if merge_repeated else [k for k in best if k != blank]
            found = [(labels, -logits[:t].max(-1).sum())]
        else:
            p, table = np.exp(log_softmax(logits[:t])), {}
            for alignment in itertools.product(range(classes), repeat=int(t)):
                labels = collapsed(alignment, blank)
                table[labels] = table.get(labels, 0.0) + np.prod([p[i, k] for i, k in enumerate(alignment)])
            found = sorted(((labels, np.log(p)) for labels, p in table.items()), key=lambda item: -item[1])[:top_paths]
        paths.append([padded(labels, times) for labels, _ in found])
        scores.append([score for _, score in found])
    return np.swapaxes(np.array(paths), 0, 1), np.array(scores)


TARGET = np.array([[1, 2, 2], [3, 1, -1], [2, -7, 99], [0, 0, 0]], "int32")
LENGTHS, STEPS = np.array([3, 2, 1, 0], "int32"), np.array([5, 4, 5, 3], "int32")
ONE, FOUR = np.array([1], "int32"), np.array([4], "int32")

CASES = {
    "ctc_loss": [
        case(TARGET, normal(4, 5, 4), LENGTHS, STEPS, reference=ctc_loss, dtypes=("float32",)),
        case(
            np.array([[1, 3, 2]]),
            3 * normal(1, 5, 4),
            np.array([3]),
            np.array([5]),
            mask_index=0,
            reference=ctc_loss,
            dtypes=("float32",),
        ),
        case(
            np.array([[0, 0], [1, 0]]),
            normal(2, 4, 3),
            np.array([2, 2]),
            np.array([4, 3]),
            mask_index=2,
            reference=ctc_loss,
            dtypes=(),
        ),
        case(
            np.array([[0, 1]]),
            normal(1, 4, 3),
            np.array([2]),
            FOUR,
            mask_index=-1,
            dtypes=(),
            reference=lambda *args, mask_index: ctc_loss(*args, mask_index=2),
        ),
        case(
            np.array([[1, 1], [1, 2], [1, 1]]),
            normal(3, 3, 3),
            np.array([2, 2, 0]),
            np.array([2, 1, 0]),
            order=0,
            dtypes=(),
            reference=ctc_loss,
        ),
        case(
            np.zeros((2, 0), "int32"),
            normal(2, 3, 3),
            np.zeros(2, "int32"),
            np.array([3, 2]),
            reference=ctc_loss,
            dtypes=(),
        ),
    ],
    "ctc_decode": [
        case(normal(3, 6, 4), np.array([6, 4, 0]), reference=ctc_decode, dtypes=("float32",)),
        case(
            normal(3, 6, 3), np.array([6, 5, 3]), merge_repeated=False, mask_index=None, reference=ctc_decode, dtypes=()
        ),
        case(
            normal(3, 5, 3),
            np.array([5, 4, 2]),
            strategy="beam_search",
            top_paths=3,
            order=0,
            dtypes=("float32",),
            reference=ctc_decode,
        ),
        case(
            normal(2, 5, 4),
            np.array([5, 4]),
            "beam_search",
            400,
            7,
            mask_index=2,
            order=0,
            dtypes=(),
            reference=ctc_decode,
        ),
    ],
}

OUTPUT = normal(1, 4, 3)
FAILURES = [
    fails("ctc_loss", np.array([1, 2]), OUTPUT, ONE, FOUR, error=ShapeError, match=r"target must be \(batch, labels\)"),
    fails(
        "ctc_loss",
        np.array([[1, 2]]),
        OUTPUT,
        np.array([1, 1]),
        FOUR,
        error=ShapeError,
        match=r"target_length must have one entry per sequence",
    ),
    fails(
        "ctc_loss",
        np.array([[1.0, 2.0]]),
        OUTPUT,
        ONE,
        FOUR,
        error=DTypeError,
        match=r"target must be integers; got float64",
    ),
    fails(
        "ctc_loss",
        np.array([[1, 3]]),
        OUTPUT,
        np.array([2]),
        FOUR,
        error=ArgumentError,
        match=r"labels must lie between 0 and 2, the last class",
    ),
    fails("ctc_loss", np.array([[1, -1]]), OUTPUT, np.array([2]), FOUR, error=ArgumentError, match=r"labels must lie"),
    fails(
        "ctc_loss",
        np.array([[1, 0]]),
        OUTPUT,
        np.array([2]),
        FOUR,
        error=ArgumentError,
        match=r"labels must not be the blank, class 0",
    ),
    fails(
        "ctc_loss",
        np.array([[1, 2]]),
        OUTPUT,
        np.array([3]),
        FOUR,
        error=ArgumentError,
        match=r"target_length must lie between 0 and 2",
    ),
    fails(
        "ctc_loss",
        np.array([[1, 2]]),
        OUTPUT,
        ONE,
        np.array([5]),
        error=ArgumentError,
        match=r"output_length must lie between 0 and 4",
    ),
    fails(
        "ctc_loss",
        np.array([[1, 2]]),
        OUTPUT,
        ONE,
        FOUR,
        mask_index=3,
        error=ArgumentError,
        match=r"mask_index must be one of the 3 classes",
    ),
    fails("ctc_decode", normal(4, 3), FOUR, error=ShapeError, match=r"inputs must be \(batch, time, classes\)"),
    fails("ctc_decode", OUTPUT, np.array([5]), error=ArgumentError, match=r"sequence_lengths must lie between 0 and 4"),
    fails(
        "ctc_decode", OUTPUT, FOUR, strategy="best", error=ArgumentError, match=r"'greedy' or 'beam_search'; got 'best'"
    ),
    fails(
        "ctc_decode",
        OUTPUT,
        FOUR,
        strategy="beam_search",
        beam_width=2,
        top_paths=3,
        error=ArgumentError,
        match=r"top_paths must lie between 1",
    ),
]
