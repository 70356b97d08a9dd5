// Makes and changes elements. Text always goes in as text: nothing of this page writes markup.

const SVG = "http://www.w3.org/2000/svg";

// Characters that would hide or turn around the text beside them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const LONGEST = 4000;

/** An element: `make("a", {class: "x", href: "#/"}, "text", child, …)`. A property that is a function listens. */
export function make(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function makeSvg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Changes the text only when it is another one, so that a selection stays. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
  return node;
}

export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? "" : value);
  return node;
}

/** Text of records, functions and names, made safe to look at: what cannot be seen is shown, what is too long is cut. */
export function visible(text, longest = LONGEST) {
  const whole = String(text ?? "");
  const shown = whole.length > longest ? whole.slice(0, longest) : whole;
  const seen = shown.replace(UNSEEN, (found) => {
    const code = found.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
  return whole.length > longest ? `${seen} … (${whole.length.toLocaleString("en")} characters)` : seen;
}

export const firstLine = (text, longest = 300) => visible(String(text ?? "").split("\n", 1)[0], longest);

/** A span in which text of others can change neither the direction nor the order of what is around it. */
export function foreign(text, properties = {}, longest = LONGEST) {
  return make("bdi", { dir: "auto", ...properties }, visible(text, longest));
}

/**
 * Keeps the children of a node in step with items: `keyOf` tells them apart, `begin(item)` makes `{node, show(item)}`.
 * Children that stay are not touched, so that focus and selection stay too.
 */
export function keyed(parent, keyOf, begin) {
  const known = new Map();
  return (items) => {
    const wanted = new Map();
    let before = parent.firstChild;
    for (const item of items) {
      let key = keyOf(item);
      while (wanted.has(key)) key += "\u0001";
      const child = known.get(key) ?? begin(item);
      child.show?.(item);
      wanted.set(key, child);
      if (child.node === before) before = before.nextSibling;
      else parent.insertBefore(child.node, before);
    }
    for (const [key, child] of known) if (!wanted.has(key)) child.node.remove();
    known.clear();
    for (const [key, child] of wanted) known.set(key, child);
  };
}

/**
 * A table that keeps itself in step: `columns` are `[title, class, fill(cell, item)]`. On a narrow screen each row
 * becomes a small list, unless its kind is `plain`.
 */
export function table(title, columns, keyOf, empty, kind = "") {
  const head = make("tr", {}, ...columns.map(([name, kind]) => make("th", { scope: "col", class: kind }, name)));
  const body = make("tbody");
  const caption = make("caption", { class: "unseen" }, title);
  const whole = make("table", { class: kind || null }, caption, make("thead", {}, head), body);
  const frame = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, whole);
  const nothing = make("p", { class: "nothing" }, empty);
  const show = keyed(body, keyOf, () => {
    const cells = columns.map(([name, kind]) => make("td", { class: kind, "data-title": name }));
    return {
      node: make("tr", {}, ...cells),
      show: (item) => columns.forEach(([, , fill], index) => fill(cells[index], item)),
    };
  });
  return {
    node: make("div", {}, frame, nothing),
    show(items) {
      show(items);
      frame.hidden = items.length === 0;
      nothing.hidden = items.length > 0;
    },
  };
}
