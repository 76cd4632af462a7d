"""Work ahead in threads, in the same order as without them: prefetch and parallel map."""

import threading
import weakref
from collections import deque

from eagerdl.data.nodes import Held, Iterator, Reader, Through
from eagerdl.data.transforms import Map
from eagerdl.data.workers import Workers, in_this_context


class Prefetch(Through):
    """A thread reads some elements ahead."""

    label = "prefetch"

    def __init__(self, source, size):
        super().__init__(source)
        self.size = size

    def iterator(self, walk):
        return PrefetchIterator(self.input.iterator(walk), self.size)


END = object()


class Failure:
    """An error that belongs to the place of an element."""

    __slots__ = ("error",)

    def __init__(self, error):
        self.error = error


class Channel:
    """What the reading thread and the consumer share: elements held, `END` or a `Failure` last."""

    def __init__(self, reader, size, buffer):
        self.reader, self.size, self.buffer = reader, size, deque(buffer)
        self.changed = threading.Condition()
        self.step = threading.Lock()  # taken while the reader's position moves
        self.stopped = False

    def fill(self):
        """The work of the thread."""
        over = False
        while not over:
            with self.changed:
                while len(self.buffer) >= self.size and not self.stopped:
                    self.changed.wait()
            with self.step:
                if self.stopped:
                    return
                try:
                    entry = self.reader.pull()
                except StopIteration:
                    entry = END
                except BaseException as error:
                    entry = Failure(error)
                over = not isinstance(entry, Held)
                with self.changed:
                    self.buffer.append(entry)
                    self.changed.notify_all()

    def take(self):
        """The first entry, waiting for it; the end and errors stay."""
        with self.changed:
            while not self.buffer:
                self.changed.wait()
            entry = self.buffer[0]
            if isinstance(entry, Held):
                self.buffer.popleft()
                self.changed.notify_all()
        return entry

    def stop(self):
        """Lets the thread end after what it does now."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()


class PrefetchIterator(Iterator):
    """What was read and not yet consumed is part of its state, as a place before it or as elements."""

    def __init__(self, source, size):
        self.reader, self.size, self.light = Reader(source), size, source.light
        self.channel, self.waiting, self.finalizer = None, [], None

    def start(self):
        """Starts the thread, if it does not run yet."""
        if self.channel is None:
            self.channel = Channel(self.reader, self.size, self.waiting)
            self.waiting = []
            self.finalizer = weakref.finalize(self, self.channel.stop)
            threading.Thread(target=in_this_context(self.channel.fill), name="eagerdl-prefetch", daemon=True).start()

    def next(self):
        self.start()
        entry = self.channel.take()
        if entry is END:
            raise StopIteration
        if isinstance(entry, Failure):
            raise entry.error
        return entry.element

    def state(self):
        if self.channel is None:
            return self.reader.queue_state(self.waiting)
        if self.light:
            with self.channel.changed:
                if self.channel.buffer and isinstance(self.channel.buffer[0], Held):
                    return self.reader.queue_state([self.channel.buffer[0]])
        with self.channel.step:
            return self.reader.queue_state([entry for entry in self.channel.buffer if isinstance(entry, Held)])

    def _stop(self):
        if self.channel is not None:
            self.finalizer()
            with self.channel.step:  # the thread is past its last step
                self.channel = None

    def restore(self, state):
        self._stop()
        self.waiting = self.reader.restore(state)


# -- parallel map -------------------------------------------------------------------------------


class ParallelMap(Map):
    """A function of each element, of several at once in threads; results keep the order of the elements."""

    def __init__(self, source, function, threads):
        super().__init__(source, function)
        self.threads = threads

    def iterator(self, walk):
        return ParallelMapIterator(self.input.iterator(walk), self.apply, self.threads or walk.threads or 1)


class ParallelMapIterator(Iterator):
    def __init__(self, source, apply, threads):
        self.reader, self.apply, self.light = Reader(source), apply, source.light
        self.workers = Workers(threads, "eagerdl-map")
        self.pending, self.ended = deque(), None

    def _submit(self, held):
        self.pending.append((held, self.workers.submit(self.apply, held.element)))

    def next(self):
        while self.ended is None and len(self.pending) < self.workers.count:
            try:
                self._submit(self.reader.pull())
            except Exception as error:  # raised when its turn comes
                self.ended = error
        if not self.pending:
            raise self.ended
        _, task = self.pending.popleft()
        return task.result()

    def skip(self, count):
        done = 0
        while done < count and self.pending:
            self.pending.popleft()
            done += 1
        return done if self.ended is not None else done + self.reader.input.skip(count - done)

    def state(self):
        return self.reader.queue_state([held for held, _ in self.pending])

    def restore(self, state):
        self.pending.clear()
        self.ended = None
        for held in self.reader.restore(state):
            self._submit(held)
