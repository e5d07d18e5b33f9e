"""Write what is generated of the documentation: `make docs`; a test holds it to the code."""

from collections.abc import Callable
from pathlib import Path

from generator.commands import commands_page
from generator.schema import study_schema
from generator.settings import study_file_page, train_config_page

ROOT = Path(__file__).parents[1]
PRODUCTS: dict[str, Callable[[], str]] = {
    "docs/reference/commands.md": commands_page,
    "docs/reference/study-file.md": study_file_page,
    "docs/reference/train-config.md": train_config_page,
    "search_spaces/study.schema.json": study_schema,
}
"""Path to what makes its text."""


def main() -> None:
    """Write every product and name those that changed."""
    for path, make in PRODUCTS.items():
        file, text = ROOT / path, make()
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            print(path)


if __name__ == "__main__":
    main()
