"""Traced functions on a GPU: regions as CUDA C (`words`, `regions`, `kernels`), and programs that launch them (`program`).

Nothing here imports CuPy before a program is made, so that sources can be written and tested on machines without a GPU.
"""
