"""Losses as ops: cross-entropies from probabilities and from logits, stable in both."""

__all__: list[str] = []
