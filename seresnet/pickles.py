"""Pickled data files, read without running what they say."""

import io
import pickle
import pickletools
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seresnet.errors import DataError

MAX_BYTES = 64 * 2**20
"""Largest file that is opened; bytes. CIFAR-10's batches and the competition's file have 31 MB."""
MAX_MEMO = 1_000_000
"""Largest memo index; entries. The unpickler allocates up to the index; a batch needs 20,000."""
MAX_OPCODES = 2_000_000
"""Most instructions; one byte of them can make a list of 56. A batch has 50,000."""

_NUMBERS = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
_ORDERS = {"|": "=", "=": "=", "<": "<", ">": ">"}

# Exceptions that a damaged or hostile pickle raises: the unpickler promises no common base class.
_UNREADABLE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    SystemError,
    TypeError,
    ValueError,
)


class RefusedError(pickle.UnpicklingError):
    """The pickle asks for something that a file of plain numbers has no need of."""


class _Dtype:
    """Stand-in for `numpy.dtype`: a number type and its byte order, nothing else."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, *_align_and_copy: object) -> None:
        self.code, self.order = _text(code), "="

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = _text(state[1])

    def resolve(self) -> np.dtype[np.generic]:
        """Return the NumPy type; objects, text, records and sub-arrays are refused."""
        if self.code not in _NUMBERS:
            raise RefusedError(f"refused an array of dtype {self.code[:40]!r}")
        if self.order not in _ORDERS:
            raise RefusedError(f"refused byte order {self.order[:40]!r}")
        return np.dtype(_ORDERS[self.order] + self.code)


class _Array:
    """Stand-in for `numpy.ndarray`: an array appears only once its bytes are there and fit.

    NumPy's own state setter never sees the file, and `ndarray((2**20, 4096))`, 4 GB from a pickle
    of 40 bytes, has nothing to call.
    """

    __slots__ = ("value",)

    def __init__(self, *_type_shape_dtype: object) -> None:
        self.value: npt.NDArray[np.generic] | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, shape, dtype, is_fortran, buffer = state
        self.value = _frombuffer(buffer, dtype, shape, "F" if is_fortran else "C").value


class _Allowed:
    """A permitted callable, made anew for each file: a pickle may try to set attributes on it."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *arguments: object) -> object:
        return self._call(*arguments)


def _text(value: object) -> str:
    """Return text that may come as bytes, as it does from Python 2."""
    if isinstance(value, bytes):
        return value.decode("ascii")
    if not isinstance(value, str):
        raise RefusedError(f"refused a dtype made of {type(value).__name__}")
    return value


def _frombuffer(
    buffer: object, dtype: object, shape: object, order: object, axes: object = None
) -> _Array:
    """Return the array that `buffer` holds; its bytes are shared, not copied.

    Args:
        buffer: the numbers, as bytes.
        dtype: their type.
        shape: sides of the array, in the order in which the bytes run through them.
        order: C, F, or K with `axes`: how NumPy 2.3 and later write a transposed array.
        axes: the permutation that K asks for.
    """
    if not isinstance(dtype, _Dtype):
        raise RefusedError("refused an array without a dtype")
    number = dtype.resolve()
    if not isinstance(buffer, bytes | bytearray):
        raise RefusedError("refused an array whose contents are not plain bytes")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise RefusedError(f"refused an array of shape {str(shape)[:40]}")
    array = _Array()
    array.value = np.frombuffer(buffer, number).reshape(shape, order="F" if order == "F" else "C")
    if order == "K" and isinstance(axes, tuple):
        array.value = array.value.transpose(axes)
    return array


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """Return the bytes that protocols 0 to 2 write as latin-1 text; other codecs can inflate."""
    if not isinstance(text, str) or _text(encoding) not in ("latin1", "latin-1", "iso-8859-1"):
        raise RefusedError(f"refused the codec {str(encoding)[:40]}")
    return text.encode("latin1")


def _not_callable(*_arguments: object) -> object:
    raise RefusedError("refused an array without contents")


_GLOBALS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("numpy", "ndarray"): _not_callable,  # only ever an argument of _reconstruct
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    """Reads numbers, text and NumPy arrays; every other global is refused before it is imported."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        call = _GLOBALS.get((module_name, global_name))
        if call is None:
            raise RefusedError(f"refused to load global {module_name}.{global_name}")
        return _Allowed(call)


def load_pickle(path: Path) -> dict[str, object]:
    """Return the dictionary that `path` holds, with text keys; nothing in the file is executed.

    Args:
        path: a pickle of any protocol, Python 2's included, of at most `MAX_BYTES`.

    Returns:
        Values as pickled: numbers, bytes, text, lists; arrays are read-only where they share the
        file's bytes, and hold integers, floats or booleans only.

    Raises:
        DataError: if the file cannot be read, is no pickle, is damaged, too large, not a
            dictionary, or asks for any global beyond those that NumPy arrays need.
    """
    try:
        content = _read(path)
        with warnings.catch_warnings():
            # An unknown escape sequence in a text only warns, and the warning names no file.
            warnings.simplefilter("ignore", DeprecationWarning)
            _check_opcodes(content)
            loaded = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(loaded, dict):
            raise RefusedError(f"a dictionary is expected, got {type(loaded).__name__}")
        return {_key(key): _value(value) for key, value in loaded.items()}
    except _UNREADABLE as error:
        hint = "fetch the file again: it is damaged or not a CIFAR-10 pickle"
        if isinstance(error, RefusedError):
            hint = "use the file from its original source: this one is not plain CIFAR-10 data"
        elif isinstance(error, OSError):
            hint = "check that the path is a file and that you may read it"
        raise DataError(f"{path}: cannot read this pickle: {_reason(error)}", hint=hint) from error


def _read(path: Path) -> bytes:
    """Return the whole file, refusing what is no regular file: opening a pipe would wait."""
    if path.exists() and not path.is_file():
        raise RefusedError("not a regular file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RefusedError(f"larger than {MAX_BYTES // 2**20} MB")
    return content


def _check_opcodes(content: bytes) -> None:
    """Walk the opcodes without executing them, since some cost memory as soon as they run.

    A length beyond the end of the file, a huge memo index and more instructions than data needs are
    found here; 50 ms a batch.
    """
    for number, (opcode, argument, _position) in enumerate(pickletools.genops(content)):
        if number >= MAX_OPCODES:
            raise RefusedError(f"refused more than {MAX_OPCODES} instructions")
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > MAX_MEMO:
            raise RefusedError(f"refused memo index {argument}")


def _key(key: object) -> str:
    if isinstance(key, bytes):
        return key.decode("utf-8")
    if not isinstance(key, str):
        raise RefusedError(f"keys must be text, got {type(key).__name__}")
    return key


def _value(value: object) -> object:
    if not isinstance(value, _Array):
        return value
    if value.value is None:
        raise RefusedError("refused an array without contents")
    return value.value


def _reason(error: BaseException) -> str:
    """Return one line for `error`; some come without any text."""
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
