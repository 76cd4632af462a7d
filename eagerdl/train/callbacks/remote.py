"""`RemoteMonitor`: sends the numbers of each epoch to a server."""

import json
import warnings

from eagerdl.errors import ArgumentError
from eagerdl.train.callbacks.callback import Callback
from eagerdl.train.callbacks.logs import json_of

__all__ = ["RemoteMonitor"]

SECONDS = 10.0  # how long a server may take to answer


class RemoteMonitor(Callback):
    """Posts a dict of epoch and logs to a server after each epoch; warns if it cannot be reached.

    Args:
        root: the address of the server, ``http://`` or ``https://``.
        path: where on the server.
        field: the field of the form that holds the JSON.
        headers: a dict of further HTTP headers.
        send_as_json: whether the JSON is sent as it is instead of within a form.

    Raises:
        ArgumentError: for an address of another kind.

    Example:
        >>> send = edl.callbacks.RemoteMonitor("http://localhost:9000", send_as_json=True)
    """

    def __init__(
        self, root="http://localhost:9000", path="/publish/epoch/end/", field="data", headers=None, send_as_json=False
    ):
        if not root.startswith(("http://", "https://")):
            raise ArgumentError(
                "RemoteMonitor", "root is a http or https address", f"got {root!r}", "as in 'http://localhost:9000'"
            )
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = headers, send_as_json

    def on_epoch_end(self, epoch, logs=None):
        # Slow to load, and most runs send nothing.
        import urllib.parse
        import urllib.request

        text = json.dumps({"epoch": epoch, **json_of(logs or {})})
        if self.send_as_json:
            data, kind = text.encode(), "application/json"
        else:
            data, kind = urllib.parse.urlencode({self.field: text}).encode(), "application/x-www-form-urlencoded"
        request = urllib.request.Request(
            self.root + self.path, data, {"Content-Type": kind, **(self.headers or {})}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                pass
        except OSError as error:
            warnings.warn(f"[RemoteMonitor] {self.root} cannot be reached: {error}", stacklevel=2)
