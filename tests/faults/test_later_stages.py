"""What comes after the search, killed in its middle through the real commands and real Ray."""

import json
import pickle

import numpy as np
import pytest
import torch

import fakes
from search.study.contest import planned, terms_of
from search.study.dataset import load_dataset
from search.study.folder import StudyFolder, opened
from search.study.space import load_study
from seresnet.run import read_results, run

pytestmark = [pytest.mark.ray, pytest.mark.faults]


def of_two_trials(search, study, sections=""):
    """A study whose recipe is better than its baseline, made without training; and its images."""
    file = search.root / "faulty.yaml"
    file.write_text(study.replace("confirm: {top: 0}\n", sections))
    folder, config = StudyFolder(search.folder), load_study(file)
    dataset = load_dataset(config.data, search.root)
    with opened(folder, config, dataset.report) as ledger:
        for value in (0.1, 0.2):
            fakes.run(ledger, *[value] * config.study.max_epochs)
        return folder, dataset, planned(ledger, terms_of(config))


def test_f26_a_confirmation_killed_outright_goes_on_and_keeps_what_was_done(search, study):
    sections = "confirm: {top: 1, seeds: [11, 12]}\nresources: {max_concurrent: 1}\n"
    folder, dataset, runs = of_two_trials(search, study, sections)
    process = search.start_command("search.confirm", search.folder)
    begun = folder.confirm / runs[1].name
    search.wait_for(lambda: (begun / "epochs.csv").exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    search.kill(process)
    assert not (begun / "metrics.json").exists()
    (first,) = folder.confirm.glob("*/metrics.json")
    made = first.stat().st_mtime_ns

    code, told = search.ended(search.start_command("search.confirm", search.folder))
    assert code == 0, told
    assert first.stat().st_mtime_ns == made
    values = [read_results(folder.confirm / each.name)[-1].val_accuracy for each in runs]
    entrants = json.loads(folder.confirmation.read_text())["entrants"]
    assert sorted(v for e in entrants for v in e["values"].values()) == sorted(values)
    places = {"folder": search.root / "whole", "device": torch.device("cpu"), "provenance": {}}
    *_, whole = run(runs[1].config, dataset.train, dataset.val, **places)
    assert values[1] == whole.val_accuracy


@pytest.mark.slow
def test_f26_an_ablation_killed_outright_goes_on_and_the_winner_can_be_handed_in(search, study):
    folder, dataset, _ = of_two_trials(search, study, "confirm: {top: 0}\n")
    flags = ("--seeds", "11", "12", "--epochs", "2")
    process = search.start_command("search.ablate", search.folder, *flags)
    search.wait_for(lambda: any(folder.ablate.glob("*/metrics.json")) or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    search.kill(process)
    assert not folder.ablation.exists()
    made = {path: path.stat().st_mtime_ns for path in folder.ablate.glob("*/metrics.json")}
    code, told = search.ended(search.start_command("search.ablate", search.folder, *flags))
    assert code == 0, told
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert json.loads(folder.ablation.read_text())["trial"] == "t0001"

    code, told = search.ended(search.start_command("search.retrain", search.folder))
    assert code == 0, told
    images = dataset.val.images.permute(0, 2, 3, 1).numpy()
    content = {b"data": images, b"ids": np.arange(len(images))}
    (search.root / "second.pkl").write_bytes(pickle.dumps(content))
    test = ("--test", str(search.root / "second.pkl"))
    code, told = search.ended(search.start_command("search.submit", search.folder, *test))
    assert code == 0, told
    assert len((search.folder / "submission-second.csv").read_text().splitlines()) == 257
