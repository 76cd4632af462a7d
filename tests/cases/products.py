import numpy as np
from cases.builders import case, complex_normal, fails, integers, normal

from eagerdl.errors import ArgumentError, DTypeError, ShapeError


def cross(x1, x2):
    """The cross product of vectors (..., 2 or 3), the short ones with a third element 0; two short ones give the third."""
    both_short = x1.shape[-1] == x2.shape[-1] == 2
    x1, x2 = (np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 3 - x.shape[-1])]) for x in (x1, x2))
    out = np.cross(x1, x2)
    return out[..., 2] if both_short else out


def einsums(*rows):
    return [
        case(subscripts, *[normal(*shape, salt=i) for i, shape in enumerate(shapes)]) for subscripts, *shapes in rows
    ]


CASES = {
    "dot": [
        case(normal(3), normal(3, salt=1)),
        case(normal(2, 3), normal(3, 4)),
        case(normal(2, 3), normal(3)),
        case(normal(), normal(3)),
        case(normal(2, 3), normal(2, 3, 2)),
        case(normal(3), normal(2, 3, 2)),
        case(normal(2, 0), normal(0, 3)),
        case(integers(0, 5, 3), integers(0, 5, 3, salt=1), order=0),
    ],
    "inner": [
        case(normal(3), normal(3, salt=1)),
        case(normal(2, 3), normal(4, 3)),
        case(normal(2, 2, 3), normal(3)),
        case(2.0, normal(3)),
    ],
    "outer": [case(normal(2), normal(3)), case(normal(2, 2), normal(3, 1)), case(normal(), normal(0))],
    "vdot": [case(normal(2, 3), normal(3, 2)), case(complex_normal(3), complex_normal(3, salt=1), dtypes=())],
    "vecdot": [
        case(normal(2, 3), normal(3)),
        case(normal(4, 1, 3), normal(2, 3)),
        case(normal(3, 4), normal(3, 4, salt=1), axis=0),
        case(complex_normal(2, 3), complex_normal(3), dtypes=()),
        case(normal(0, 3), normal(3)),
        case(normal(2, 0), normal(0)),
    ],
    "tensordot": [
        case(normal(2, 3, 4), normal(3, 4, 2)),
        case(normal(2, 3), normal(3, 2), axes=1),
        case(normal(2), normal(3), axes=0),
        case(normal(2, 3, 4), normal(4, 5, 3), axes=((1, 2), (2, 0))),
        case(normal(2, 3), normal(2, 4), axes=[0, 0]),
        case(normal(2, 3), normal(2, 3, salt=1), axes=((-1, -2), (1, 0))),
        case(complex_normal(2, 3), complex_normal(3), axes=1, dtypes=()),
    ],
    "einsum": [
        *einsums(
            ("ij,jk->ik", (2, 3), (3, 4)),
            ("ij,jk->ki", (2, 3), (3, 4)),
            ("ij,jk", (2, 3), (3, 4)),
            ("bij, bjk -> bik", (2, 3, 4), (2, 4, 2)),
            ("bqhd,bkhd->bhqk", (2, 3, 2, 2), (2, 4, 2, 2)),
            ("bhqk,bkhd->bqhd", (2, 2, 3, 4), (2, 4, 2, 3)),
            ("ij,kj->ki", (2, 3), (4, 3)),
            ("ii", (3, 3)),
            ("ii->i", (3, 3)),
            ("iij->j", (3, 3, 2)),
            ("iji,jk->k", (2, 3, 2), (3, 2)),
            ("i,i", (3,), (3,)),
            ("i,j", (3,), (2,)),
            ("...ij,...jk->...ik", (3, 2, 3), (3, 2)),
            ("...ij,jk", (3, 2, 3), (3, 2)),
            ("...i,...i->...", (1, 4, 3), (2, 1, 3)),
            ("i...,i...->...", (2, 3), (2, 3)),
            ("a...b->b...a", (2, 3, 4)),
            ("... ,...", (2, 3), (3,)),
            ("abij,abjk->abik", (2, 1, 3, 4), (2, 1, 4, 2)),
            ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
            ("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)),
            ("i,j,k->kji", (2,), (3,), (4,)),
            ("a,b,c,d->", (2,), (2,), (2,), (3,)),
            ("ijk,ilm,njm,nlk->", (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
            ("abc->cba", (2, 3, 4)),
            ("abc->", (2, 3, 4)),
            ("ba", (2, 3)),
            (",i->i", (), (3,)),
            (",", (), ()),
            ("ab,cd->", (2, 3), (2, 2)),
            ("ij,kj->ki", (0, 3), (2, 3)),
            ("ij,jk->ik", (2, 0), (0, 3)),
            ("i->", (0,)),
        ),
        case("ij,jk->ik", complex_normal(2, 3), complex_normal(3, 2), dtypes=()),
        case("ij,jk->ik", integers(0, 5, 2, 3), integers(0, 5, 3, 4), order=0),
        case("ij,jk,k->i", normal(2, 3), integers(0, 5, 3, 4), normal(4), optimize=True),
    ],
    "kron": [
        case(normal(2), normal(3)),
        case(normal(2, 3), normal(3, 2)),
        case(normal(2, 3), normal(2)),
        case(normal(2), normal(2, 1, 3)),
        case(normal(), normal(2)),
        case(complex_normal(2), complex_normal(2, salt=1), dtypes=()),
    ],
    "cross": [
        case(normal(3), normal(3, salt=1)),
        case(normal(4, 3), normal(3)),
        case(normal(3, 4), normal(3, 4, salt=1), axis=0),
        case(normal(2, 3, 2), normal(2, 2, 3), axisa=1, axisb=2, axisc=0),
        case(normal(4, 2), normal(4, 2, salt=1), reference=cross),
        case(normal(4, 2), normal(4, 3), reference=cross),
        case(complex_normal(3), complex_normal(3, salt=1), dtypes=()),
        case(normal(2, 1, 3), normal(4, 3)),
        case(normal(0, 3), normal(3)),
        case(integers(0, 9, 3), integers(0, 9, 3, salt=1), order=0),
    ],
}

FAILURES = [
    fails(
        "dot",
        normal(2, 3),
        normal(2, 3),
        error=ShapeError,
        match=r"\[dot\].*axis 1 of x1 \(2, 3\) has 3, axis 0 of x2 \(2, 3\) has 2",
    ),
    fails("inner", normal(2, 3), normal(3, 2), error=ShapeError, match=r"\[inner\] axes that are summed over"),
    fails("vdot", normal(2), normal(3), error=ShapeError, match=r"\[vdot\] both tensors have the same number"),
    fails("vecdot", normal(2, 3), normal(2), error=ShapeError, match=r"\[vecdot\] both vectors have one length"),
    fails("vecdot", normal(2, 3), normal(4, 3), error=ShapeError, match=r"leading axes must broadcast"),
    fails("vecdot", normal(2, 3), normal(3), axis=1.5, error=DTypeError, match=r"\[vecdot\] an axis is an integer"),
    fails(
        "tensordot",
        normal(2, 3),
        normal(3, 2),
        axes=3,
        error=ShapeError,
        match=r"\[tensordot\] axes counts axes.*axes=3",
    ),
    fails(
        "tensordot",
        normal(2, 3),
        normal(2, 3),
        axes=1,
        error=ShapeError,
        match=r"\[tensordot\].*axis 1 of x1.*has 3.*axis 0 of x2.*has 2",
    ),
    fails(
        "tensordot",
        normal(2, 3),
        normal(2, 3),
        axes=((0, 1), (0,)),
        error=ArgumentError,
        match=r"\[tensordot\] as many axes of x1 as of x2",
    ),
    fails(
        "tensordot",
        normal(2, 2),
        normal(2, 2),
        axes=((0, 0), (0, 1)),
        error=ShapeError,
        match=r"\[tensordot\] each axis may come once",
    ),
    fails(
        "tensordot",
        normal(2, 2),
        normal(2, 2),
        axes=None,
        error=ArgumentError,
        match=r"\[tensordot\] axes is a number or a pair",
    ),
    fails(
        "einsum",
        "ij,jk->ik",
        normal(2, 3),
        normal(4, 2),
        error=ShapeError,
        match=r"\[einsum\] the letter 'j' has one size; operand 0 \(2, 3\) has 3, operand 1 \(4, 2\) has 4",
    ),
    fails("einsum", "ij,ij->ij", normal(2, 3), normal(1, 3), error=ShapeError, match=r"the letter 'i' has one size"),
    fails("einsum", "ii->i", normal(2, 3), error=ShapeError, match=r"the letter 'i' has one size"),
    fails(
        "einsum", "...i,...i->...", normal(2, 3), normal(4, 3), error=ShapeError, match=r"axes under '...' broadcast"
    ),
    fails(
        "einsum",
        "ijk->i",
        normal(2, 3),
        error=ShapeError,
        match=r"operand 0 \(2, 3\) has 2 axes, its term 'ijk' names 3",
    ),
    fails(
        "einsum", "i1->i", normal(2, 3), error=ArgumentError, match=r"\[einsum\] subscripts are letters.*'1' in 'i1->i'"
    ),
    fails("einsum", "ij->i->j", normal(2, 3), error=ArgumentError, match=r"one '->'; '-' in"),
    fails(
        "einsum",
        "ij->k",
        normal(2, 3),
        error=ArgumentError,
        match=r"each letter of the output comes from an operand; 'k'",
    ),
    fails("einsum", "ij->ii", normal(2, 2), error=ArgumentError, match=r"a letter comes once in the output"),
    fails("einsum", "...i->i", normal(2, 3), error=ArgumentError, match=r"the output keeps the axes under '...'"),
    fails(
        "einsum",
        "ij,j->i",
        normal(2, 3),
        error=ArgumentError,
        match=r"one term for each operand; .* has 2 for 1 operands",
    ),
    fails("einsum", normal(2), [0], error=DTypeError, match=r"\[einsum\] the first argument holds the subscripts"),
    fails("einsum", "i->i", error=ArgumentError, match=r"\[einsum\] at least one operand"),
    fails("cross", normal(4), normal(3), error=ShapeError, match=r"\[cross\] vectors of length 3 or 2"),
    fails("cross", normal(2, 3), normal(4, 3), error=ShapeError, match=r"\[cross\].*x1 \(2, 3\), x2 \(4, 3\)"),
    fails("cross", normal(3), normal(3), axis=2, error=ShapeError, match=r"\[cross\] axis must name"),
]
