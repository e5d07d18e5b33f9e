"""What a real command shows on a real terminal, as a picture: run, watched, drawn as SVG."""

import io
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

_COLUMNS, _ROWS = 96, 30
_REDRAWN = re.compile(r"\r?(?:\x1b\[2K(?:\x1b\[1A)?)+")
"""With which rich's live view wipes what it drew before."""
# rich's own template fetches its font from another site; a picture asks nobody.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>{chrome_title}</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def picture_of(
    command: Sequence[str], *, is_it: Callable[[str], bool], path: Path, folder: Path
) -> None:
    """Run a command on a terminal of its own until it shows what is wanted, and draw that.

    Args:
        command: `python -m ...`, as it is typed.
        is_it: whether a frame, without its colours, is the one.
        path: of the SVG.
        folder: in which it runs.
    """
    process, terminal = _start(command, folder)
    frame = next(frame for frame in _frames(terminal) if is_it(Text.from_ansi(frame).plain))
    process.send_signal(signal.SIGINT)
    for _ in _frames(terminal):  # what it says as it ends; nobody may leave it waiting
        pass
    process.wait()
    typed = shlex.join(command)
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {typed}", style="bold"))
    console.print(Text.from_ansi(frame))
    svg = console.export_svg(
        title=typed, theme=DIMMED_MONOKAI, code_format=_SVG, unique_id=path.stem
    )
    path.write_text(svg)


def _start(command: Sequence[str], folder: Path) -> tuple["subprocess.Popen[bytes]", int]:
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (_ROWS, _COLUMNS))
    hidden = ("NO_COLOR", "COLUMNS", "LINES")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        [sys.executable, *command[1:]],
        stdin=inside, stdout=inside, stderr=inside, env=environment, cwd=folder,
    )  # fmt: skip
    os.close(inside)
    return process, terminal


def _frames(terminal: int) -> Iterator[str]:
    """Yield each picture that a live view has drawn, whole, as it is wiped for the next."""
    text = ""
    while True:
        try:
            text += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # its last process has ended
            return
        *whole, text = _REDRAWN.split(text)
        yield from (frame.replace("\r\n", "\n").strip("\n") for frame in whole)
