"""`LowRank`: layers whose matrix can be frozen, and trained by an update of low rank (LoRA)."""

from eagerdl.errors import ArgumentError
from eagerdl.nn.arguments import positive_int
from eagerdl.nn.layer import Layer


class LowRank(Layer):
    """The half of `Dense`, `EinsumDense`, `Embedding` and convolutions that has to do with LoRA.

    A subclass names its weight in `_adapted`, keeps it as an attribute of that name with an underscore, and calls `_set_lora`
    in ``__init__`` and `_begin_lora` at the end of `build`.
    """

    _adapted = "kernel"

    def _set_lora(self, rank, alpha):
        self.lora_rank = None if rank is None else positive_int(self.where, "lora_rank", rank)
        self.lora_alpha = rank if alpha is None else alpha
        self.lora_enabled = False

    def _begin_lora(self):
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _updated(self):
        """The weight, with the update where there is one."""
        if not self.built:
            raise ArgumentError(f"{self.where}.{self._adapted}", "the weights must exist", "the layer is not built",
                                "call it on data, or build(input_shape)")  # fmt: skip
        weight = getattr(self, f"_{self._adapted}")
        if not self.lora_enabled:
            return weight
        a, b = self._low_rank()
        return weight + self._lora_scale * (a @ b)

    def _low_rank(self):
        """The two factors of the update, A (..., r) and B (r, n)."""
        return getattr(self, f"lora_{self._adapted}_a"), getattr(self, f"lora_{self._adapted}_b")

    @property
    def _lora_scale(self):
        return self.lora_alpha / self.lora_rank

    def enable_lora(self, rank, lora_alpha=None, a_initializer="he_uniform", b_initializer="zeros"):
        """Freezes the weight and trains an additive update of low rank instead (Hu et al., 2021, arXiv:2106.09685).

        Args:
            rank: the rank r of the update ``lora_alpha / r * A @ B``.
            lora_alpha: the scale; by default the rank.
            a_initializer, b_initializer: of A, which has the shape of the weight with r as its last size, and of B (r, last size).

        Raises:
            ArgumentError: if the layer is not built, has an update already, or constrains the weight.
        """
        refused = (
            "it is not built" if not self.built
            else "it is enabled already" if self.lora_enabled
            else f"it has {self._adapted}_constraint" if getattr(self, f"{self._adapted}_constraint") is not None
            else None
        )  # fmt: skip
        if refused:
            raise ArgumentError(f"{self.where}.enable_lora", "LoRA is enabled once, on a built layer without constraint",
                                refused, "make a new layer, and build it first")  # fmt: skip
        rank = positive_int(f"{self.where}.enable_lora", "rank", rank)
        weight = getattr(self, f"_{self._adapted}")
        self._fix(weight)
        *rows, columns = weight.shape
        for factor, shape, initializer in (("a", (*rows, rank), a_initializer), ("b", (rank, columns), b_initializer)):
            name = f"lora_{self._adapted}_{factor}"
            made = self.add_weight(shape, initializer, regularizer=weight.regularizer, name=name)
            setattr(self, name, made)
        self.lora_rank, self.lora_alpha, self.lora_enabled = rank, rank if lora_alpha is None else lora_alpha, True

    def _lora_config(self):
        return {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha} if self.lora_rank else {}
