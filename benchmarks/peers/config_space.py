"""A study's space in ConfigSpace's terms, which SMAC3 and DEHB share."""

from ConfigSpace import ConfigurationSpace, Float, Integer

from search.study.space import StudyConfig


def config_space(config: StudyConfig) -> ConfigurationSpace:
    """Return the study's space."""
    return ConfigurationSpace(
        space={
            name: Integer(name, (int(d.low), int(d.high)), log=d.log)
            if config.is_integer(name)
            else Float(name, (d.low, d.high), log=d.log)
            for name, d in config.space.items()
        }
    )
