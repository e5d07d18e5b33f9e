"""Errors that a person can fix.

UserError
├── ConfigError         a setting is wrong
├── DataError           a data file is missing, damaged or of another kind
├── CheckpointError     a checkpoint cannot serve or belongs to another run
│   └── DamagedError    what a finished run left behind is not what it wrote
└── SystemRefusalError  the system refused a file: no space, no permission (exit 3)
"""

GO_ON_WITH_ROOM = "free space, or mend the permissions; then run the same command again"
"""What to do where the system refused a file."""


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

    def as_text(self) -> str:
        """Return what a person is shown: an `error:` line for each problem, then the hint."""
        lines = [f"error: {line}" for line in self.message.splitlines()]
        return "\n".join([*lines, f"hint: {self.hint}"] if self.hint else lines)


class ConfigError(UserError):
    """A setting is unknown, missing, of the wrong type or out of range."""


class DataError(UserError):
    """A data file is missing, damaged or not what it claims to be."""


class CheckpointError(UserError):
    """A checkpoint or model cannot serve, or was written by another run."""


class DamagedError(CheckpointError):
    """A finished run's file is not what the run wrote: nobody may go on with it."""


class SystemRefusalError(UserError):
    """The system refused to read or write a file: no space, no permission, a file in the way."""

    exit_code = 3

    def __init__(self, error: OSError) -> None:
        place = f"{error.filename}: " if error.filename else ""
        super().__init__(f"{place}{error.strerror or error}", GO_ON_WITH_ROOM)
