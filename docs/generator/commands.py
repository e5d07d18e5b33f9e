"""Every command and its options, taken from the parsers themselves."""

import importlib.util
import inspect
import pkgutil
from argparse import SUPPRESS, Action, ArgumentParser, _HelpAction, _SubParsersAction
from pathlib import Path

import search
from generator.table import escaped, table

_INTRODUCTION = """\
# Commands

What `--help` says. Every command ends with one of the [exit codes](exit-codes.md). Progress and
complaints go to stderr; what was made goes to stdout.
"""


def command_parsers() -> dict[str, ArgumentParser]:
    """Return the parser of each command by what is typed: found in the packages, not listed."""
    names = [f"search.{each.name}" for each in pkgutil.iter_modules(search.__path__)]
    found: dict[str, ArgumentParser] = {}
    for name in [*names, "seresnet.__main__"]:
        specification = importlib.util.find_spec(name)
        assert specification is not None
        assert specification.origin is not None
        if "sys.exit(main())" in Path(specification.origin).read_text():
            parser = importlib.import_module(name)._parser()
            found[parser.prog] = parser
            found |= {each.prog: each for each in _children(parser).values()}
    return found


def commands_page() -> str:
    """Return docs/reference/commands.md."""
    parsers = command_parsers()
    contents = table(
        ["command", "does"], [[_link(name), _summary(parsers[name])] for name in parsers]
    )
    sections = [_section(name, parser) for name, parser in parsers.items()]
    return "\n".join([_INTRODUCTION, contents, *sections])


def _section(name: str, parser: ArgumentParser) -> str:
    """Return heading, description, options and example of a command."""
    parts = [f"## {name}\n\n{parser.description}\n"]
    children = _children(parser)
    if not children:
        rows = [[_typed(action), _meaning(action)] for action in _options(parser)]
        parts.append(table(["option", "meaning"], rows))
    example, _, more = str(parser.epilog).removeprefix("example:\n  ").partition("\n\n")
    parts.append(f"```console\n{example}\n```\n")
    if more:
        parts.append(f"```text\n{more}\n```\n")
    return "\n".join(parts)


def _options(parser: ArgumentParser) -> list[Action]:
    """Return a command's own options: what it needs first, `--verbose` last."""
    shown = [
        action
        for action in parser._actions
        if not isinstance(action, _HelpAction) and action.help is not SUPPRESS
    ]
    return sorted(shown, key=lambda each: (not each.required, each.dest == "verbose"))


def _typed(action: Action) -> str:
    """Return an option as it is typed, such as `--seeds N [N ...]`."""
    value = action.metavar or action.dest.upper()
    if action.choices is not None:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    values = {0: "", "+": f" {value} [{value} ...]", "*": f" [{value} ...]"}
    typed = ", ".join(action.option_strings) + values.get(action.nargs, f" {value}")
    return f"`{typed}`".replace("|", "\\|")


def _meaning(action: Action) -> str:
    text = escaped(" ".join(str(action.help).split()))
    return f"{text} (required)" if action.required else text


def _children(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            return dict(action.choices)
    return {}


def _summary(parser: ArgumentParser) -> str:
    """Return the first sentence of a description."""
    text = " ".join(inspect.cleandoc(str(parser.description)).split())
    return escaped(text.partition(". ")[0].removesuffix("."))


def _link(name: str) -> str:
    """Return a link to a heading, as GitHub names its anchor."""
    anchor = name.lower().replace(".", "").replace(" ", "-")
    return f"[`{name}`](#{anchor})"
