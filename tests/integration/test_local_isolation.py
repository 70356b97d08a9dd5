"""A function's own /tmp and /opt, wherever its files are, and stored code that no process can write."""

from __future__ import annotations

import errno
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.dispatch.invokers.base import NotReady
from headrace.dispatch.invokers.local import isolation, runtime_client
from headrace.dispatch.invokers.local.isolation import supported
from headrace.dispatch.invokers.local.spec import CommandLaunch, FunctionSpec, RuntimeLaunch
from support.shop import ECHO, PYTHON, Shop, call, returned

NODE = RuntimeLaunch("nodejs", "app.handler")
OURS = "python{}.{}".format(*sys.version_info[:2])


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    assert supported(), "this machine gives no namespaces; the rest of the suite runs without"


@pytest.fixture(params=["/var/tmp", "/tmp"], ids=["elsewhere", "below /tmp"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory, outside of /tmp or in it."""
    with tempfile.TemporaryDirectory(dir=request.param, prefix="headrace-test-") as name:
        yield Path(name)


@pytest.fixture
def shop(place: Path) -> Shop:
    return Shop(place)


def write(root: Path, files: Mapping[str, str]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def beside(place: Path) -> list[str]:
    """What else than its own a function sees in /tmp."""
    return [place.name] if place.is_relative_to("/tmp") else []


# --- /tmp and /opt --------------------------------------------------------------------------------------------------

LOOK = """
    import os
    open("/tmp/mine", "w").close()
    def handler(event, context):
        return [os.listdir("/tmp"), os.listdir("/opt"), os.environ["TMPDIR"], os.getcwd(), os.environ["PWD"],
                os.path.isdir(os.environ["LAMBDA_TASK_ROOT"]), "OLDPWD" in os.environ]
"""


@pytest.mark.semantics("FN-25", "FN-50")
async def test_a_function_has_a_tmp_and_an_opt_of_its_own_wherever_its_code_lies(shop: Shop, place: Path) -> None:
    layers = [write(place / name, {f"of-{name}": "", "both": name}) for name in ("one", "two")]
    async with shop.open(LOOK, isolation="namespace", layers=tuple(layers)) as invoker:
        tmp, opt, *rest = await returned(invoker)
    assert sorted(tmp) == sorted(["mine", *beside(place)])
    assert {"of-one", "of-two", "both"} <= set(opt)
    assert rest == ["/tmp", str(place / "code"), str(place / "code"), True, False]
    assert not Path("/tmp/mine").exists()
    assert not list((place / "scratch" / "tmp").iterdir())


PATHS = """
    import os, sys
    def handler(event, context):
        from pack import one, two
        lists = sys.path, os.environ["PATH"].split(":"), os.environ["LD_LIBRARY_PATH"].split(":")
        return [one.VALUE, two.VALUE, *([each for each in paths if each.startswith("/opt")] for paths in lists)]
"""
SITE = f"python/lib/{OURS}/site-packages"
ONE = {"python/pack/one.py": "VALUE = 1", "python/pack/two.py": "VALUE = 0", "bin/tool": "", f"{SITE}/some.py": ""}
TWO = {"python/pack/two.py": "VALUE = 2", "lib/some.so": ""}


@pytest.mark.semantics("LAYER-20")
async def test_the_search_paths_of_layers_are_those_of_one_tree_at_opt(shop: Shop, place: Path) -> None:
    layers = (write(place / "one", ONE), write(place / "two", TWO))
    async with shop.open(PATHS, isolation="namespace", layers=layers) as invoker:
        one, two, *paths = await returned(invoker)
    assert (one, two) == (1, 2)
    assert paths == [[f"/opt/{SITE}", "/opt/python"], ["/opt/bin"], ["/opt/lib"]]


SPOILS = """
    import os, pathlib, sys
    def handler(event, context):
        from pack import one
        try:
            pathlib.Path(one.__file__).write_text("VALUE = 9")
        except OSError as error:
            return [one.VALUE, one.__file__, error.errno]
        return [one.VALUE, one.__file__, 0]
"""


@pytest.mark.semantics("LAYER-20")
@pytest.mark.parametrize("count", [1, 2])
async def test_stored_layers_cannot_be_written(shop: Shop, place: Path, count: int) -> None:
    layers = (write(place / "one", ONE), write(place / "two", {"python/other.py": ""}))[:count]
    async with shop.open(SPOILS, isolation="namespace", layers=layers, uploaded=True) as invoker:
        assert await returned(invoker) == [1, "/opt/python/pack/one.py", errno.EROFS]


WRAPPED = {"wrapper": '#!/bin/sh\nexport WRAPPED="$0"\nexec "$@"\n'}


@pytest.mark.semantics("LAYER-20")
@pytest.mark.parametrize("isolated", ["namespace", "env"])
async def test_a_layer_may_hold_the_wrapper_of_the_runtime(shop: Shop, place: Path, isolated: str) -> None:
    source = "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']\n"
    layer = write(place / "one", WRAPPED)
    (layer / "wrapper").chmod(0o755)
    given = {"layers": (layer,), "environment": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}}
    async with shop.open(source, isolation=isolated, uploaded=True, **given) as invoker:
        found = await returned(invoker)
    assert found == "/opt/wrapper" if isolated == "namespace" else Path(found).name == "wrapper"


@pytest.mark.semantics("LAYER-20")
async def test_a_layer_may_lie_where_nothing_else_does(shop: Shop) -> None:
    source = "def handler(event, context):\n    return open('/opt/some.txt').read()\n"
    with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
        layer = write(Path(elsewhere), {"some.txt": "here"})
        async with shop.open(source, isolation="namespace", layers=(layer,), uploaded=True) as invoker:
            assert await returned(invoker) == "here"


@pytest.mark.semantics("LAYER-20")
async def test_without_namespaces_stored_layers_are_one_tree_that_is_a_copy(shop: Shop, place: Path) -> None:
    layers = (write(place / "one", ONE), write(place / "two", TWO))
    async with shop.open(SPOILS, isolation="env", layers=layers, uploaded=True) as invoker:
        value, file, error = await returned(invoker)
        assert (value, error) == (1, 0)
        assert Path(file).is_relative_to(place / "scratch")
    assert (place / "one" / "python/pack/one.py").read_text() == "VALUE = 1"
    assert not list((place / "scratch" / "tmp").iterdir())


@pytest.mark.semantics("FN-50")
@pytest.mark.needs("node")
@pytest.mark.parametrize("isolated", ["auto", "namespace"])
async def test_node_runs_there_too(shop: Shop, place: Path, isolated: str) -> None:
    source = "const fs = require('fs'); exports.handler = async () => fs.readdirSync('/tmp');"
    async with shop.open(source, name="app.js", launch=NODE, isolation=isolated) as invoker:
        assert await returned(invoker) == beside(place)


@pytest.mark.semantics("FN-50")
async def test_a_function_sees_what_lies_with_its_code_and_nothing_else_of_tmp(shop: Shop, place: Path) -> None:
    (place / "neighbour.txt").write_text("here")
    source = """
        import os
        def handler(event, context):
            with open(event["neighbour"]) as file:
                return [file.read(), os.path.exists(event["stranger"])]
    """
    with tempfile.NamedTemporaryFile(dir="/tmp") as stranger:
        event = {"neighbour": str(place / "neighbour.txt"), "stranger": stranger.name}
        async with shop.open(source, isolation="namespace") as invoker:
            assert await returned(invoker, event) == ["here", False]


LOOP = """
import os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    event = urllib.request.urlopen(api + "next")
    urllib.request.urlopen(api + event.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", b'"it ran"')
"""


@pytest.mark.semantics("RUNTIME-11")
async def test_what_a_class_path_names_below_tmp_is_seen(shop: Shop, place: Path) -> None:
    source = """
        import os
        def handler(event, context):
            return [os.path.exists(path) for path in event["paths"]]
    """
    with tempfile.TemporaryDirectory(dir="/tmp") as named, tempfile.TemporaryDirectory(dir="/tmp") as other:
        paths = [str(Path(each) / "client.jar") for each in (named, other)]
        for path in paths:
            Path(path).touch()
        words = (sys.executable, "-m", "awslambdaric", "app.handler", f"lib:{named}/*")
        async with shop.open(source, launch=CommandLaunch(words, "app.handler"), isolation="namespace") as invoker:
            assert await returned(invoker, {"paths": paths}) == [True, False]


@pytest.mark.semantics("FN-50")
async def test_an_interpreter_and_a_link_to_the_code_below_tmp_are_found(shop: Shop) -> None:
    code = shop.write("import sys\ndef handler(event, context):\n    return sys.executable\n")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        program, link = Path(name) / "bin" / "python", Path(name) / "code"
        program.parent.mkdir()
        python = Path(sys.executable).resolve()  # the checkout, with its venv, may lie below /tmp itself
        program.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
        program.chmod(0o755)
        link.symlink_to(code)
        spec = shop.spec("", name="unused.txt", launch=RuntimeLaunch("python", "app.handler", str(program)))
        spec = FunctionSpec(
            "shop", spec.launch, link, spec.scratch, environment=spec.environment, isolation="namespace"
        )
        async with shop.opened(spec) as invoker:
            assert await returned(invoker) == str(python)


@pytest.mark.semantics("FN-50")
async def test_an_interpreter_that_a_bootstrap_names_below_tmp_is_found(shop: Shop) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        program = Path(name) / "interpreter"
        program.symlink_to(Path(sys.executable).resolve())  # the checkout, with its venv, may lie below /tmp itself
        code = shop.write(f"#!{program}\n{LOOP}", "bootstrap")
        (code / "bootstrap").chmod(0o755)
        launch = RuntimeLaunch("provided.al2023", "app.handler")
        async with shop.open("", launch=launch, isolation="namespace") as invoker:
            assert await returned(invoker) == "it ran"


@pytest.mark.semantics("FN-50")
async def test_what_is_ours_is_found_where_headrace_lies_below_tmp(
    shop: Shop, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not seen in /tmp."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="headrace-site-") as site:
        (Path(site) / "only_ours.py").write_text("N = 1\n")
        packages = write(place / "scratch" / "packages", {})
        (packages / "only_ours.py").symlink_to(Path(site) / "only_ours.py")
        for link in runtime_client.packages(place / "scratch").iterdir():
            (packages / link.name).symlink_to(link.resolve())
        monkeypatch.setattr(runtime_client, "packages", lambda scratch: packages)
        source = """
            import os, boto3, only_ours
            def handler(event, context):
                return [os.listdir("/tmp"), only_ours.N, os.path.exists(event["site"])]
        """
        async with shop.open(source, isolation="namespace") as invoker:
            assert await returned(invoker, {"site": site}) == [beside(place), 1, False]


@pytest.mark.semantics("FN-50")
async def test_a_function_whose_variables_have_any_name_gets_them_unchanged(shop: Shop) -> None:
    source = """
        import os
        def handler(event, context):
            return [os.environ[name] for name in ("code", "tmp", "CDPATH")] + [os.getcwd()]
    """
    environment = {"code": "a", "tmp": "b", "CDPATH": "/usr"}
    async with shop.open(source, isolation="namespace", environment=environment) as invoker:
        assert await returned(invoker) == ["a", "b", "/usr", str(shop.directory / "code")]


@pytest.mark.semantics("FN-50")
async def test_code_that_is_tmp_itself_is_refused_when_isolation_was_asked_for(shop: Shop) -> None:
    spec = FunctionSpec("shop", CommandLaunch(("true",)), Path("/tmp"), shop.directory, isolation="namespace")
    async with shop.opened(spec) as invoker:
        probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    assert "/tmp would be hidden by the function's own /tmp: move it" in probe.cause.text


@pytest.mark.semantics("FN-13")
async def test_a_path_with_a_nul_character_is_a_reason_not_a_fault(shop: Shop) -> None:
    async with shop.open(ECHO, launch=RuntimeLaunch("python", "/app.handler\0"), isolation="auto") as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert "correct the handler and the variables" in probe.cause.text


# --- stored code ----------------------------------------------------------------------------------------------------

WRITES = """
    import errno, os, pathlib
    def handler(event, context):
        if event.get("end"):
            os._exit(3)
        told = []
        for path in [os.environ["LAMBDA_TASK_ROOT"] + "/made.txt", "made.txt", __file__, "below/data.txt"]:
            try:
                with open(path, "a") as file:
                    file.write("x")
                told.append("written")
            except OSError as error:
                told.append(errno.errorcode[error.errno])
        pathlib.Path("/tmp/kept").write_text("x")
        return [*told, os.getpid()]
"""


def snapshot(code: Path) -> dict[str, str]:
    return {str(path.relative_to(code)): path.read_text() for path in code.rglob("*") if path.is_file()}


def stored(shop: Shop, **more: Any) -> FunctionSpec:
    write(shop.directory / "code" / "below", {"data.txt": "data"})
    return shop.spec(WRITES, isolation="auto", read_only=True, **more)


@pytest.mark.semantics("FN-49")
async def test_stored_code_cannot_be_written(shop: Shop) -> None:
    spec = stored(shop)
    before = snapshot(spec.code)
    async with shop.opened(spec) as invoker:
        *told, _ = await returned(invoker)
    assert told == ["EROFS"] * 4
    assert snapshot(spec.code) == before


@pytest.mark.semantics("FN-49")
@pytest.mark.needs("node")
async def test_stored_code_of_node_cannot_be_written(shop: Shop) -> None:
    source = """
        const fs = require("fs");
        exports.handler = async () => {
            fs.writeFileSync("/tmp/kept", "x");
            try { fs.appendFileSync(__filename, "x"); } catch (error) { return error.code; }
        };
    """
    spec = shop.spec(source, name="app.js", launch=NODE, isolation="auto", read_only=True)
    async with shop.opened(spec) as invoker:
        assert await returned(invoker) == "EROFS"


@pytest.mark.semantics("FN-49")
async def test_code_of_the_users_own_stays_writable(shop: Shop) -> None:
    write(shop.directory / "code" / "below", {"data.txt": "data"})
    async with shop.open(WRITES, isolation="namespace", reload=False) as invoker:
        *told, _ = await returned(invoker)
    assert told == ["written"] * 4
    assert (shop.directory / "code" / "made.txt").exists()


@pytest.mark.semantics("FN-49")
async def test_without_namespaces_each_process_writes_a_copy_of_its_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "supported", lambda: False)
    spec = stored(shop)
    before = snapshot(spec.code)
    async with shop.opened(spec) as invoker:
        for _ in range(2):
            *told, _ = await returned(invoker)
            assert told == ["written"] * 4
            assert b"Runtime.ExitError" in (await call(invoker, {"end": True})).body  # type: ignore[union-attr]
        assert snapshot(spec.code) == before
    assert not list((shop.directory / "scratch" / "tmp").iterdir())
    Path("/tmp/kept").unlink()


@pytest.mark.semantics("FN-49")
async def test_without_namespaces_a_bootstrap_runs_from_the_copy(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "supported", lambda: False)
    code = shop.write('#!/bin/sh\nexec "$HERE" -m awslambdaric app.handler\n', "bootstrap")
    (code / "bootstrap").chmod(0o755)
    source = (
        "import os\ndef handler(event, context):\n    return [__file__, os.getcwd(), os.environ['LAMBDA_TASK_ROOT']]\n"
    )
    launch = RuntimeLaunch("provided.al2023", "app.handler")
    environment = {"HERE": sys.executable}
    async with shop.open(source, launch=launch, isolation="auto", read_only=True, environment=environment) as invoker:
        file, directory, root = await returned(invoker)
    assert directory == root == str(Path(file).parent)
    assert directory != str(code)


async def test_an_environment_without_isolation_gets_the_copy_too(shop: Shop) -> None:
    async with shop.open(WRITES, isolation="env", read_only=True, launch=PYTHON) as invoker:
        reply = await call(invoker)
        assert b"written" in reply.body  # type: ignore[union-attr]
    assert not (shop.directory / "code" / "made.txt").exists()
