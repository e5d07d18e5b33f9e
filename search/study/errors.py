"""Errors of a study that a person can fix, beside those of the core.

UserError (exit 2)
├── UnfinishedError          exit 1   the study ended without what was asked for
├── MachineError             exit 3   disk, lock, permissions, not enough GPUs
└── DamagedStudyError        exit 4   the study's files cannot be trusted
    └── ForeignVersionError  exit 4   the study is sound, but of another version
"""

from seresnet.errors import UserError

RECOVER = "the same command with --recover takes the last good backup"
"""What to do about a damaged study; not about one in a server, whose backups are its own."""


class UnfinishedError(UserError):
    """Finished without a completed trial, or could not finish."""

    exit_code = 1


class MachineError(UserError):
    """The machine lacks something: disk, permission, a free lock, enough CPUs or GPUs."""

    exit_code = 3


class DamagedStudyError(UserError):
    """The study on disk is damaged."""

    exit_code = 4


class ForeignVersionError(DamagedStudyError):
    """The study was written by another version: sound, so never replaced by a backup."""
