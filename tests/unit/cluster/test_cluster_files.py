"""The files in cluster/: their schemas, and the Slurm script with stand-ins for Slurm itself."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

CLUSTER = Path(__file__).parents[3] / "cluster"
SLURM = CLUSTER / "slurm.sh"


def read(name):
    return yaml.safe_load((CLUSTER / name).read_text())


def test_ray_accepts_the_machines_file():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(read("ray-cluster.yaml"))
    validate_config(config)
    assert config["provider"]["type"] == "local"
    assert config["max_workers"] == len(config["provider"]["worker_ips"])


def test_every_ray_of_the_machines_file_asks_for_the_token():
    config = read("ray-cluster.yaml")
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        (start,) = [command for command in config[key] if "ray start" in command]
        assert "RAY_AUTH_MODE=token" in start


def test_the_kubernetes_job_shares_one_folder_and_runs_our_command():
    job = read("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for pod in (pod["template"]["spec"] for pod in pods):
        claims = [volume.get("persistentVolumeClaim") for volume in pod["volumes"]]
        assert {"claimName": "search-shared"} in claims
        mounts = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
        assert "/shared" in mounts
    assert spec["entrypoint"].startswith("python -m search.tune --address auto --space /shared/")


@pytest.mark.parametrize("name", ["ray-cluster.yaml", "rayjob.yaml", "slurm.sh"])
def test_a_file_begins_with_its_command_and_what_is_shared(name):
    lines = (CLUSTER / name).read_text().splitlines()
    top = "\n".join(line for line in lines[:24] if line.startswith("#"))
    command = {"r": r"ray up|kubectl apply", "s": r"sbatch"}[name[0]]
    assert re.search(rf"({command}) .*cluster/{re.escape(name)}", top)
    assert re.search(r"shared|every\n# node sees", top)


def test_the_flags_in_the_files_exist():
    from search.tune import _parser

    known = set(_parser().format_help().replace(",", " ").replace("]", " ").split())
    for name in ("ray-cluster.yaml", "rayjob.yaml", "slurm.sh"):
        for line in (CLUSTER / name).read_text().splitlines():
            if "--space" in line or "--data " in line:
                after = line.partition("slurm.sh")[2] or line.partition("search.tune")[2] or line
                assert set(re.findall(r"--[a-z-]+", after)) <= known, line


def test_the_slurm_script_is_sound_shell():
    subprocess.run(["bash", "-n", SLURM], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", SLURM], check=True)


STANDINS = {
    "scontrol": '[[ $1 != show ]] || exec printf "node1\\nnode2\\n"; echo "$@" >>"$SEEN/scontrol"',
    "getent": "echo 10.0.0.1 STREAM node1",
    "srun": 'stat -c %a "$RAY_AUTH_TOKEN_PATH" >>"$SEEN/mode"; env >>"$SEEN/raylet-env"; '
    'echo "$@" >>"$SEEN/srun"; exec sleep 60',
    "python": """
if [[ $1 == - ]]; then exit 0; fi
echo "$@" >"$SEEN/driver"
trap 'echo USR1 >>"$SEEN/signals"; sleep 0.3; exit "${SAVED:-143}"' USR1
trap 'echo TERM >>"$SEEN/signals"; sleep 0.3; exit 143' TERM
touch "$SEEN/ready"
for _ in {1..200}; do [[ -e $SEEN/end ]] && exit "$(<"$SEEN/end")"; sleep 0.05; done
""",
}


@pytest.fixture
def job(tmp_path):
    """A function that starts the script as Slurm would; `SEEN` holds what its commands saw."""
    tools, seen, work = (tmp_path / name for name in ("tools", "seen", "work"))
    for folder in (tools, seen, work):
        folder.mkdir()
    for name, body in STANDINS.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n")
        (tools / name).chmod(0o755)
    processes = []

    def start(**environment):
        process = subprocess.Popen(
            ["bash", SLURM, "--space", "study.yaml", "--seed", "3"], cwd=work,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": f"{tools}:{os.environ['PATH']}", "SEEN": str(seen),
                 "SLURM_JOB_ID": "1234567", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "4",
                 "SLURM_JOB_NODELIST": "node[1-2]", "SEARCH_STORAGE_URL": "postgresql://secret",
                 **environment},
        )  # fmt: skip
        processes.append(process)
        until = time.monotonic() + 20
        while not (seen / "ready").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        return process

    start.seen, start.work = seen, work
    yield start
    for process in processes:
        process.kill()


def ended(process):
    output = process.communicate(timeout=20)
    return process.returncode, output


def test_slurm_starts_a_ray_over_all_nodes_behind_a_token_of_the_job(job):
    process = job()
    head, worker = sorted((job.seen / "srun").read_text().splitlines(), key=lambda s: "node2" in s)
    port = 20000 + 1234567 % 2500 * 4
    assert "--nodelist=node1 --cpus-per-task=4 ray start --block --num-cpus=4" in head
    assert f"--head --port={port}" in head
    assert "--nodelist=node2" in worker
    assert f"--address=10.0.0.1:{port}" in worker
    assert (job.seen / "mode").read_text().split() == ["600", "600"]
    assert "secret" not in (job.seen / "raylet-env").read_text()
    driver = (job.seen / "driver").read_text().strip()
    assert driver == (f"-m search.tune --address 10.0.0.1:{port} --space study.yaml --seed 3")
    (job.seen / "end").write_text("0")
    assert ended(process)[0] == 0
    assert not (job.seen / "scontrol").exists()
    assert not list(job.work.iterdir())  # the token is gone


def test_slurm_near_its_time_limit_the_search_is_told_saves_and_is_queued_again(job):
    process = job()
    process.send_signal(signal.SIGUSR1)
    code, _ = ended(process)
    assert code == 143
    assert (job.seen / "signals").read_text().split() == ["USR1"]
    assert (job.seen / "scontrol").read_text().strip() == "requeue 1234567"


def test_slurm_a_search_that_ended_by_itself_is_not_queued_again(job):
    process = job(SAVED="0")
    process.send_signal(signal.SIGUSR1)
    assert ended(process)[0] == 0
    assert not (job.seen / "scontrol").exists()


def test_slurm_a_cancelled_job_is_told_and_stays_ended(job):
    process = job()
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 143
    assert (job.seen / "signals").read_text().split() == ["TERM"]
    assert not (job.seen / "scontrol").exists()


def test_slurm_a_search_that_failed_ends_the_job_with_its_code(job):
    process = job()
    (job.seen / "end").write_text("3")
    assert ended(process)[0] == 3
    assert not (job.seen / "scontrol").exists()
