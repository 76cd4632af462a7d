"""Loops whose examples do not depend on each other: each thread goes through all runs with its own ones, and waits for nobody."""

import numpy as np

from eagerdl.machine import native, pool


class SplitLoop:
    """A loop in parts.

    Args:
        loop: the `loops.Loop`.
        whole: its `loops.Driven`.
        members: one for each part of the examples, without threads of their own.

    Attributes:
        body, may_fail, over, parts: those of the whole.
    """

    def __init__(self, loop, whole, members):
        self.loop, self.whole, self.members = loop, whole, members
        self.body, self.may_fail, self.over, self.parts = whole.body, whole.may_fail, whole.over, None
        size = members[0].carried[0].shape[0]
        self.shares = [(member, slice(i * size, (i + 1) * size)) for i, member in enumerate(members)]
        team = pool.pool()
        self.together = team.together
        self.first = team.table([(member.run.place, native.address(member.begin)) for member in members])
        self.table = team.table([(member.run.place, 0) for member in members])

    def __call__(self, arrays, in_place=False):
        """Runs it."""
        whole, count = self.whole, self.loop.carried
        along = whole.along_of(arrays, in_place)
        n = len(along[0])
        rooms = whole.rooms(n)
        for place, number in whole.over.items():
            rooms[place] = along[number]
        for i, (member, mine) in enumerate(self.shares):
            for value, array in zip(member.same, arrays[count + len(along) :]):
                member.read_where_it_lies(value, array)
            for place, array in zip(member.begin_of([room[:, mine] for room in rooms], n), arrays):
                np.copyto(place, array[mine])
            self.table[2 + 2 * i] = member.table(n, along, rooms, whole.made, mine).place
        if whole.body.before:
            self.together(native.address(self.first))
        self.together(native.address(self.table))
        ends = [member.end_of([room[:, mine] for room in rooms], n) for member, mine in self.shares]
        return [*map(np.concatenate, zip(*ends)), *whole.rows_of(rooms, n)]


def fits(whole, first):
    """True if a part of a loop does as the whole does, and if that is something that parts can do."""
    names = ("chains", "direct")
    places = [
        [sorted(getattr(one, name).values()) for name in names] + [one.extra, one.whole, one.over]
        for one in (whole, first)
    ]
    return (
        places[0] == places[1]
        and not (whole.may_fail or whole.parts or first.parts)
        and whole.flag is None
        and len(whole.whole) == len(whole.loop.begun)
    )
