"""Loops in a program all of whose arrays lie where they did in the last call: one call of compiled code, nothing to prepare."""

import numpy as np

from eagerdl.jit import driver


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
        self.instructions = driver.assembled(self.code)
        self.table = driver.table(1, self.instructions)
        self.run, self.place, self.done = driver.kernel(), self.table.ctypes.data, None
        if any(words[0] == driver.CAREFUL for words in self.code):
            self.done = memoryview(self.table)[driver.DONE :]

    def again(self):
        """What it gives, step by step: the same, or the error."""
        found = self.loop.step_by_step([self.arrays[value] for value in self.node.args])
        for value, array in zip(self.node.outputs, found):
            np.copyto(self.arrays[value], array)
