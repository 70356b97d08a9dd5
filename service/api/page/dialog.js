// Asks before something is done, and tells what came of it.

import { make } from "./dom.js";

/** Resolves to whether the action was confirmed. `fields`: elements between text and buttons. */
export function confirm(title, text, action, { danger = false, fields = [] } = {}) {
  return new Promise((decided) => {
    const cancel = make("button", { type: "button", value: "", click: () => dialog.close("") }, "Cancel");
    const go = make("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
    const form = make(
      "form",
      {
        method: "dialog",
        submit: (event) => {
          event.preventDefault();
          dialog.close("yes");
        },
      },
      make("h2", { id: "asked" }, title),
      make("p", {}, text),
      ...fields,
      make("div", { class: "buttons" }, cancel, go),
    );
    const dialog = make("dialog", { "aria-labelledby": "asked" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      decided(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    (danger ? cancel : go).focus();
  });
}

/** A dialog that shows something until it is closed. */
export function show(title, ...content) {
  const close = make("button", { type: "button", class: "primary", click: () => dialog.close() }, "Close");
  const heading = make("h2", { id: "shown" });
  heading.append(title);
  const dialog = make("dialog", { class: "wide", "aria-labelledby": "shown" }, heading, ...content, make("div", { class: "buttons" }, close));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}

export function tell(text, kind = "good") {
  const toast = make("div", { class: `toast ${kind}` }, text);
  const place = document.getElementById("toasts");
  place.append(toast);
  while (place.childElementCount > 3) place.firstElementChild.remove();
  setTimeout(() => toast.remove(), kind === "good" ? 4000 : 10_000);
}
