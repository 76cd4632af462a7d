"""Callbacks: what is told about a run, and may change its course."""

from eagerdl import registry
from eagerdl.train.callbacks.backup import BackupAndRestore
from eagerdl.train.callbacks.callback import Callback, CallbackList, History, LambdaCallback
from eagerdl.train.callbacks.early_stopping import EarlyStopping
from eagerdl.train.callbacks.ema import SwapEMAWeights
from eagerdl.train.callbacks.learning_rate import LearningRateScheduler
from eagerdl.train.callbacks.logs import CSVLogger, JSONLogger
from eagerdl.train.callbacks.model_checkpoint import ModelCheckpoint
from eagerdl.train.callbacks.nan import TerminateOnNaN
from eagerdl.train.callbacks.plateau import ReduceLROnPlateau
from eagerdl.train.callbacks.progbar import ProgbarLogger
from eagerdl.train.callbacks.remote import RemoteMonitor
from eagerdl.train.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "JSONLogger", "LambdaCallback",
    "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "RemoteMonitor", "SwapEMAWeights",
    "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

registry.add_area("callbacks", {name: globals()[name] for name in __all__})
__getattr__ = registry.guide("callbacks", __all__)
