"""The runtime client for functions in Node.js: modules of JavaScript, which `start.mjs` puts together."""

from __future__ import annotations
