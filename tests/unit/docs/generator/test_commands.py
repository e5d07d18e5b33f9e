import re
from argparse import ArgumentParser, RawDescriptionHelpFormatter

import pytest

from generator.commands import command_parsers, commands_page

PARSERS = command_parsers()


def section(name):
    parts = re.split(r"^## (.+)\n", commands_page(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[name]


def test_commands_are_found_by_what_they_are():
    assert {"python -m search.tune", "python -m search.replay", "python -m seresnet train"} <= set(
        PARSERS
    )
    assert "python -m search.results" not in PARSERS
    assert "python -m search.plan" not in PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_every_flag_of_the_help_is_in_the_page(name):
    flags = set(re.findall(r"(?<![\w-])--[a-z-]+", PARSERS[name].format_help()))
    assert flags - {"--help"} <= set(re.findall(r"--[a-z-]+", section(name)))


def test_page_does_not_depend_on_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    narrow = commands_page()
    monkeypatch.setenv("COLUMNS", "200")
    assert commands_page() == narrow


def test_options_are_shown_as_they_are_typed(monkeypatch):
    parser = ArgumentParser(
        prog="python -m search.made_up",
        description="Do it. And more.",
        epilog="example:\n  python -m search.made_up\n\nmore:\n  of it",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say more")
    parser.add_argument("--kind", choices=["a", "b"], help="a|b of\n<it>")
    parser.add_argument("--seeds", nargs="+", metavar="N", required=True, help="some")
    monkeypatch.setattr("generator.commands.command_parsers", lambda: {parser.prog: parser})
    assert section(parser.prog).splitlines() == [
        "",
        "Do it. And more.",
        "",
        "| option | meaning |",
        "|---|---|",
        "| `--seeds N [N ...]` | some (required) |",
        "| `--kind {a,b}` | a\\|b of &lt;it> |",
        "| `-v, --verbose` | say more |",
        "",
        "```console",
        "python -m search.made_up",
        "```",
        "",
        "```text",
        "more:",
        "  of it",
        "```",
    ]
