// Light, dark, or as the system has it.

import { make } from "./dom.js";

const KEY = "headrace-theme";
const CHOICES = [
  ["", "◐", "As the system has it"],
  ["light", "☀", "Light"],
  ["dark", "☾", "Dark"],
];

function kept() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function choose(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds for this visit alone.
  }
  apply(theme);
}

function apply(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const button of document.querySelectorAll("#themes button"))
    button.setAttribute("aria-pressed", String(button.dataset.choice === theme));
}

export function begin(place) {
  for (const [theme, sign, title] of CHOICES)
    place.append(make("button", { type: "button", title, "aria-label": title, "data-choice": theme, click: () => choose(theme) }, sign));
  apply(kept());
}
