"""What every peer is given of a study, in plain Python."""

from collections.abc import Mapping

from search.study.space import StudyConfig


def as_params(config: StudyConfig, values: Mapping[str, float]) -> dict[str, float]:
    """Return settings of the study's space, whole numbers where they are such.

    Args:
        config: the study's.
        values: by name, of whatever numeric types; others than the space's are left out.
    """
    return {
        name: int(values[name]) if config.is_integer(name) else float(values[name])
        for name in config.space
    }


def baseline(config: StudyConfig) -> dict[str, float]:
    """Return the setting that is to be tried first."""
    return as_params(config, config.baseline)
