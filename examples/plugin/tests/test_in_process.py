"""The plug-in's function, held to the suite that Headrace holds its own invokers to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from headrace_inprocess import FunctionSettings, functions

from headrace.dispatch.plugins.public import FunctionRequest, Invoker
from headrace.service.testing.invoker_contract import InvokerContract, InvokerKit, InvokerWanted

APP = """
import json
from headrace.service.testing.contract_function import contract_function

async def handler(event):
    return json.loads(await contract_function(json.dumps(event).encode()))
"""


@asynccontextmanager
async def opened(wanted: InvokerWanted) -> AsyncIterator[Invoker]:
    if not wanted.gone:
        (wanted.directory / "app.py").write_text("import stock\n" if wanted.broken else APP)
    settings = FunctionSettings(file="app.py")
    invoker = functions.invoker(FunctionRequest("orders", settings, wanted.directory, wanted.timeout))
    yield invoker
    await invoker.aclose()


class TestInProcess(InvokerContract):
    @pytest.fixture
    def kit(self) -> InvokerKit:
        return InvokerKit("in-process", opened, local=True)
