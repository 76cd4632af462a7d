"""Names and configs of objects, and files of models."""

from eagerdl.registry import *  # noqa: F403
from eagerdl.registry import __all__
