"""A plug-in of Headrace: a kind of function, and a failure destination. Entry points name `functions` and `notes`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from headrace.dispatch.plugins.public import Destination, DestinationRequest, FunctionRequest, Invoker

from .invoker import InProcessInvoker
from .notes import NotesDestination


class FunctionSettings(BaseModel):
    """What a user writes beside `plugin: in-process`."""

    file: Path
    """A Python file. Relative paths start at the configuration file."""
    handler: str = "handler"
    """A coroutine function in it, which takes the event and returns the response."""


class _Functions:
    protocol_version = 1
    settings = FunctionSettings

    def invoker(self, request: FunctionRequest) -> Invoker:
        settings = request.settings
        return InProcessInvoker(request.directory / settings.file, settings.handler, request.timeout)


class NotesSettings(BaseModel):
    """What a user writes behind `plugin://notes?`."""

    file: Path


class _Notes:
    protocol_version = 1
    settings = NotesSettings

    def destination(self, request: DestinationRequest) -> Destination:
        return NotesDestination(request.directory / request.settings.file, request.document)


functions, notes = _Functions(), _Notes()
