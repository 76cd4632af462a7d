"""Code that is fast on raw arrays: kernels take and return arrays of NumPy or CuPy and know no Tensor."""
