"""The settings of a mapping for every source: names, shapes, numbers. The rest of config builds on it."""
