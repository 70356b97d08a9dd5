"""The table of the kinds of source in this layer. Nothing else of the layer imports it."""
