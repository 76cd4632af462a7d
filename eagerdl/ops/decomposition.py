"""Matrix decompositions and what rests on them: cholesky, qr, svd, eigh, solve, det."""

__all__: list[str] = []
