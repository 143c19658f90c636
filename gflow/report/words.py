"""What no sentence shows: nan."""

import re


def readable(text: str) -> str:
    """The text with "not reached" in place of the nan of a time that did not happen."""
    return re.sub(r"\bnan\b", "not reached", text)


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]
