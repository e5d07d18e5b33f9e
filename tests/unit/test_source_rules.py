"""What no line of the two packages may do with files that others wrote, or that others read."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    path for package in ("seresnet", "search") for path in sorted((ROOT / package).rglob("*.py"))
]

UNSAFE = {
    "pickle.load", "pickle.loads", "cPickle.load", "cPickle.loads", "cloudpickle.load",
    "cloudpickle.loads", "dill.load", "dill.loads", "joblib.load", "marshal.load", "marshal.loads",
    "shelve.open", "pandas.read_pickle", "pd.read_pickle", "yaml.load", "yaml.load_all",
    "yaml.full_load", "yaml.unsafe_load", "torch.jit.load", "torch.hub.load", "eval", "exec",
    "os.system", "os.popen",
}  # fmt: skip
YAML_CLASSES = {"SafeLoader", "SafeDumper"}


def keyword(node, name):
    """The value of a keyword as a constant; none where it is absent."""
    given = [each.value for each in node.keywords if each.arg == name]
    return ast.literal_eval(given[0]) if given else None


# Calls that are safe with one keyword alone.
NEEDED = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "json.dump": ("allow_nan", False),
    "json.dumps": ("allow_nan", False),
}


def bad_call(node):
    """What is wrong with a call, or nothing."""
    name = ast.unparse(node.func)
    if name in UNSAFE:
        return name
    if name in NEEDED and keyword(node, NEEDED[name][0]) is not NEEDED[name][1]:
        return f"{name} without {NEEDED[name][0]}={NEEDED[name][1]}"
    if name.endswith("to_html"):
        return f"{name}, which does not always escape"
    return "a shell" if keyword(node, "shell") else ""


def bad_import(node):
    """What is wrong with an import, or nothing: a bare `load` would escape the other rules."""
    is_bare = node.module in ("pickle", "yaml", "json", "torch")
    names = {each.name for each in node.names} & {"load", "loads", "dump", "dumps", "unsafe_load"}
    return f"from {node.module} import {', '.join(sorted(names))}" if is_bare and names else ""


def bad_attribute(node):
    """What is wrong with a name such as `yaml.FullLoader`, or nothing."""
    is_class = ast.unparse(node.value) == "yaml" and node.attr.endswith(("Loader", "Dumper"))
    return f"yaml.{node.attr}" if is_class and node.attr not in YAML_CLASSES else ""


RULES = {ast.Call: bad_call, ast.ImportFrom: bad_import, ast.Attribute: bad_attribute}


def offences(text):
    """Each rule broken by a module, with its line."""
    nodes = [node for node in ast.walk(ast.parse(text)) if type(node) in RULES]
    found = [(node.lineno, RULES[type(node)](node)) for node in nodes]
    return [f"{line}: {what}" for line, what in found if what]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_read_by_what_runs_code_and_no_json_holds_nan(path):
    assert offences(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "pickle.load(file)", "pickle.loads(text)", "from pickle import load", "yaml.load(text)",
        "yaml.load(text, Loader=yaml.SafeLoader)", "class L(yaml.FullLoader): pass",
        "yaml.unsafe_load(text)", "torch.load(path)", "torch.load(path, weights_only=False)",
        "np.load(path)", "np.load(path, allow_pickle=True)", "json.dumps(value)",
        "json.dump(value, file, allow_nan=True)", "from json import dumps", "frame.to_html()",
        "subprocess.run(text, shell=True)",
    ],
)  # fmt: skip
def test_the_rules_find_what_they_forbid(text):
    assert offences(f"x = 1\n{text}\n")[0].startswith("2: ")


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(path, weights_only=True)", "json.dumps(value, allow_nan=False)",
        "np.load(path, allow_pickle=False)", "class L(yaml.SafeLoader): pass", "json.loads(text)",
        "class U(pickle.Unpickler): pass",
    ],
)  # fmt: skip
def test_the_rules_allow_what_is_safe(text):
    assert offences(text) == []
