import pytest

from search.study.names import check_name, did_you_mean, is_name
from seresnet.errors import ConfigError


@pytest.mark.parametrize("name", ["reg", "a", "v1.2_b-C", "0", "x" * 64])
def test_a_plain_name_is_accepted(name):
    assert check_name(name) == name
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    ["../x", "/abs", "a/b", "", ".", "..", "-x", "a b", "a\n", "a\x1b[31m", "\u202ea", "é", "a\\b",
     "x" * 65, "x" * 300],
    ids=ascii,
)  # fmt: skip
def test_a_name_that_could_leave_the_folder_or_deceive_is_refused(name):
    with pytest.raises(ConfigError, match=r"--name: must be 1 to 64 letters") as caught:
        check_name(name)
    assert caught.value.message.isprintable()
    assert "--name reg-2" in caught.value.hint


def test_the_nearest_choice_is_proposed():
    assert did_you_mean("droput", ["dropout", "lr"]) == ", did you mean dropout?"
    assert did_you_mean("zzz", ["dropout", "lr"]) == ""
