"""`TensorBoard`: event files for TensorBoard, written by the package tensorboardX."""

import os
import time
import warnings

import numpy as np

from eagerdl import registry
from eagerdl.errors import ArgumentError, EagerdlError, PackageError
from eagerdl.train.callbacks.callback import Callback
from eagerdl.train.callbacks.learning_rate import rates
from eagerdl.train.loop import numbers

__all__ = ["TensorBoard"]


def summary_writer():
    """The class tensorboardX.SummaryWriter.

    Raises:
        PackageError: if tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise PackageError("TensorBoard", "event files need the package tensorboardX", str(error),
                           "pip install 'eagerdl[tensorboard]'") from None  # fmt: skip
    return SummaryWriter


class TensorBoard(Callback):
    """Writes event files that ``tensorboard --logdir logs`` shows.

    Scalars are named as by Keras: ``epoch_loss`` over epochs, in the folder `train` or, of validation, in `validation`;
    ``batch_loss`` over steps; ``evaluation_loss_vs_iterations`` over the optimizer's updates; ``epoch_learning_rate``.

    Args:
        log_dir: the folder.
        histogram_freq: every how many epochs histograms of the weights are written; 0 for none.
        write_graph: whether the structure of a wired model is written, for the graph view.
        write_images: whether weights are shown as images too, where histograms are written.
        write_steps_per_second: whether steps per second are written.
        update_freq: "epoch", "batch", or every how many steps the numbers of a step are written.
        profile_batch: must be 0: there is no profiler to be shown by TensorBoard.
        embeddings_freq: every how many epochs the weights of `Embedding` layers are written for the projector; 0 for none.
        embeddings_metadata: a file with one label per line for the rows of the embeddings, or a dict layer name -> file.

    Raises:
        PackageError: without tensorboardX.
        ArgumentError: for a number that makes no sense, or for `profile_batch`.

    Example:
        >>> board = edl.callbacks.TensorBoard("logs", histogram_freq=1)
    """

    def __init__(self, log_dir="logs", histogram_freq=0, write_graph=True, write_images=False, write_steps_per_second=False,
                 update_freq="epoch", profile_batch=0, embeddings_freq=0, embeddings_metadata=None):  # fmt: skip
        if profile_batch not in (0, None, False, (), [], "0"):
            raise ArgumentError("TensorBoard", "profile_batch is 0: there is no profiler for TensorBoard", f"got {profile_batch!r}",
                                "leave it out; Python's cProfile shows where a step spends its time")  # fmt: skip
        for name, value in (("histogram_freq", histogram_freq), ("embeddings_freq", embeddings_freq)):
            if not isinstance(value, int) or value < 0:
                raise ArgumentError(f"TensorBoard.{name}", "a number of epochs, or 0, is needed", f"got {value!r}",
                                    "choose another")  # fmt: skip
        if update_freq not in ("epoch", "batch") and (not isinstance(update_freq, int) or update_freq < 1):
            raise ArgumentError("TensorBoard.update_freq", "'epoch', 'batch' or a positive number of steps is needed",
                                f"got {update_freq!r}{registry.nearest(update_freq, ('epoch', 'batch'))}",
                                "choose one of them")  # fmt: skip
        self._make_writer = summary_writer()
        self.log_dir, self.histogram_freq, self.write_graph = os.fspath(log_dir), histogram_freq, write_graph
        self.write_images, self.write_steps_per_second = write_images, write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self._writers, self._step, self._graph_written = {}, 0, False

    def _writer(self, part):
        """The writer of `train` or `validation`, made when it is first needed."""
        if part not in self._writers:
            self._writers[part] = self._make_writer(os.path.join(self.log_dir, part))
        return self._writers[part]

    # -- events -----------------------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        self._step, self._graph_written = 0, False
        self._labels = self._read_labels() if self.embeddings_freq else {}

    def on_epoch_begin(self, epoch, logs=None):
        self._began, self._first = time.perf_counter(), self._step

    def on_train_batch_begin(self, batch, logs=None):
        if self.write_steps_per_second:
            self._batch_began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        if self.write_graph and not self._graph_written:
            self._graph_written = True
            self._write_graph()
        if self.update_freq == "epoch" or self._step % self.update_freq:
            return
        if self.write_steps_per_second:
            rate = 1.0 / max(time.perf_counter() - self._batch_began, 1e-9)
            self._writer("train").add_scalar("batch_steps_per_second", rate, self._step)
        self._write("train", "batch_{}", numbers(logs), self._step)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        mine = {name: value for name, value in logs.items() if not name.startswith("val_")} | rates(
            "TensorBoard", self.model
        )
        if self.write_steps_per_second and hasattr(self, "_began"):  # not in an epoch that was taken up midway
            mine["steps_per_second"] = (self._step - self._first) / max(time.perf_counter() - self._began, 1e-9)
        self._write("train", "epoch_{}", mine, epoch)
        theirs = {name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")}
        self._write("validation", "epoch_{}", theirs, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings(epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs=None):
        iterations = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        if iterations is not None:
            self._write("validation", "evaluation_{}_vs_iterations", logs or {}, int(iterations))
            if "validation" in self._writers:
                self._writers["validation"].flush()

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def get_state(self):
        return {"step": self._step, "graph_written": self._graph_written}

    def set_state(self, state):
        self._step, self._graph_written = state["step"], state["graph_written"]

    # -- what is written --------------------------------------------------------------------------

    def _write(self, part, tag, logs, step):
        for name, value in logs.items():
            if isinstance(value, int | float | np.number):
                self._writer(part).add_scalar(tag.format(name), float(value), step)

    def _write_weights(self, epoch):
        writer = self._writer("train")
        for weight in self.model.weights:
            value = np.asarray(weight.numpy(), np.float64)
            if not value.size or not np.isfinite(value).all():
                continue  # a histogram has no place for these
            writer.add_histogram(f"{weight.path}/histogram", value, epoch)
            if self.write_images:
                for image in _images(value):
                    writer.add_image(f"{weight.path}/image", image, epoch, dataformats="HWC")

    def _write_embeddings(self, epoch):
        kind = registry.AREAS["layers"]["Embedding"]
        for layer in self.model.layers:
            if isinstance(layer, kind) and layer.built:
                table = layer.weights[0].numpy()
                labels = self._labels.get(layer.name, self._labels.get(None))
                if labels is not None and len(labels) != len(table):
                    raise ArgumentError("TensorBoard.embeddings_metadata", f"{layer.name!r} has {len(table)} rows",
                                        f"the file has {len(labels)} labels", "write one line for each")  # fmt: skip
                self._writer("train").add_embedding(table, metadata=labels, global_step=epoch, tag=layer.name)

    def _read_labels(self):
        """layer name -> labels; the name is None for labels of all layers."""
        given = self.embeddings_metadata
        files = {None: given} if isinstance(given, str | os.PathLike) else dict(given or {})
        kind = registry.AREAS["layers"]["Embedding"]
        names = [layer.name for layer in self.model.layers if isinstance(layer, kind)]
        unknown = [name for name in files if name is not None and name not in names]
        if unknown:
            raise ArgumentError("TensorBoard.embeddings_metadata", "names of Embedding layers are needed",
                                f"got {unknown[0]!r}{registry.nearest(unknown[0], names)}", f"they are {names}")  # fmt: skip
        labels = {}
        for name, path in files.items():
            with open(path, encoding="utf-8") as file:
                labels[name] = file.read().splitlines()
        return labels

    def _write_graph(self):
        """The config of a wired model, as TensorBoard's graph view reads it."""
        if getattr(self.model, "_graph", None) is None:
            return
        try:
            text = self.model.to_json()
        except EagerdlError as error:
            warnings.warn(f"[TensorBoard] the model is not drawn: {error}", stacklevel=2)
            return
        from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboardX.proto.tensor_pb2 import TensorProto

        plugin = SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
        tensor = TensorProto(dtype="DT_STRING", string_val=[text.encode()])
        value = Summary.Value(tag="keras", metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)
        self._writer("train").file_writer.add_summary(Summary(value=[value]), 0)


def _images(value):
    """A weight as pictures (h, w, 1 or 3) with values from 0 to 1; none if it has too many axes."""
    value = np.squeeze(value)
    if value.ndim > 4:
        return []
    low, high = value.min(), value.max()
    value = (value - low) / (high - low) if high > low else np.zeros_like(value)
    if value.ndim < 2:
        return [value.reshape(1, -1, 1)]
    if value.ndim == 2:
        return [(value if value.shape[0] <= value.shape[1] else value.T)[..., None]]
    if value.ndim == 3:  # (h, w, filters): the filters side by side
        return [np.concatenate(list(np.moveaxis(value, -1, 0)), 1)[..., None]]
    if value.shape[2] != 3:  # only three channels are colours
        return []
    return [np.concatenate(list(np.moveaxis(value, -1, 0)), 1)]
