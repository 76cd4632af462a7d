"""`EinsumDense`: a dense layer whose product is written as an equation."""

import re
from dataclasses import dataclass

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn import activations, calls, constraints, initializers, regularizers
from eagerdl.nn.arguments import positive_int, refuse_quantization
from eagerdl.nn.layer import InputSpec
from eagerdl.nn.lora import LowRank

__all__ = ["EinsumDense"]

DOTS = r"(\.\.\.)?"
EQUATION = re.compile(rf"{DOTS}([a-zA-Z]+){DOTS},([a-zA-Z]+)->{DOTS}([a-zA-Z]+){DOTS}")


class EinsumDense(LowRank):
    """x -> ``activation(einsum(equation, x, kernel) + bias)``. Any product that is linear in x, as ``"abc,cd->abd"``.

    Args:
        equation: the axes of x, of the kernel and of the output; ``...`` may stand for the first axes of x and of the output,
            or for the last ones.
        output_shape: the sizes of the output's axes, without the batch axis and those in ``...``; an int for one; None for
            sizes that the input has.
        activation: a function or its name; none by default.
        bias_axes: the axes of the output along which there is a bias, as ``"d"``; None for no bias.
        kernel_initializer, bias_initializer: of kernel, whose shape the equation tells, and bias.
        kernel_regularizer, bias_regularizer, activity_regularizer: what adds losses.
        kernel_constraint, bias_constraint: what the weights are mapped to after each update.
        lora_rank, lora_alpha: the rank r of an additive update ``alpha / r * A @ B`` of a frozen kernel (LoRA), and its scale.
        gptq_unpacked_column_size, quantization_config: must be None.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if the equation cannot be read, or names an axis of the kernel or of the output nowhere else.
        ShapeError: if input and output_shape do not fit the equation.

    Example:
        >>> layer = edl.layers.EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
        >>> layer(edl.ones((2, 32, 128))).shape, layer.kernel.shape
        ((2, 32, 64), (128, 64))
    """

    def __init__(self, equation, output_shape, activation=None, bias_axes=None, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, kernel_constraint=None,
                 bias_constraint=None, lora_rank=None, lora_alpha=None, gptq_unpacked_column_size=None, quantization_config=None,
                 **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.equation = equation
        sizes = tuple(output_shape) if isinstance(output_shape, list | tuple) else (output_shape,)
        self.partial_output_shape = tuple(
            [None if n is None else positive_int(self.where, "each size of output_shape", n) for n in sizes]
        )
        self.bias_axes = bias_axes
        self.terms = _Terms.read(self.where, equation, bias_axes)
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        refuse_quantization(self.where, quantization_config)
        refuse_quantization(self.where, gptq_unpacked_column_size)
        self._set_lora(lora_rank, lora_alpha)

    def build(self, input_shape):
        sizes, output_shape = self._sizes(input_shape)
        terms = self.terms
        initializer = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling) and initializer.input_axes is None:
            axes = {"input_axes": [], "output_axes": []}
            for axis, letter in enumerate(terms.kernel):
                axes["output_axes" if letter in terms.output else "input_axes"].append(axis)
            initializer = type(initializer).from_config({**initializer.get_config(), "seed": initializer.seed, **axes})
        self._kernel = self.add_weight(tuple([sizes[letter] for letter in terms.kernel]), initializer, name="kernel",
                                       regularizer=self.kernel_regularizer, constraint=self.kernel_constraint)  # fmt: skip
        self.bias = None
        if self.bias_axes:
            first = min(terms.output.index(letter) for letter in self.bias_axes)
            shape = [sizes[letter] if letter in self.bias_axes else 1 for letter in terms.output[first:]]
            if terms.side == "right":
                shape += [1] * (len(output_shape) - len(terms.output))
            self.bias = self.add_weight(shape, self.bias_initializer, regularizer=self.bias_regularizer,
                                        constraint=self.bias_constraint, name="bias")  # fmt: skip
        fixed = {terms.axis_of(letter): sizes[letter] for letter in terms.input if letter in terms.kernel}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=fixed)
        self._begin_lora()

    def _sizes(self, input_shape):
        """The size of each letter, and the whole output shape."""
        terms, given = self.terms, self.partial_output_shape
        elided = len(input_shape) - len(terms.input)
        if elided < (terms.side == "left") or (elided and terms.side is None):
            raise ShapeError(self.where, f"the input must have the axes of the equation {self.equation!r}, the batch axis first",
                             f"got input {tuple(input_shape)}", "add or remove axes, or use ... in the equation")  # fmt: skip
        hidden = input_shape[:elided] if terms.side == "left" else input_shape[len(terms.input) :]
        letters = terms.output if terms.side == "left" else terms.output[1:]
        if len(letters) != len(given):
            raise ShapeError(self.where, f"output_shape needs a size for each axis in {letters!r} of {self.equation!r}",
                             f"got {given}", "leave out the batch axis and ...; use None for sizes of the input")  # fmt: skip
        sizes = {letter: input_shape[terms.axis_of(letter)] for letter in terms.input}
        for letter, size in zip(letters, given):
            known = sizes.get(letter)
            if None not in (known, size) and known != size:
                raise ShapeError(self.where, f"axis {letter!r} of the equation {self.equation!r} must have one size",
                                 f"got {known} in input {tuple(input_shape)}, {size} in output_shape {given}",
                                 "give None in output_shape for sizes of the input")  # fmt: skip
            sizes[letter] = known if size is None else size
        shape = [sizes[letter] for letter in terms.output]
        return sizes, tuple([*hidden, *shape] if terms.side == "left" else [*shape, *hidden])

    @property
    def kernel(self):
        """The kernel, with the low-rank update where there is one."""
        return self._updated()

    def call(self, inputs, training=None):
        x = ops.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            x = x + self.bias
        return x if self.activation is activations.linear else calls.converted(self.activation)(x)

    def compute_output_shape(self, input_shape):
        return self._sizes(input_shape)[1]

    def get_config(self):
        config = {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "quantization_config": None,
        }
        return config | self._lora_config()


@dataclass(frozen=True)
class _Terms:
    """The letters of the three terms of an equation, and on which side of x and of the output ``...`` stands."""

    input: str
    kernel: str
    output: str
    side: str | None

    @classmethod
    def read(cls, where, equation, bias_axes):
        """The terms of an equation.

        Raises:
            DTypeError: if it is no string.
            ArgumentError: if it is none of a linear layer.
        """
        if not isinstance(equation, str) or not (bias_axes is None or isinstance(bias_axes, str)):
            raise DTypeError(where, "equation and bias_axes are strings", f"got {equation!r} and {bias_axes!r}",
                             "write them as in EinsumDense('abc,cd->abd', (None, 8), bias_axes='d')")  # fmt: skip
        found = EQUATION.fullmatch(equation.replace(" ", ""))
        dots = [] if found is None else [bool(found[place]) for place in (1, 3, 5, 7)]
        if dots not in ([False] * 4, [True, False] * 2, [False, True] * 2) or (dots[1] and len(found[2]) < 2):
            raise ArgumentError(where, "equations are written as 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'",
                                f"got {equation!r}", "name the axes of input, kernel and output by letters")  # fmt: skip
        terms = cls(found[2], found[4], found[6], "left" if dots[0] else "right" if dots[1] else None)
        for name, letters in (("input", terms.input), ("kernel", terms.kernel), ("output", terms.output)):
            if len(set(letters)) < len(letters):
                terms._refuse(where, equation, f"each axis of the {name} needs a letter of its own", letters)
        if terms.side != "left" and terms.input[0] != terms.output[0]:
            terms._refuse(where, equation, "the first axis of input and output is that of the batch", terms.output[0])
        if terms.side != "left" and terms.input[0] in terms.kernel:
            terms._refuse(where, equation, "the kernel has no batch axis", terms.input[0])
        for letter in terms.kernel:
            if letter not in terms.input + terms.output:
                terms._refuse(where, equation, "each axis of the kernel must be in the input or the output", letter)
        for letter in terms.output:
            if letter not in terms.input + terms.kernel:
                terms._refuse(where, equation, "each axis of the output must be in the input or the kernel", letter)
        for letter in bias_axes or "":
            if letter not in terms.output:
                terms._refuse(where, equation, "bias_axes are axes of the output", letter)
        return terms

    def _refuse(self, where, equation, requirement, letter):
        raise ArgumentError(where, requirement, f"got {letter!r} in the equation {equation!r}", "change the letters")

    def axis_of(self, letter):
        """Which axis of the input a letter names."""
        return self.input.index(letter) - (len(self.input) if self.side == "left" else 0)


registry.add_area("layers", {name: globals()[name] for name in __all__})
