"""Words taken apart into trigrams, the same on every database: what the search index holds and a search looks up.

A word is a run of letters and digits, padded as PostgreSQL's pg_trgm does it, with two blanks in front and one behind,
so that its beginning weighs more than its middle. Migration 0002 holds a copy of this as it was.
"""

import re

TEXT_LIMIT = 1000
"""Characters of a text that are looked at."""

_word = re.compile(r"[^\W_]+")


def trigrams(*texts: str) -> set[str]:
    """Give the trigrams of all words of some texts."""
    words = {f"  {word} " for text in texts for word in _word.findall(text[:TEXT_LIMIT].lower())}
    return {word[start : start + 3] for word in words for start in range(len(word) - 2)}
