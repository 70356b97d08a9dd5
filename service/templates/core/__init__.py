"""What a template means: values, functions and mappings, and the configuration that says the same. Pure."""
