"""The bounds on patterns, in one place. Used by the parser, the compiler and the code that accepts lists of filters."""

from __future__ import annotations

MAX_PATTERN_CHARS = 4096
"""Characters of one pattern's JSON text (Lambda's own limit). An already parsed pattern counts in compact form."""

DEFAULT_FILTERS = 5
"""Filters per mapping under AWS's default quota."""

MAX_FILTERS = 10
"""Filters per mapping after a quota increase: the most that is ever accepted."""

MAX_DEPTH = 100
"""Levels of nesting in a pattern. It also bounds every recursion over a pattern's tree."""

MAX_COMPILED_NAMES = 16
"""Names in one dotted path up to which a matcher is compiled: the ways to spell a path grow with its square. Patterns
with longer paths are matched by the complete matcher alone, with the same verdicts."""

MAX_ARRAY_RULES = 500
"""Rules, summed over the alternatives of a pattern, up to which a matcher of records with arrays is compiled. Larger
patterns are matched by the complete matcher, with the same verdicts."""

MAX_BRANCHES = 1000
"""Alternatives of one pattern after every `$or` is multiplied out."""

MAX_RULES = 20_000
"""Fields summed over all those alternatives: what the compiled matcher has to hold."""

MAX_WILDCARD_COMPLEXITY = 10
"""Summed over the wildcards of one field; see `wildcards.complexity`. AWS publishes the error, not the number: this one
refuses and accepts what AWS was observed to refuse and accept."""

MAX_RECORD_DEPTH = 1024
"""Levels of nesting up to which a body is read as JSON; anything deeper counts as plain text."""

MAX_CHOICES = 1_000_000
"""Steps that one match may take in looking for a consistent choice of array elements. Only records with very many
elements that also spell one path in several ways (`{"a": {"b": …}, "a.b": …}`) pass it; they are kept, never lost."""
