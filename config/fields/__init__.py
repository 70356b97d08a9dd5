"""What a user may say about a mapping, whatever its source: names, shapes, numbers. The rest of config builds on it."""
