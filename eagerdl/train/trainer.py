"""`Trainer`: compile, fit, evaluate and predict, for any object that is called on inputs and has variables.

Every step is a method made of public parts; override `train_step`, `compute_loss` or any other, or copy them into a loop of
your own: the numbers are the same to the bit.
"""

import contextlib
import warnings

from eagerdl import config, registry, tree
from eagerdl.autograd.tape import GradientTape
from eagerdl.data import as_batches, train_validation_split, unpack_x_y_sample_weight
from eagerdl.errors import ArgumentError
from eagerdl.nn.calls import converted
from eagerdl.nn.weights import holding
from eagerdl.tensor import Tensor, from_array, to_array
from eagerdl.train import loop, losses, optimizers
from eagerdl.train.callbacks import CallbackList, TerminateOnNaN
from eagerdl.train.compiled import CROSSENTROPY_NAMES, CompileLoss, CompileMetrics, Outputs, batch_size_of, total_of
from eagerdl.train.interrupts import Interrupts
from eagerdl.train.journal import Journal
from eagerdl.train.metrics import Mean
from eagerdl.tree import map_structure

__all__ = ["Trainer"]


class Trainer:
    """What `Model` knows of training. Needs ``__call__(x, training=...)``, `variables`, `losses` and `where` beside it."""

    _has_call = True
    optimizer = None
    loss = None
    run_eagerly = False
    jit_compile = "auto"
    stop_training = False
    steps_per_execution = 1
    history = None
    _compile_config = None
    _compile_loss = None
    _compile_metrics = None
    _loss_tracker = None

    # -- compile ----------------------------------------------------------------------------------

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None, run_eagerly=False,
                steps_per_execution=1, jit_compile="auto", auto_scale_loss=True):  # fmt: skip
        """Says how to train.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, its name, or a function (y_true, y_pred); for several outputs a list, or a dict by their names.
            loss_weights: numbers by which the losses of several outputs are weighted.
            metrics: a list of metrics, names or functions; for several outputs a list of lists or a dict.
            weighted_metrics: the same, for metrics that see the sample weights.
            run_eagerly: True runs everything line by line, functions made with `edl.function` too: to debug, or to print.
            steps_per_execution: how many steps callbacks see as one: they are told where it begins and where it ends.
            jit_compile: whether steps are compiled by `edl.function`, with the same bits. "auto" compiles a step that has run
                line by line for two seconds; batches of another shape, and a model whose attributes were changed, once they
                have taken as long as that takes. A step that cannot be compiled goes on line by line, and one message says
                why. True compiles at once, and raises where that is impossible. False never does.
            auto_scale_loss: whether float16 policies get an optimizer that scales the loss.

        Raises:
            ArgumentError: for unknown names, with the nearest one.

        Example:
            >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0).epoch
            [0, 1]
        """
        if run_eagerly and jit_compile is True:
            raise ArgumentError(f"{self.where}.compile", "run_eagerly and jit_compile exclude each other", "both are True",
                                "choose one of them")  # fmt: skip
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ArgumentError(f"{self.where}.compile", "steps_per_execution is an int from 1", f"got {steps_per_execution!r}",
                                "leave it out for one step")  # fmt: skip
        _check_names(loss)
        self.optimizer = optimizers.get(optimizer)
        policy = getattr(self, "dtype_policy", None)
        scaled = isinstance(self.optimizer, optimizers.LossScaleOptimizer)
        if auto_scale_loss and policy is not None and policy.name == "mixed_float16" and self.optimizer and not scaled:
            self.optimizer = optimizers.LossScaleOptimizer(self.optimizer, name="loss_scale_optimizer")
        outputs = Outputs(getattr(self, "output_names", None))
        self.loss, self.run_eagerly, self.jit_compile = loss, run_eagerly, jit_compile
        self.steps_per_execution = steps_per_execution
        self._compile_loss = None if loss is None else CompileLoss(loss, loss_weights, outputs)
        self._compile_metrics = (
            CompileMetrics(metrics, weighted_metrics, outputs) if metrics or weighted_metrics else None
        )
        self._loss_tracker = Mean(name="loss")
        self.stop_training, self.compiled = False, True
        self.__dict__["_steps"] = {}
        self._compile_config = {
            "optimizer": optimizer, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
            "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }  # fmt: skip

    compiled = False

    def get_compile_config(self):
        """The arguments of `compile` as JSON can hold them, None before.

        Functions among them need to be registered to be loaded.
        """
        if self._compile_config is None:
            return None
        config = dict(self._compile_config)
        config["optimizer"] = self.optimizer
        return registry.serialize_keras_object(config)

    def compile_from_config(self, config):
        """Compiles with the arguments of `get_compile_config`."""
        config = registry.deserialize_keras_object(config)
        self.compile(**config)
        if self.optimizer is not None and getattr(self, "built", False):
            self.optimizer.build(self.trainable_variables)

    def _require_compiled(self, what):
        if not self.compiled:
            raise ArgumentError(f"{self.where}.{what}", "a model must be compiled before", "it is not",
                                "call model.compile(optimizer, loss), or write an own loop")  # fmt: skip

    # -- one step ---------------------------------------------------------------------------------

    def train_step(self, data):
        """One step of training on a batch; override it for another one.

        Args:
            data: a batch: x, (x, y) or (x, y, sample_weight).

        Returns:
            A dict of numbers for logs.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = converted(self.compute_loss)(x, y, y_pred, sample_weight)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        if variables:  # a frozen model is only measured
            converted(self.optimizer.apply_gradients)(zip(tape.gradient(scaled, variables), variables))
        self.track_loss(loss, x)
        return converted(self.compute_metrics)(x, y, y_pred, sample_weight)

    def test_step(self, data):
        """One step of evaluation on a batch; override it for another one."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        self.track_loss(converted(self.compute_loss)(x, y, y_pred, sample_weight, training=False), x)
        return converted(self.compute_metrics)(x, y, y_pred, sample_weight)

    def predict_step(self, data):
        """One step of prediction on a batch; override it for another one."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of a batch: that of `compile` plus what layers added.

        Args:
            x, y, y_pred, sample_weight: the batch and the outputs.
            training: whether this is for training.

        Raises:
            ArgumentError: if there is neither a loss nor anything added.
        """
        total = None
        if self._compile_loss is not None:
            total = self._compile_loss(self.where, y, y_pred, sample_weight)
        total = total_of(total, self.losses)
        if total is None:
            raise ArgumentError(f"{self.where}.compute_loss", "something to minimise is needed", "the model was compiled without a "
                                "loss, and no layer added one",
                                "pass loss= to compile, use add_loss, or override compute_loss")  # fmt: skip
        return total

    def stateless_compute_loss(self, trainable_variables, non_trainable_variables, metrics_variables, x=None, y=None, y_pred=None,
                               sample_weight=None, training=True):  # fmt: skip
        """`compute_loss` with given values for the variables, which stay as they are.

        Returns:
            The loss, and (trainable_variables, non_trainable_variables, metrics_variables) after it.
        """
        state = self.non_trainable_variables, self.metrics_variables
        pairs = [*zip(self.trainable_variables, trainable_variables), *zip(state[0], non_trainable_variables),
                 *zip(state[1], metrics_variables)]  # fmt: skip
        with holding(pairs):
            loss = self.compute_loss(x, y, y_pred, sample_weight, training)
            after = [[v.value for v in variables] for variables in state]
        return loss, (trainable_variables, *after)

    def track_loss(self, loss, x):
        """Lets the mean that is shown as "loss" see the loss of the batch `x`."""
        if self._loss_tracker is None:  # a step by hand of a model that is not compiled
            self._loss_tracker = Mean(name="loss")
        self._loss_tracker.update_state(loss, sample_weight=batch_size_of(x))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Lets the metrics see a batch; returns `get_metrics_result()`."""
        if self._compile_metrics is not None:
            self._compile_metrics.update(self.where, y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self):
        """name -> value of all metrics now."""
        out = {}
        for metric in self.metrics:
            value = converted(metric.result)()
            out.update(value if isinstance(value, dict) else {metric.name: value})
        return out

    @property
    def metrics(self):
        """The mean of the loss, the metrics of `compile` as one, and those in attributes of the model and its layers."""
        found = [] if self._loss_tracker is None else [self._loss_tracker]
        if self._compile_loss is not None:
            found += self._compile_loss.metrics()
        if self._compile_metrics is not None:
            found.append(self._compile_metrics)
        found += super().metrics
        return list({id(one): one for one in found}.values())

    @property
    def metrics_names(self):
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self):
        """Lets all metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    # -- fit, evaluate, predict -------------------------------------------------------------------

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
            validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0, steps_per_epoch=None,
            validation_steps=None, validation_batch_size=None, validation_freq=1, *, resume=None):  # fmt: skip
        """Trains for a number of epochs.

        Args:
            x: inputs: an array, tensor, list or dict of them, a DataFrame, a Dataset, a PyDataset, or a generator of batches.
            y: labels, where `x` holds inputs only.
            batch_size: 32 by default; not for data that comes in batches.
            epochs: the number of the last epoch.
            verbose: "auto", 0 silent, 1 a live display, 2 a line per epoch.
            callbacks: a list of callbacks.
            validation_split: the last part of the arrays that is kept for validation.
            validation_data: (x, y), (x, y, sample_weight), a Dataset, ..., or a dict of several by name.
            shuffle: whether arrays are shuffled before each epoch.
            class_weight: a dict class -> weight.
            sample_weight: an array of weights of the examples.
            initial_epoch: the epoch to begin with.
            steps_per_epoch, validation_steps: how many batches at most; None is all.
            validation_batch_size: that of `batch_size` by default.
            validation_freq: every how many epochs to validate, or a list of epochs, from 1.
            resume: a folder in which the run is kept, or ``edl.train.Journal(folder, seconds=...)``. The same call after an
                interruption, however rude, goes on where it was and ends with the same bits; after the end it returns the history.

        Returns:
            The History: `history.history` is a dict of lists.

        Raises:
            ArgumentError: if the model is not compiled, or the data is empty or inconsistent.
        """
        self._require_compiled("fit")
        if self.optimizer is None and type(self).train_step is Trainer.train_step:
            raise ArgumentError(f"{self.where}.fit", "training needs an optimizer", "the model was compiled with optimizer=None",
                                "pass one to compile, or override train_step")  # fmt: skip
        if epochs < 0:
            raise ArgumentError(
                f"{self.where}.fit", "epochs is the number of the last epoch", f"got {epochs}", "pass 1 or more"
            )
        if validation_split:
            (x, y, sample_weight), validation_data = train_validation_split((x, y, sample_weight), validation_split)
        source = as_batches(x, y, sample_weight, batch_size=batch_size, shuffle=shuffle, class_weight=class_weight,
                            steps=steps_per_epoch, where=f"{self.where}.fit")  # fmt: skip
        listed = self._callbacks(callbacks, verbose, epochs=epochs, steps=steps_per_epoch or source.num_batches)
        validate, others = self._validation(
            validation_data, validation_steps, validation_batch_size or batch_size, validation_freq, listed
        )
        self.stop_training, self.history = False, listed.history
        journal = self._journal(resume, listed, source, steps_per_epoch, others)
        progress = loop.Progress(epoch=initial_epoch)
        with self._as_asked(), Interrupts() as interrupts:
            try:
                listed.on_train_begin()
                if journal is not None:
                    self._make_state(source)
                    progress = journal.restore(progress)
                    if not journal.exists():
                        journal.save(progress)  # the initial weights too have to be those of the first run
                    listed.params["initial_epoch"] = progress.epoch
                logs = loop.train(
                    source, self.make_train_function(), listed, epochs=epochs, initial_epoch=initial_epoch,
                    steps_per_epoch=steps_per_epoch, validate=interrupts.at_once(validate), reset=self.reset_metrics,
                    stopped=lambda: self.stop_training, interrupted=lambda: interrupts.asked, progress=progress, journal=journal,
                    group=self.steps_per_execution,
                )  # fmt: skip
            finally:
                listed.close()
            self._finish(listed, logs, interrupts)
        return self.history

    def _journal(self, resume, listed, source, steps, others):
        """What keeps the run: a Journal for `resume`, or that of a callback such as BackupAndRestore, or None."""
        keepers = [one for one in listed.callbacks if hasattr(one, "journal")]
        if len(keepers) + (resume is not None) > 1:
            raise ArgumentError(f"{self.where}.fit", "one thing keeps a run", "resume and BackupAndRestore, or several, are given",
                                "choose one of them")  # fmt: skip
        if keepers:
            resume = keepers[0].journal(self, listed, source)
        if resume is None:
            return None
        journal = resume if isinstance(resume, Journal) else Journal(resume)
        return journal.attach(self, listed, source, steps, others)

    def _make_state(self, source):
        """Makes the weights, slots and metrics that else come into being in the first step."""
        if not self._has_call:  # a train_step of its own calls the parts
            return
        x, y, _ = unpack_x_y_sample_weight(map_structure(_as_tensor, source.peek()))
        try:
            y_pred = self._untouched(lambda: self(x, training=False))
        except Exception:
            if type(self).train_step is Trainer.train_step:
                raise
            return  # a train_step of its own calls the model in another way
        for part in (self._compile_loss, self._compile_metrics):
            if part is not None:
                part.make(self.where, y, y_pred)
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def _finish(self, listed, logs, interrupts):
        if self.optimizer is not None and not interrupts.asked:
            mine = [
                v for v in self.trainable_variables if v in self.optimizer._index
            ]  # others have an optimizer of their own
            self.optimizer.finalize_variable_values(mine)
        listed.on_train_end(logs)
        loss = logs.get("loss")
        if (
            isinstance(loss, float)
            and loss != loss
            and not any(isinstance(one, TerminateOnNaN) for one in listed.callbacks)
        ):
            warnings.warn(f"[{self.where}.fit] the loss became NaN: lower the learning rate, clip gradients (clipnorm=1.0), look "
                          "for NaN in the data, or find the first one with edl.debugging.enable_check_numerics(); the callback "
                          "TerminateOnNaN stops at once", stacklevel=3)  # fmt: skip

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, steps=None, callbacks=None,
                 return_dict=False, **kwargs):  # fmt: skip
        """The loss and metrics on data.

        Args:
            x, y, sample_weight, batch_size: as in `fit`.
            verbose: "auto", 0 silent, 1 a display, 2 a line.
            steps: how many batches at most.
            callbacks: a list of callbacks.
            return_dict: whether to return a dict instead of a list.

        Returns:
            The loss, or a list of the loss and the metrics, or a dict.

        Raises:
            ArgumentError: if the model is not compiled, or the data is empty.
        """
        listed = kwargs.pop("_callbacks", None)
        if kwargs:
            raise ArgumentError(
                f"{self.where}.evaluate", "the arguments must be known", f"got {', '.join(kwargs)}", "see help()"
            )
        self._require_compiled("evaluate")
        source = as_batches(x, y, sample_weight, batch_size=batch_size, steps=steps, where=f"{self.where}.evaluate")
        if listed is None:
            listed = self._callbacks(callbacks, verbose, epochs=1, steps=steps or source.num_batches)
        self.reset_metrics()
        stopped = self.stop_training
        self.stop_training = False
        try:
            with self._as_asked():
                logs = loop.evaluate(
                    source,
                    self.make_test_function(),
                    listed,
                    steps=steps,
                    stopped=lambda: self.stop_training,
                    group=self.steps_per_execution,
                )
        except BaseException:
            listed.close()
            raise
        finally:
            self.stop_training = stopped
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The outputs for all inputs, as NumPy arrays.

        Args:
            x: inputs as in `fit`.
            batch_size: 32 by default.
            verbose: "auto", 0 silent, 1 a display, 2 a line.
            steps: how many batches at most.
            callbacks: a list of callbacks.

        Returns:
            An array, or the structure of the model's outputs.
        """
        source = as_batches(x, None, None, batch_size=batch_size, steps=steps, where=f"{self.where}.predict")
        listed = self._callbacks(callbacks, verbose, epochs=1, steps=steps or source.num_batches)
        self.stop_training = False
        try:
            with self._as_asked():
                outputs = loop.predict(
                    source,
                    self.make_predict_function(),
                    listed,
                    steps=steps,
                    stopped=lambda: self.stop_training,
                    group=self.steps_per_execution,
                )
        except BaseException:
            listed.close()
            raise
        return loop.joined(outputs)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One step of training on one batch.

        Args:
            x, y, sample_weight, class_weight: the batch.
            return_dict: whether to return a dict instead of a list.

        Returns:
            The loss, or a list of the loss and the metrics, or a dict.

        Raises:
            ArgumentError: for sample and class weights together.
        """
        self._require_compiled("train_on_batch")
        return self._on_batch(self.make_train_function(), x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and metrics of one batch, on top of those before; `reset_metrics()` begins anew."""
        self._require_compiled("test_on_batch")
        return self._on_batch(self.make_test_function(), x, y, sample_weight, None, return_dict)

    def predict_on_batch(self, x):
        """The outputs for one batch, as NumPy arrays."""
        out = self.make_predict_function()((map_structure(_as_tensor, x),))
        return map_structure(lambda one: one.numpy() if isinstance(one, Tensor) else one, out)

    def _on_batch(self, step, x, y, sample_weight, class_weight, return_dict):
        if class_weight is not None and sample_weight is not None:
            raise ArgumentError(
                self.where, "class_weight and sample_weight exclude each other", "both are given", "multiply them"
            )
        size = batch_size_of(x)
        source = as_batches(x, y, sample_weight, batch_size=size, class_weight=class_weight, where=self.where)
        (batch,) = list(source.epoch(0))
        logs = loop.numbers(loop.as_logs(step(batch)))
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    # -- the step as it runs ----------------------------------------------------------------------

    def make_train_function(self, force=False):
        """The function that runs `train_step` on a batch, compiled as `jit_compile` says; kept until `compile`.

        Args:
            force: whether to make another one, which forgets what was traced.
        """
        return self._step("train_step", force)

    def make_test_function(self, force=False):
        """The function that runs `test_step` on a batch; see `make_train_function`."""
        return self._step("test_step", force)

    def make_predict_function(self, force=False):
        """The function that runs `predict_step` on a batch; see `make_train_function`."""
        return self._step("predict_step", force)

    def _as_asked(self):
        """A context in which functions run line by line, if the model is to."""
        return config._running_eagerly("run_eagerly") if self.run_eagerly else contextlib.nullcontext()

    def _step(self, name, force):
        steps = self.__dict__.setdefault("_steps", {})
        if force or name not in steps:
            from eagerdl.train.steps import Step  # with all that traces need

            steps[name] = Step(self, name)
        return steps[name]

    def _callbacks(self, callbacks, verbose, epochs, steps):
        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )

    def _validation(self, data, steps, batch_size, freq, listed):
        """A function epoch -> the logs of validation, None without data; and the sources by name, validated one by one."""
        if data is None:
            return None, {}
        named = data if isinstance(data, dict) and all(map(_is_data, data.values())) else {"val": data}
        chosen = set(freq) if isinstance(freq, list | tuple | set) else None
        if chosen is None and (not isinstance(freq, int) or freq < 1):
            raise ArgumentError(f"{self.where}.fit", "validation_freq is an int from 1, or a list of epochs", f"got {freq!r}",
                                "leave it out to validate after each epoch")  # fmt: skip

        sources = {}
        for name, one in named.items():
            x, y, weights = (*one, None, None)[:3] if isinstance(one, tuple | list) else (one, None, None)
            size = None if y is None else batch_size
            sources[name] = as_batches(x, y, weights, batch_size=size, steps=steps, where=f"{self.where}.evaluate")

        def due(epoch):
            return epoch + 1 in chosen if chosen is not None else (epoch + 1) % freq == 0

        def validate(epoch):
            if not due(epoch):
                return {}
            logs = {}
            for name, source in sources.items():
                source.reset()
                found = self.evaluate(source, steps=steps, return_dict=True, _callbacks=listed)
                source.reset()
                prefix = name if name.startswith("val") else f"val_{name}"
                logs |= {f"{prefix}_{key}": value for key, value in found.items()}
            return logs

        return validate, {f"validation/{name}": source for name, source in sources.items()}


def _check_names(loss):
    """Unknown names of losses fail in `compile`, not at the first batch."""
    for one in () if isinstance(loss, dict) and "class_name" in loss else tree.flatten(loss)[0]:
        if isinstance(one, str) and one.lower() not in CROSSENTROPY_NAMES:
            losses.get(one)


def _is_data(value):
    """True for what may be validation data, in contrast to an array of a dict of inputs."""
    return isinstance(value, tuple | list) or not hasattr(value, "shape")


def _as_tensor(x):
    if isinstance(x, Tensor) or x is None or not hasattr(x, "shape"):
        return x
    return from_array(to_array(x))
