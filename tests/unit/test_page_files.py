"""The page at `/`: its files, and who gets them. How it behaves is in `tests/page`."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from headrace.service.api.page_files import DIRECTORY, TYPES
from support.steering_desk import desk

FILES = sorted(path for path in DIRECTORY.iterdir() if path.suffix in TYPES)
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


@pytest.mark.semantics("PAGE-01")
def test_the_page_is_small_and_names_no_other_place() -> None:
    assert sum(path.stat().st_size for path in FILES) < 150_000
    for path in FILES:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")  # a name, which nobody opens
        assert not re.search(r"(https?:)?//[a-z0-9.-]+\.[a-z]", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)), (
            path.name
        )


@pytest.mark.semantics("PAGE-01")
def test_all_that_the_page_names_is_there_and_all_that_is_there_is_named() -> None:
    named = {"index.html"}
    for path in FILES:
        named |= set(re.findall(r"/page/([\w.]+)", path.read_text()))
        named |= set(re.findall(r'from "\./([\w.]+)"', path.read_text()))
    assert named == {path.name for path in FILES}


@pytest.mark.semantics("PAGE-03")
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_text(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
        "javascript:",
        '"style"',
    ):
        assert word not in text


class Markup(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        assert not [name for name in names if name.startswith("on") or name == "style"]
        assert tag not in ("style", "iframe", "object", "base")
        assert tag != "script" or "src" in names


def test_the_markup_has_no_script_and_no_style_of_its_own() -> None:
    Markup().feed((DIRECTORY / "index.html").read_text())


@pytest.mark.semantics("PAGE-01")
async def test_each_file_comes_with_a_strict_policy_and_is_asked_for_again() -> None:
    async with desk() as found:
        for path in ("/", *(f"/page/{file.name}" for file in FILES)):
            async with found.session.get(path) as answer:
                assert answer.status == 200
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                tag = answer.headers["ETag"]
            async with found.session.get(path, headers={"If-None-Match": tag}) as answer:
                assert (answer.status, await answer.read()) == (304, b"")
        async with found.session.get("/page/..%2Fserver.py") as answer:
            assert answer.status == 404


@pytest.mark.semantics("PAGE-02")
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_on_the_loopback_the_page_is_for_this_machine_alone(headers: dict[str, str]) -> None:
    async with desk() as found, found.session.get("/", headers=headers) as answer:
        assert (answer.status, "api.hosts" in await answer.text()) == (403, True)


@pytest.mark.semantics("PAGE-02")
async def test_elsewhere_the_page_is_closed_without_keys_and_shows_nothing_without_a_signature() -> None:
    async with desk("0.0.0.0") as found, found.session.get("/") as answer:
        assert (answer.status, "api.access_keys" in await answer.text()) == (403, True)
    async with desk("0.0.0.0", {"KEYID": "secret"}) as found:
        async with found.session.get("/") as answer:
            assert answer.status == 200
        for path in ("/v1/daemon", "/v1/mappings", "/v1/history?mapping=x", "/v1/token", "/v1/tap", "/v1/logs"):
            assert (await found.get(path))[0] == 403
