"""Ctrl-C during training: the step under way is finished, so that model, optimizer and metrics belong together."""

import contextlib
import signal
import threading


class Interrupts:
    """A context in which the first Ctrl-C is noted in `asked`, for the loop to stop after the step; the second stops at once."""

    def __init__(self):
        self.asked, self._at_once, self._before = False, False, None

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if before is signal.default_int_handler:  # somebody else's handler is left alone
                self._before = before
                signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number, frame):
        if self.asked or self._at_once:
            raise KeyboardInterrupt
        self.asked = True

    @contextlib.contextmanager
    def at_once(self):
        """A context in which Ctrl-C does not wait: for what can be done again, such as validation."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def check(self, journal, progress):
        """Stops a run of which this was asked; what it did so far goes to its journal.

        Raises:
            KeyboardInterrupt: if there was a Ctrl-C.
        """
        if self.asked:
            if journal is not None:
                journal.save(progress)
            raise KeyboardInterrupt("training stopped after a whole step; model and model.history are as they were then" + (
                "; the same call goes on from here" if journal is not None else "; fit(..., resume=folder) makes runs that can go on"))  # fmt: skip

    def __exit__(self, kind, error, traceback):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self.asked and kind is None:  # it came after the last step
            raise KeyboardInterrupt("training was over")
