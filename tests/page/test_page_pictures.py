"""What the page looks like: each part in light and dark, wide and narrow. `HEADRACE_PICTURES` keeps the pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support import chromium
from support.chromium import Wire
from support.page_scene import Scene
from support.steering_desk import desk

pytestmark = pytest.mark.needs("chromium")

PLACES = {
    "mappings": ("/", "click-stream", 760),
    "mapping": ("/#/mapping/click-stream", "KeyError", 1070),
    "functions": ("/#/functions", "nodejs22.x", 560),
    "function": ("/#/function/clicks", "session s7", 800),
    "filters": ("/#/filters?mapping=orders", "Kept", 720),
}
KEPT = {"mappings-light", "mapping-dark", "mappings-dark", "mapping-light", "functions-light", "filters-dark"}
"""Those that docs/ shows."""
HIDDEN = """[...document.querySelectorAll('main *')].filter((node) => {
  const box = node.getBoundingClientRect();
  const scrolls = node.closest('.scroll, .lines, pre, svg');
  const outside = box.left < -1 || box.right > innerWidth + 1;
  return !scrolls && box.width > 0 && !node.classList.contains('unseen') && outside;
}).map((node) => `${node.tagName}.${node.className} ${node.textContent.slice(0, 40)}`)"""


@pytest.mark.semantics("PAGE-06")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("place", PLACES)
async def test_each_part_fits(wire: Wire, place: str, width: int, dark: bool, tmp_path: Path) -> None:
    scene = Scene().play()
    where, text, height = PLACES[place]
    name = f"{place}-{'dark' if dark else 'light'}"
    async with (
        desk(sight=scene.sight, view=scene, lines=scene.lines) as found,
        chromium.tab(wire, found.url + where, width=width, height=height, dark=dark) as page,
    ):
        await page.shows(text)
        for kind in ("spark", "plot"):
            drawn = f"document.querySelector('.{kind} .line').getAttribute('d')"
            await page.until(f"!document.querySelector('.{kind}') || {drawn}")
        assert await page.run("document.documentElement.scrollWidth <= innerWidth")
        assert await page.run(HIDDEN) == []
        assert page.complaints == []
        keep = os.environ.get("HEADRACE_PICTURES")
        directory = Path(keep) if keep and width == 1280 and name in KEPT else tmp_path
        directory.mkdir(exist_ok=True)
        await page.picture(directory / f"page-{name}.png")
