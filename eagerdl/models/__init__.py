"""Models: layers that are trained, saved and described."""

from eagerdl import registry
from eagerdl.models.archive import load_model, save_model
from eagerdl.models.clone import clone_model, model_from_json
from eagerdl.models.model import Model
from eagerdl.models.sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

registry.add_area("models", {"Functional": Model, "Model": Model, "Sequential": Sequential})
