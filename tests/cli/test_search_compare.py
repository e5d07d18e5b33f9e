"""`search.report --compare` as a command, on made-up studies."""

import shutil

import pytest
import studies

from search import report


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two studies that differ in their number of trials."""
    root = tmp_path_factory.mktemp("results")
    one = studies.single(root / "one")
    return one, studies.running(root / "two")


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compare(*folders, flags=()):
    return report.main(["--compare", *(str(each) for each in folders), *flags])


def test_the_page_lies_here_its_path_is_told_and_the_studies_are_left_alone(
    folders, workplace, capsys
):
    paths = [folder.path for folder in folders]
    before = {p: p.read_bytes() for path in paths for p in path.iterdir()}
    assert compare(*paths) == 0
    assert capsys.readouterr() == ("compare.html\n", "")
    page = (workplace / "compare.html").read_text()
    assert "<title>one beside two</title>" in page
    assert {p: p.read_bytes() for path in paths for p in path.iterdir()} == before


def test_the_page_goes_where_it_is_told(folders, workplace, capsys):
    out = workplace / "pages" / "mine.html"
    assert compare(*(f.path for f in folders), flags=["--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert out.is_file()


def test_one_study_is_too_few(folders, capsys):
    assert compare(folders[0].path) == 2
    told = capsys.readouterr().err
    assert "error: --compare: must name two studies at least, got one\nhint: name another" in told


def test_a_name_that_repeats_is_refused_with_both_folders(folders, workplace, capsys):
    one = folders[0].path
    shutil.copytree(one, workplace / "elsewhere" / "one")
    for other in (one, workplace / "elsewhere" / "one"):
        assert compare(one, other) == 2
        told = capsys.readouterr().err
        assert f"--compare: names must differ, {one} and {other} are both called one" in told
        assert "\nhint: name a study once; of two with one name, move one" in told


def test_a_folder_without_a_study_is_named(folders, workplace, capsys):
    assert compare(folders[0].path, workplace / "none") == 2
    told = capsys.readouterr().err
    assert f"{workplace / 'none'}: holds no study" in told
    assert "\nhint: " in told
    assert not (workplace / "compare.html").exists()


def test_no_other_file_is_overwritten(folders, capsys):
    database = folders[0].database
    before = database.read_bytes()
    assert compare(*(f.path for f in folders), flags=["--out", str(database)]) == 2
    assert "--out: must end in .html, got" in capsys.readouterr().err
    assert database.read_bytes() == before


def test_out_is_of_several_studies_alone(folders, capsys):
    assert report.main(["--study", str(folders[0].path), "--out", "x.html"]) == 2
    assert "error: --out: must go with --compare" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["--study", "a", "--compare", "b", "c"], ["--compare"]])
def test_one_of_the_two_is_asked_for(argv):
    with pytest.raises(SystemExit) as caught:
        report.main(argv)
    assert caught.value.code == 2
