"""One test a row of docs/reliability.md, through the real command and real Ray.

CI runs one of each kind; all of them: `pytest -m faults`.
"""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from search.interrupts import DEADLINE_SECONDS
from search.results import read_trials

pytestmark = [pytest.mark.ray, pytest.mark.faults]


def test_f03_a_killed_worker_is_replaced_and_its_trial_goes_on(search, undisturbed):
    process = search.start()
    search.await_epochs(process, 3)
    (worker,) = search.workers_of(process)
    os.kill(worker, signal.SIGKILL)
    code, told = search.ended(process)
    assert code == 0, told
    assert "its worker died after epoch" in told
    assert sorted(read_trials(search.folder)["attempts"]) == [1, 1, 1, 2]
    search.assert_as(undisturbed)


@pytest.mark.slow
def test_f11_a_damaged_checkpoint_is_passed_over_and_said_so(search, undisturbed):
    process = search.start()
    search.await_epochs(process, 4)
    search.kill(process)
    newest = max(search.folder.glob("checkpoints/*/epoch-*.pt"), key=lambda p: p.name)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    code, told = search.run("--verbose")
    assert code == 0, told
    assert "is damaged" in told
    search.assert_as(undisturbed)


@pytest.mark.slow
def test_f13_a_second_driver_is_turned_away_and_harms_nothing(search, undisturbed):
    first = search.start()
    search.await_epochs(first, 1)
    code, told = search.run()
    assert code == 3
    assert f"the study is in use by process {first.pid} on " in told
    assert search.ended(first)[0] == 0
    search.assert_as(undisturbed)


@pytest.mark.parametrize("to", [pytest.param("driver", marks=pytest.mark.slow), "group"])
def test_f15_sigterm_ends_in_time_and_the_same_command_goes_on(search, undisturbed, to):
    process = search.start()
    search.await_epochs(process, 3)
    started = time.monotonic()
    if to == "group":
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.send_signal(signal.SIGTERM)
    code, told = search.ended(process)
    assert code == 143, told
    assert time.monotonic() - started < DEADLINE_SECONDS + 5
    assert "to go on: python -m search.tune" in told
    assert search.run()[0] == 0
    search.assert_as(undisturbed)


def epochs_trained(log):
    """Return the trial and number of each epoch trained to its end, all starts in a row."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(trial, epoch) for name, trial, epoch, *_ in lines if name == "epoch-trained"]


@pytest.mark.slow
def test_f14_ctrl_c_in_a_terminal_lets_the_running_epoch_end(search, undisturbed):
    log = search.root / "failpoints.log"
    process = search.start(SEARCH_FAILPOINT_LOG=str(log))
    search.await_epochs(process, 3)
    os.killpg(process.pid, signal.SIGINT)
    code, told = search.ended(process)
    assert (code, "to go on: python -m search.tune" in told) == (130, True), told
    assert set(read_trials(search.folder)["state"]) <= {"RUNNING", "COMPLETE", "PRUNED"}
    assert search.run(SEARCH_FAILPOINT_LOG=str(log))[0] == 0
    search.assert_as(undisturbed)
    trained = epochs_trained(log)
    assert sorted(trained) == sorted(set(trained))
    assert len(trained) == len(undisturbed[1])


@pytest.mark.slow
def test_f20_and_f19_hung_trials_fail_with_their_place_and_too_many_end_the_search(search, study):
    resources = "resources: {epoch_timeout: 0.01}\n"
    hung = study.replace("num_trials: 4", "num_trials: 6, max_failed: 2") + resources
    (search.root / "faulty.yaml").write_text(hung)
    code, told = search.run()
    assert code == 1
    assert "too many failures: 2 trials failed, " in told
    trials = read_trials(search.folder)
    assert list(trials["error_kind"]) == ["timeout", "timeout"]
    assert trials["error"].str.contains(r"resources\.epoch_timeout, in \w+\.py:\d+").all()


@pytest.mark.slow
def test_f25_where_every_trial_fails_the_table_says_why(search, study):
    (search.root / "faulty.yaml").write_text(
        study.replace("precision: fp32", "precision: fp32, lr: 1e30")
    )
    code, told = search.run()
    assert code == 1
    assert "no trial of 4 is complete, so there is nothing to retrain: diverged" in told
    trials = read_trials(search.folder)
    assert set(trials["state"]) == {"FAIL"}
    assert set(trials["error_kind"]) == {"diverged"}


@pytest.fixture
def small_disk(search):
    """The search's folder on a file system of its own, of 80 MB."""
    place = search.root / "results"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(place)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    # Lazily: workers live for seconds beyond their driver, and hold files open there.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place, *, left):
    """Take all the space there is but so many bytes; return the file that holds it."""
    filler = place / "filler"
    disk = os.statvfs(place)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - left)
    return filler


@pytest.mark.slow
def test_f05_without_room_for_checkpoints_a_search_does_not_begin(search, small_disk):
    (small_disk / "filler").write_bytes(bytes(30_000_000))
    code, told = search.run()
    assert code == 3
    assert "not enough space in " in told
    assert "MB needed" in told


def test_f05_a_disk_that_fills_up_costs_no_trial(search, small_disk, undisturbed):
    process = search.start()
    search.await_epochs(process, 2)
    size = max(path.stat().st_size for path in search.folder.glob("checkpoints/*/epoch-*.pt"))
    filler = fill(small_disk, left=size // 3)  # the next checkpoint fails in its middle
    code, told = search.ended(process)
    assert code == 3, told
    assert re.search(r"epoch-\d+\.pt\S*: No space left on device", told), told
    assert "hint: free space" in told
    filler.unlink()
    assert search.run()[0] == 0
    search.assert_as(undisturbed)


@pytest.mark.slow
def test_f01_a_driver_killed_outright_is_taken_up_where_it_was(search, undisturbed):
    process = search.start()
    search.await_epochs(process, 5)
    orphans = search.workers_of(process)
    search.kill(process)
    assert search.run()[0] == 0  # beside the orphans, which outlive their driver by seconds
    search.wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    search.assert_as(undisturbed)


def memory_in_use():
    """Return the share of the machine's memory that is taken, in [0, 1], and its size in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return 1 - sizes["MemAvailable"] / sizes["MemTotal"], sizes["MemTotal"]


@pytest.mark.slow
def test_f10_a_trial_that_exhausts_its_node_fails_and_the_others_go_on(search, study):
    used, size = memory_in_use()
    limit = used + 3 * 2**30 / size
    if limit > 0.9:
        pytest.skip("too little memory is free to take some of it")
    (search.root / "faulty.yaml").write_text(study)
    search.options = ("--no-retrain",)
    script = str(Path(__file__).with_name("hog.py"))
    environment = {
        "RAY_memory_usage_threshold": f"{limit:.3f}", "RAY_memory_monitor_refresh_ms": "100",
    }  # fmt: skip
    code, told = search.ended(search.start(script=script, **environment))
    assert code == 0, told
    assert "a node ran out of memory" in told
    assert "going on with 1 at once" in told
    trials = read_trials(search.folder)
    assert list(trials["error_kind"]) == ["", "host-memory", "", ""]
    assert trials.loc[0, "epochs"] == 6
