"""Small real data sets with the interface of `keras.datasets`: one ships with the package, the others are files.

`digits` is always there. The others are looked for in the folder that the environment variable EAGERDL_DATASETS names,
then in the cache (``~/.eagerdl/datasets``, or EAGERDL_HOME), and are else downloaded once and checked by SHA-256.
"""

from eagerdl.datasets import cifar10, digits, fashion_mnist, imdb, mnist

__all__ = ["cifar10", "digits", "fashion_mnist", "imdb", "mnist"]
