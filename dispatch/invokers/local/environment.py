"""The environment variables that function code sees: AWS's, the function's own, and nothing of the daemon's.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .spec import FunctionSpec

XRAY = {
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
    "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
    "_AWS_XRAY_DAEMON_PORT": "2000",
}
"""Where AWS has its X-Ray daemon. Nothing answers there; the SDK sends and does not wait."""
LOG_DESCRIPTOR = "_LAMBDA_TELEMETRY_LOG_FD"
"""Where a runtime's client writes its records, each in a frame (`core/frames.py`). Clients take it out of the
environment, so that most functions never see it."""
FROM_THE_DAEMON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""The search path for programs is no secret, and no program starts without it."""


def variables(
    spec: FunctionSpec,
    *,
    address: str,
    temporary: Path,
    log_stream: str,
    log_descriptor: int,
    runtime: str,
    more: Mapping[str, str],
    opt: str = "",
) -> dict[str, str]:
    """All variables of one environment. What AWS reserves wins over what the function configures, which wins over the
    rest. `runtime` is AWS's name of it, empty where there is none; `more` has what the language adds; `opt` is where
    the layers lie as one tree, empty where each lies under its own path."""
    defaults = {
        "LANG": "en_US.UTF-8",
        "PWD": str(spec.code),
        "TMPDIR": str(temporary),
        **{name: os.environ[name] for name in FROM_THE_DAEMON if name in os.environ},
        **_search_paths(spec, opt),
        **_log_settings(spec),
        **more,
        **spec.aws,
    }
    reserved = {
        "_HANDLER": spec.handler,
        LOG_DESCRIPTOR: str(log_descriptor),
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": address,
        "LAMBDA_TASK_ROOT": str(spec.code),
        "LAMBDA_RUNTIME_DIR": str(spec.scratch),
        "TZ": ":UTC",
        **XRAY,
    }
    if runtime:
        reserved["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{runtime}"
    return {**defaults, **spec.environment, **reserved}


def _log_settings(spec: FunctionSpec) -> dict[str, str]:
    """By which the runtime's own client writes its records as JSON, and leaves out the less important ones."""
    if spec.logging.format != "JSON":
        return {}
    return {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": spec.logging.application_level}


def _search_paths(spec: FunctionSpec, opt: str) -> dict[str, str]:
    """Layers are found by path: programs and libraries of the last one first, as if it had overwritten the others."""
    found = {}
    if programs := _in_layers(spec, opt, "bin"):
        found["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *programs])
    own = [str(spec.code / "lib")] if (spec.code / "lib").is_dir() else []
    if libraries := [*own, *_in_layers(spec, opt, "lib")]:
        found["LD_LIBRARY_PATH"] = os.pathsep.join([os.environ.get("LD_LIBRARY_PATH", ""), *libraries]).strip(
            os.pathsep
        )
    return found


def _in_layers(spec: FunctionSpec, opt: str, name: str) -> list[str]:
    """This directory of the layers, as the process sees it."""
    found = [str(layer / name) for layer in reversed(spec.layers) if (layer / name).is_dir()]
    return [os.path.join(opt, name)] if found and opt else found
