"""The commands that the pages show are ones that the programs take."""

import re
import shlex
from pathlib import Path

import pytest

from generator.commands import command_parsers

ROOT = Path(__file__).parents[3]
PARSERS = command_parsers()
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
PAGES += [ROOT / folder / "README.md" for folder in ("results", "benchmarks", "cluster")]
_BLOCK = re.compile(r"^```(?:console|bash|sh)\n(.*?)^```|((?:^ {4}.*\n)+)", re.M | re.S)


def shown(text):
    """Every `python -m search...` or `python -m seresnet ...` in a page's code blocks."""
    blocks = "\n".join(first or second for first, second in _BLOCK.findall(text))
    lines = re.sub(r"\\\n\s*", "", blocks).splitlines()
    parts = [part.strip() for line in lines for part in re.split(r" #| [|>] ", line)[0].split("&&")]
    return [part for part in parts if re.match(r"python -m (search\.|seresnet\b)", part)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_code_block_parses(page, capsys):
    for command in shown(page.read_text()):
        words = shlex.split(command)
        parser = PARSERS[" ".join(words[:3])]
        if "--help" in words:
            continue
        try:
            parser.parse_args(words[3:])
        except SystemExit:
            pytest.fail(f"{command}\n{capsys.readouterr().err}")


def test_commands_are_found_in_both_kinds_of_blocks():
    text = (
        "```console\npip install . && python -m search.tune --space a.yaml  # why\n"
        "python -m search.status --format csv > studies.csv\n"
        "python -m seresnet train \\\n    --data data\n```\n"
        "Prose python -m search.tune\n\n    python -m search.replay --study results/a\n"
    )
    assert shown(text) == [
        "python -m search.tune --space a.yaml",
        "python -m search.status --format csv",
        "python -m seresnet train --data data",
        "python -m search.replay --study results/a",
    ]
