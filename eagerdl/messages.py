"""Where short messages go: to standard output, or to the logger ``eagerdl`` of Python's logging."""

import sys

__all__ = [
    "disable_interactive_logging",
    "enable_interactive_logging",
    "is_interactive_logging_enabled",
    "print_message",
]

_interactive = True


def enable_interactive_logging():
    """Sends messages, such as those of downloads, to standard output (the default)."""
    global _interactive
    _interactive = True


def disable_interactive_logging():
    """Sends messages to Python's logger ``eagerdl`` with level INFO, as a service wants it.

    Example:
        >>> edl.utils.disable_interactive_logging()
        >>> edl.utils.is_interactive_logging_enabled()
        False
        >>> edl.utils.enable_interactive_logging()
    """
    global _interactive
    _interactive = False


def is_interactive_logging_enabled():
    """True while messages go to standard output."""
    return _interactive


def print_message(message):
    """Says one line, where the user wants such lines."""
    if not _interactive:
        import logging  # few programs need it

        logging.getLogger("eagerdl").info(message)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(message.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
