"""Callbacks: what is told about a run, and may change its course."""

from eagerdl import registry
from eagerdl.train.callbacks.callback import Callback, CallbackList, History, LambdaCallback
from eagerdl.train.callbacks.progbar import ProgbarLogger

__all__ = ["Callback", "CallbackList", "History", "LambdaCallback", "ProgbarLogger"]

registry.add_area("callbacks", {name: globals()[name] for name in __all__})
