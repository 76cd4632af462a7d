"""Connectionist temporal classification: loss and decoding."""

__all__: list[str] = []
