"""What is generated of the documentation is what the generator makes today."""

import pytest

from generate import PRODUCTS, ROOT, main


@pytest.mark.parametrize("path", PRODUCTS)
def test_committed_page_is_what_the_generator_makes(path):
    committed, made = (ROOT / path).read_text(), PRODUCTS[path]()
    assert committed == made, f"{path} is not what the code says; run `make docs`, and commit it"


def test_nothing_is_written_where_nothing_changed(capsys):
    main()
    assert capsys.readouterr().out == ""
