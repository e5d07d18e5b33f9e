"""`search.tune` with a trial that takes memory until its node has none: run as a script."""

import sys

import ray.tune

import search.engine.trial
from search import tune
from search.engine.messages import EpochMessage
from search.study.records import Host
from seresnet.epoch import EpochResult


def hungry(config):
    """Take memory in trial 1, until Ray ends this process; report one value in any other."""
    hoard = []
    while config["number"] == 1:
        hoard.append(bytearray(64 * 2**20))
    host = Host(node="here", device="cpu", dtype="float32", threads=1)
    for epoch in range(config["epochs_stored"] + 1, 7):
        result = EpochResult(
            epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, val_accuracy_raw=0.5,
            lr=0.1, seconds=1.0, images_per_second=1.0,
        )  # fmt: skip
        ray.tune.report(EpochMessage(result, host, config["attempt"]).as_report())


search.engine.trial.trainable = lambda *_: hungry
sys.exit(tune.main())
