"""Loops in a program all of whose arrays lie where they did in the last call: one call of compiled code, nothing to prepare."""

import ctypes

import numpy as np

from eagerdl.jit import driver
from eagerdl.machine import native


class PlacedLoop(driver.Instructions):
    """A loop as instructions that run once.

    Args:
        node: the call of a `loops.Loop`.
        arrays: value -> array, of what it takes.

    Attributes:
        arrays: what it gives, too.
        run, place: the function that runs it, and what that takes.
        done: a word that is below 0 where it failed on the way; None where it cannot.

    Raises:
        NotDriven: if it cannot be an instruction.
    """

    def __init__(self, node, arrays):
        super().__init__({value: arrays[value] for value in node.inputs})
        self.loop, self.node, self.made = node.function, node, node.function.nested(self, node)
        if len(self.code) == 1 and self.code[0][0] in (driver.KERNEL, driver.CAREFUL):  # it needs no driver
            _, code, self.place, done, *_ = self.code[0].tolist()
            self.run = native.function_at(code)
        else:
            self.instructions = driver.assembled(self.code)
            self.table = driver.table(1, self.instructions)
            self.run, self.place = driver.kernel(), native.address(self.table)
            careful = any(words[0] == driver.CAREFUL for words in self.code)
            done = self.place + 8 * driver.DONE if careful else 0
        self.done = (ctypes.c_int64 * 1).from_address(done) if done else None

    def again(self):
        """What it gives, step by step: the same, or the error."""
        found = self.loop.step_by_step([self.arrays[value] for value in self.node.args])
        for value, array in zip(self.node.outputs, found):
            np.copyto(self.arrays[value], array)
