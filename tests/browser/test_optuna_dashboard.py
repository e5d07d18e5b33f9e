"""`optuna-dashboard` on a study that a driver writes to: seen through its pages and its API."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

import fakes
from fakes import CONFIG, HOST, IMAGES, result, run
from search.study.folder import StudyFolder, opened
from search.study.policies import with_budget
from seresnet.files import sha256_of

pytestmark = pytest.mark.browser
PATIENCE = 120  # seconds: a machine that trains besides may be slow
TRIALS = "studies/1?after=0"
STATES = {"COMPLETE": "Complete", "PRUNED": "Pruned", "FAIL": "Fail", "RUNNING": "Running"}


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "results" / "demo")


@contextlib.contextmanager
def dashboard(folder, log):
    """Its address, while it runs."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("optuna-dashboard"))]
    command += [f"sqlite:///{folder.database}", "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("w") as output,
        subprocess.Popen([*command, "--server", "wsgiref"], stderr=output) as server,
    ):
        try:
            ends_at = time.monotonic() + PATIENCE
            while server.poll() is None and time.monotonic() < ends_at:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@contextlib.contextmanager
def page(browser, address):
    """A page of Chromium that reaches the dashboard and nothing else; and what it asked for."""
    elsewhere = []

    def refuse(route):
        elsewhere.append(route.request.url)
        route.abort()

    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    try:
        context.route(lambda url: not url.startswith((address, "data:", "blob:")), refuse)
        context.set_default_timeout(1000 * PATIENCE)
        expect.set_options(timeout=1000 * PATIENCE)
        yield context.new_page(), elsewhere
    finally:
        context.close()


def api(address, path):
    with urllib.request.urlopen(f"{address}/api/{path}", timeout=PATIENCE) as answer:
        return json.load(answer)


def num_epochs(trial):
    return len(trial["intermediate_values"])


def is_up(trials, ledger):
    return [num_epochs(trial) for trial in trials] == [len(t.epochs) for t in ledger.trials]


def until(look, is_there):
    """What is seen once it is there: the dashboard keeps what it has read for two seconds."""
    ends_at = time.monotonic() + PATIENCE
    while not is_there(found := look()) and time.monotonic() < ends_at:
        time.sleep(0.05)
    return found


def seen(trial):
    """A trial as the API tells it: name, state, value, intermediate values, settings."""
    attributes = {each["key"]: each["value"] for each in trial["user_attrs"]}
    return {
        "name": json.loads(attributes["ask"])["name"],
        "state": trial["state"],
        "value": trial.get("values", [None])[0],
        "epochs": {each["step"]: each["value"] for each in trial["intermediate_values"]},
        "params": {each["name"]: float(each["param_external_value"]) for each in trial["params"]},
    }


def held(trial):
    """The same as the ledger holds it; Optuna gives a value to trials that are at their end."""
    return {
        "name": trial.name,
        "state": STATES[trial.state],
        "value": trial.value if trial.state in ("COMPLETE", "PRUNED") else None,
        "epochs": {epoch: each.val_accuracy for epoch, each in trial.epochs.items()},
        "params": trial.params,
    }


def test_it_reads_on_while_a_driver_writes_and_ends_with_what_the_study_holds(folder, tmp_path):
    looks, is_done = [], threading.Event()

    def look(address):
        while not is_done.is_set():
            looks.append(sum(map(num_epochs, api(address, TRIALS)["trials"])))

    with (
        opened(folder, with_budget(CONFIG, max_epochs=10_000), IMAGES) as ledger,
        dashboard(folder, tmp_path / "log") as address,
    ):
        reader = threading.Thread(target=look, args=(address,))
        reader.start()
        try:
            running = [ledger.suggest(), ledger.suggest()]
            while len(set(looks)) < 3:  # it asks the database every two seconds
                assert reader.is_alive()
                running = [each for each in running if fakes.report_next(ledger, each)]
                assert len(running) == 2
        finally:
            is_done.set()
            reader.join()
        assert looks == sorted(looks)  # it never saw less than before
        (study,) = api(address, "studies")["study_summaries"]
        assert study["study_name"] == "search"
        trials = until(lambda: api(address, TRIALS)["trials"], lambda trials: is_up(trials, ledger))
        assert [seen(trial) for trial in trials] == [held(trial) for trial in ledger.trials]
        assert [seen(trial)["name"] for trial in trials] == ["baseline", "bare"]


def test_its_pages_show_names_states_and_intermediate_values_and_fetch_nothing(
    folder, tmp_path, browser
):
    with (
        opened(folder, CONFIG, IMAGES) as ledger,
        dashboard(folder, tmp_path / "log") as address,
        page(browser, address) as (tab, elsewhere),
    ):
        run(ledger, 0.5, 0.55, 0.58, 0.6)
        run(ledger, 0.4, 0.45, 0.5, 0.52)
        run(ledger, 0.2)
        ledger.fail(run(ledger), kind="diverged", error="loss is nan")
        run(ledger, 0.7, 0.71)
        states = [trial.state for trial in ledger.trials]
        assert states == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "RUNNING"]
        before = sha256_of(folder.database)

        tab.goto(address)
        expect(tab.get_by_text("1. search")).to_be_visible()
        trials = f"{address}/dashboard/studies/1/trials"
        tab.goto(trials)
        body = tab.locator("body")
        for number, state in enumerate(states):
            listed = tab.get_by_role("button", name=f"Trial {number} {STATES[state]}")
            expect(listed).to_be_visible()
            if name := ledger.trials[number].name:
                listed.click()
                expect(body).to_contain_text(f'"name": "{name}"')
                for epoch, each in ledger.trials[number].epochs.items():
                    expect(body).to_contain_text(f"{epoch} {each.val_accuracy}")
        assert sha256_of(folder.database) == before  # to look is not to write

        ledger.report(4, result(3, 0.7625), HOST, attempt=1)
        until(lambda: api(address, TRIALS)["trials"], lambda trials: is_up(trials, ledger))
        tab.goto(f"{trials}?numbers=4")
        expect(body).to_contain_text("3 0.7625")
    assert elsewhere == []
