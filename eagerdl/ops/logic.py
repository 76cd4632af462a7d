"""Logic, bits and predicates: ops whose results have no derivative."""

__all__: list[str] = []
