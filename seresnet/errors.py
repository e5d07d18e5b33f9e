"""Errors that a person can fix.

UserError
├── ConfigError       a setting is wrong
├── DataError         a data file is missing, damaged or of another kind
└── CheckpointError   a checkpoint is damaged or belongs to another run
"""


class UserError(Exception):
    """A problem with its remedy; a command prints both and ends with `exit_code`.

    Args:
        message: what is wrong, with file and key; one problem a line.
        hint: one action that mends it; may be empty.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(UserError):
    """A setting is unknown, missing, of the wrong type or out of range."""


class DataError(UserError):
    """A data file is missing, damaged or not what it claims to be."""


class CheckpointError(UserError):
    """A checkpoint is damaged, or was written by another run."""
