import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.study.names import check_name, did_you_mean, is_name
from seresnet.errors import ConfigError


@pytest.mark.parametrize("name", ["reg", "a", "v1.2_b-C", "0", "x" * 64])
def test_a_plain_name_is_accepted(name):
    assert check_name(name) == name
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    ["../x", "/abs", "a/b", "", ".", "..", "-x", "a b", "a\n", "a\x1b[31m", "\u202ea", "é", "a\\b",
     "x" * 65, "x" * 300, "a\0", "~", "$HOME", "a%2fb", "_x", "\uff11", "a\u200b", "*"],
    ids=ascii,
)  # fmt: skip
def test_a_name_that_could_leave_the_folder_or_deceive_is_refused(name):
    with pytest.raises(ConfigError, match=r"--name: must be 1 to 64 letters") as caught:
        check_name(name)
    assert caught.value.message.isprintable()
    assert "--name reg-2" in caught.value.hint


@given(st.text(max_size=70) | st.text("./\\-_aA0", max_size=8))
def test_a_name_that_is_accepted_stays_in_its_folder(tmp_path_factory, name):
    root = tmp_path_factory.getbasetemp()
    if is_name(name):
        assert (root / name).resolve().parent == root.resolve()
        assert name.isprintable()
        assert not name.startswith("-")


def test_the_nearest_choice_is_proposed():
    assert did_you_mean("droput", ["dropout", "lr"]) == ", did you mean dropout?"
    assert did_you_mean("zzz", ["dropout", "lr"]) == ""
