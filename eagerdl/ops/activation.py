"""Activation functions: relu and its family, sigmoid and its family, softmax and its family."""

__all__: list[str] = []
