"""Products of tensors beside matmul: einsum, tensordot, kron, cross."""

__all__: list[str] = []
