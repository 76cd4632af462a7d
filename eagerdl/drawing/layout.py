"""Where the boxes of a diagram stand: layers from top to bottom, few crossings, straight long edges.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981:
ranks, dummies for long edges, an order within each rank by barycentres, coordinates, routes. Coordinates within a rank are the
least squares solution with the boxes kept apart, by pooling adjacent violators (Ayer et al., 1955).
"""

import bisect
import collections
from dataclasses import dataclass, field
from itertools import pairwise

BESIDE, BETWEEN, TRACK = 24.0, 30.0, 8.0  # distances between boxes of a rank, between ranks, and between parallel lines
SWEEPS = 12


@dataclass
class Placed:
    """A layout: `corners` key -> (x, y) of the upper left corner, `routes` one list of points for each edge, and the size."""

    corners: dict
    routes: list
    width: float
    height: float


@dataclass
class Slot:
    """A place in a rank: of a box, or of a long edge that passes through it."""

    key: object
    width: float
    height: float
    above: list = field(default_factory=list)  # (slot, port there, port here): ports are offsets from the centres
    below: list = field(default_factory=list)  # (slot, port there, port here)
    x: float = 0.0  # the centre

    @property
    def passing(self):
        """True for the place of a long edge."""
        return self.key is None


def layered(sizes, edges, right_angles=True, first=(), last=()):
    """A layout of boxes.

    Args:
        sizes: key -> (width, height), in the order of preference.
        edges: (key, key, port, port): from, to, and where at the boxes, as offsets from their centres.
        right_angles: whether lines have only vertical and horizontal parts.
        first, last: keys that stand in the first or last rank; nothing leads to or from them.

    Returns:
        A Placed.
    """
    if not sizes:
        return Placed({}, [], 0.0, 0.0)
    ranks_of, turned = _ranks(sizes, edges)
    bottom = max(ranks_of.values())
    ranks_of |= {key: 0 for key in sizes if key in first} | {key: bottom for key in sizes if key in last}
    ranks, slots, chains = _slots(sizes, edges, ranks_of, turned)
    _order(ranks)
    _coordinates(ranks)
    _straighten(ranks)
    left = min(slot.x - slot.width / 2 for rank in ranks for slot in rank)
    for rank in ranks:
        for slot in rank:
            slot.x -= left
    heights = [max(slot.height for slot in rank) for rank in ranks]
    gaps = _gaps(ranks, right_angles)
    tops = [0.0]
    for height, gap in zip(heights, gaps):
        tops.append(tops[-1] + height + gap.height)
    corners = {}
    for key, slot in slots.items():
        rank = ranks_of[key]
        corners[key] = slot.x - slot.width / 2, tops[rank] + (heights[rank] - slot.height) / 2
    routes = []
    for chain, back in zip(chains, turned):
        points = []
        for (one, port), (two, other), rank in chain:
            start, end = tops[rank] + heights[rank], tops[rank + 1]
            x, y = one.x + port, two.x + other
            points.append((x, start - (heights[rank] - one.height) / 2 if not one.passing else start))
            if right_angles and abs(x - y) > 0.5:
                level = start + gaps[rank].levels[_at(x)]
                points += [(x, level), (y, level)]
            else:
                points += [(x, start), (y, end)]
            points.append((y, end + (heights[rank + 1] - two.height) / 2 if not two.passing else end))
        points = _tidy(points)
        routes.append(points[::-1] if back else points)
    width = max(slot.x + slot.width / 2 for rank in ranks for slot in rank)
    return Placed(corners, routes, width, tops[len(ranks) - 1] + heights[-1])


def _ranks(sizes, edges):
    """key -> rank by longest paths, and for each edge whether it had to be turned round to break a cycle."""
    after = collections.defaultdict(list)
    for number, (a, b, *_) in enumerate(edges):
        after[a].append((b, number))
    state, turned, ended = {}, [False] * len(edges), []
    for root in sizes:
        stack = [(root, iter(after[root]))] if root not in state else []
        state.setdefault(root, "open")
        while stack:
            key, following = stack[-1]
            for b, number in following:
                if state.get(b) == "open":
                    turned[number] = True
                elif b not in state:
                    state[b] = "open"
                    stack.append((b, iter(after[b])))
                    break
            else:
                state[key] = "done"
                ended.append(key)
                stack.pop()
    forward = [(b, a) if back else (a, b) for (a, b, *_), back in zip(edges, turned)]
    before, following = collections.defaultdict(list), collections.defaultdict(list)
    for a, b in forward:
        before[b].append(a)
        following[a].append(b)
    ranks = {}
    for key in reversed(ended):
        ranks[key] = max((ranks[a] + 1 for a in before[key] if a in ranks), default=0)
    for key in ended:  # what only begins something stands close to it
        if not before[key] and following[key]:
            ranks[key] = min(ranks[b] for b in following[key]) - 1
    lowest = min(ranks.values())
    return {key: rank - lowest for key, rank in ranks.items()}, turned


def _slots(sizes, edges, ranks_of, turned):
    """Ranks of slots, the slot of each key, and each edge as its steps from rank to rank."""
    ranks = [[] for _ in range(max(ranks_of.values()) + 1)]
    slots = {}
    for key, (width, height) in sizes.items():
        slots[key] = Slot(key, width, height)
        ranks[ranks_of[key]].append(slots[key])
    chains = []
    for (a, b, port, other), back in zip(edges, turned):
        if back:
            a, b, port, other = b, a, other, port
        chain, last = [], (slots[a], port)
        for rank in range(ranks_of[a], ranks_of[b]):
            if rank + 1 == ranks_of[b]:
                step = slots[b], other
            else:
                step = Slot(None, 2.0, 0.0), 0.0
                ranks[rank + 1].append(step[0])
            last[0].below.append((step[0], step[1], last[1]))
            step[0].above.append((last[0], last[1], step[1]))
            chain.append((last, step, rank))
            last = step
        chains.append(chain)
    return ranks, slots, chains


# -- the order within ranks ---------------------------------------------------------------------------


def _order(ranks):
    """Orders the slots of each rank by the mean places of their neighbours, and keeps the order with the fewest crossings."""
    best, least = None, None
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        places = {id(slot): place for rank in ranks for place, slot in enumerate(rank)}
        for rank in ranks[1:] if down else ranks[-2::-1]:
            means = {}
            for place, slot in enumerate(rank):
                beside = [places[id(one)] for one, *_ in (slot.above if down else slot.below)]
                means[id(slot)] = sum(beside) / len(beside) if beside else place
            rank.sort(key=lambda slot: means[id(slot)])
            places.update({id(slot): place for place, slot in enumerate(rank)})
        count = _crossings(ranks)
        if least is None or count < least:
            best, least = [list(rank) for rank in ranks], count
        if not least:
            break
    for rank, order in zip(ranks, best):
        rank[:] = order


def _crossings(ranks):
    count = 0
    for upper, lower in pairwise(ranks):
        places = {id(slot): place for place, slot in enumerate(lower)}
        seen = []
        for slot in upper:
            ends = sorted(places[id(one)] for one, *_ in slot.below)
            count += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
    return count


# -- coordinates --------------------------------------------------------------------------------------


def _coordinates(ranks):
    for rank in ranks:
        x = 0.0
        for slot in rank:
            slot.x = x + slot.width / 2
            x += slot.width + BESIDE
    for sweep in range(2 * SWEEPS):
        down = sweep % 2 == 0
        for rank in ranks if down else reversed(ranks):
            wanted, weights = [], []
            for slot in rank:
                near = [one.x + there - here for one, there, here in (slot.above if down else slot.below)]
                if not near:
                    near = [one.x + there - here for one, there, here in (slot.below if down else slot.above)] or [
                        slot.x
                    ]
                wanted.append(sum(near) / len(near))
                weights.append(4.0 if slot.passing else 1.0)
            for slot, x in zip(rank, _apart(wanted, weights, [slot.width for slot in rank])):
                slot.x = x


def _apart(wanted, weights, widths):
    """The centres nearest to the wanted ones, by weighted least squares, at which boxes of these widths keep their distance."""
    shifts = [0.0]
    for one, two in pairwise(widths):
        shifts.append(shifts[-1] + (one + two) / 2 + BESIDE)
    blocks = []  # (mean, weight, how many)
    for x, weight, shift in zip(wanted, weights, shifts):
        blocks.append((x - shift, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (x2, w2, n2), (x1, w1, n1) = blocks.pop(), blocks.pop()
            blocks.append(((x1 * w1 + x2 * w2) / (w1 + w2), w1 + w2, n1 + n2))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + shift for mean, shift in zip(means, shifts)]


def _straighten(ranks):
    """Puts slots that follow each other, with nothing else before or behind, below each other, where there is room."""
    beside = {id(slot): (rank, place) for rank in ranks for place, slot in enumerate(rank)}
    for chain in [chain for rank in ranks for slot in rank for chain in [_chain(slot)] if len(chain) > 1]:
        starts = [slot.x - shift for slot, shift in chain]
        middle = sum(starts) / len(starts)
        for x in sorted(set(starts), key=lambda x: abs(x - middle)):
            if all(_fits(*beside[id(slot)], x + shift) for slot, shift in chain):
                for slot, shift in chain:
                    slot.x = x + shift
                break


def _chain(slot):
    """(slot, offset of its centre) for the slots of the chain that begins here; fewer than two if none does."""
    if len(slot.above) == 1 and len(slot.above[0][0].below) == 1:
        return []
    chain, shift = [(slot, 0.0)], 0.0
    while len(slot.below) == 1 and len(slot.below[0][0].above) == 1:
        slot, there, here = slot.below[0]
        shift += here - there
        chain.append((slot, shift))
    return chain


def _fits(rank, place, x):
    slot = rank[place]
    for other, side in ((place - 1, 1), (place + 1, -1)):
        if 0 <= other < len(rank):
            neighbour = rank[other]
            if side * (x - neighbour.x) < (slot.width + neighbour.width) / 2 + BESIDE - 1e-6:
                return False
    return True


# -- routes -------------------------------------------------------------------------------------------


@dataclass
class Gap:
    """The room between two ranks: its height, and for each x at which lines come in, the depth at which they turn."""

    height: float
    levels: dict


def _at(x):
    return round(x, 1)


def _gaps(ranks, right_angles):
    """The Gap below each rank."""
    gaps = []
    for rank in ranks:
        ends = collections.defaultdict(set)  # x above -> x's below; lines from one place share their level
        for slot in rank:
            for one, there, here in slot.below:
                x, y = slot.x + here, one.x + there
                if abs(x - y) > 0.5:
                    ends[_at(x)].add(_at(y))
        if not right_angles or not ends:
            gaps.append(Gap(BETWEEN, {}))
            continue
        tracks = _tracks(ends)
        count = max(tracks.values()) + 1
        height = BETWEEN + TRACK * (count - 1)
        top = (height - 6.0 - TRACK * (count - 1)) / 2  # the arrows have room below
        gaps.append(Gap(height, {x: top + TRACK * track for x, track in tracks.items()}))
    return gaps


def _tracks(ends):
    """x -> the number of its level, from the top.

    A line that comes down at x must turn above the level of another that goes on down at the same x, or the two would look
    like one.
    """
    first = {x: [other for other in ends if other != x and any(abs(x - y) < 1.0 for y in ends[other])] for x in ends}
    done, tracks = {}, {}
    for x in sorted(ends):
        _visit(x, first, done)
    # `first[x]` lists the lines that turn below x: the order is from those that wait for nobody above.
    for x in sorted(ends, key=lambda x: -done[x]):
        low, high = min(x, *ends[x]), max(x, *ends[x])
        track = 0
        for other, at in tracks.items():
            if min(other, *ends[other]) <= high and low <= max(other, *ends[other]):
                track = max(track, at + 1)
        tracks[x] = track
    return tracks


def _visit(x, first, done):
    """Fills `done` with how many levels have to follow that of x; a cycle is cut where it is met."""
    stack = [(x, iter(first[x]))] if x not in done else []
    done.setdefault(x, 0)
    while stack:
        key, following = stack[-1]
        for other in following:
            if other not in done:
                done[other] = 0
                stack.append((other, iter(first[other])))
                break
            done[key] = max(done[key], done[other] + 1)
        else:
            stack.pop()
            if stack:
                done[stack[-1][0]] = max(done[stack[-1][0]], done[key] + 1)


def _tidy(points):
    """Without points that stand on the line between their neighbours."""
    out = []
    for point in points:
        if out and abs(out[-1][0] - point[0]) < 1e-6 and abs(out[-1][1] - point[1]) < 1e-6:
            continue
        if len(out) > 1 and (out[-2][0] == out[-1][0] == point[0] or out[-2][1] == out[-1][1] == point[1]):
            out.pop()
        out.append(point)
    return out
