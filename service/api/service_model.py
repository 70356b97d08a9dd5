"""The model of a service, as botocore carries it."""

from __future__ import annotations

from .wire import model
from .wire.model import Deviations, Model


def load(service: str, version: str, deviations: Deviations) -> Model:
    """The model of a service, e.g. `lambda`, `2015-03-31`. Loading takes tenths of a second: it happens at the first
    use of the API, in a thread."""
    from botocore.loaders import Loader

    data = Loader().load_service_model(service, "service-2", version)
    return model.read(data, deviations)
