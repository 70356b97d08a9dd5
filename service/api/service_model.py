"""The model of a service, as botocore carries it."""

from __future__ import annotations

from .wire import model
from .wire.model import Deviations, Model


def load(service: str, version: str, deviations: Deviations) -> Model:
    """The model of a service, e.g. `lambda`, `2015-03-31`. Takes a few tenths of a second, so it is loaded at the first
    use of the API, in a thread."""
    from botocore.loaders import Loader

    data = Loader().load_service_model(service, "service-2", version)
    return model.read(data, deviations)
