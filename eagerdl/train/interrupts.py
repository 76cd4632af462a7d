"""Ctrl-C during training: the step under way is finished, so that model, optimizer and metrics belong together."""

import signal
import threading


class Interrupts:
    """A context in which the first Ctrl-C asks the loop to stop after the step, and the second one stops at once.

    At the end of the context a request becomes the KeyboardInterrupt that it was.
    """

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

    def at_once(self, function):
        """`function`, during which Ctrl-C does not wait: for what can be done again, such as validation. None stays None."""
        if function is None:
            return None

        def guarded(*args):
            self._at_once = True
            try:
                return function(*args)
            finally:
                self._at_once = False

        return guarded

    def __exit__(self, kind, error, traceback):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self.asked and kind is None:
            raise KeyboardInterrupt(
                "training stopped after a whole step: the model and model.history are as they were then; fit(..., resume=folder) "
                "keeps such a run"
            )
