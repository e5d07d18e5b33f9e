"""Distributed hyperparameter search: Ray Tune carries out what an Optuna study on disk decides."""
