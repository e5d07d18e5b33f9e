"""Who carries the study out: Ray Tune, its workers and its adapters."""
