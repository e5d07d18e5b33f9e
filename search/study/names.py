"""Names that a person gives: which are allowed, and which was probably meant."""

import difflib
import re
from collections.abc import Iterable

from seresnet.errors import ConfigError

# A name becomes a folder and a cell of a table: no separator, no leading dash, nothing invisible.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_RULE = "must be 1 to 64 letters, digits, `.`, `_` or `-`, the first a letter or digit"


def is_name(text: str) -> bool:
    """Return whether `text` may name a study or a recipe."""
    return NAME.fullmatch(text) is not None


def check_name(text: str) -> str:
    """Return the name of a study unchanged.

    Raises:
        ConfigError: if it could leave the results folder, or cannot be typed and read safely.
    """
    if not is_name(text):
        shown = ascii(text if len(text) <= 80 else text[:77] + "...")
        raise ConfigError(f"--name: {NAME_RULE}, got {shown}", "choose another, as in --name reg-2")
    return text


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `, did you mean <choice>?` for the choice nearest to `word`, or nothing."""
    nearest = difflib.get_close_matches(word, list(choices), n=1)
    return f", did you mean {nearest[0]}?" if nearest else ""
