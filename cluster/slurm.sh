#!/usr/bin/env bash
# Runs a study on the nodes of one Slurm job, and goes on by itself when the job's time is over.
#
#   sbatch --nodes=4 --gpus-per-node=4 cluster/slurm.sh --space search_spaces/reg.yaml --data /shared/data
#
# What follows the script's name goes to `python -m search.tune`. Start it in a folder that every
# node sees: results/ lies there, and so does the job's token. Every node needs the same Python
# environment: activate it before sbatch, which hands the environment on. The study's database needs
# a place that outlives the job and is no network file system: see SEARCH_STORAGE_URL in
# docs/how-to/clusters.md.
#
#SBATCH --job-name=search
#SBATCH --output=search-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
set -euo pipefail

job="$SLURM_JOB_ID"
nodes="$SLURM_JOB_NUM_NODES"
mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head="${hosts[0]}"

# Four ports of this job's own, below those that the system gives out and beside Ray's workers'.
port=$((20000 + job % 2500 * 4))
address="$(getent ahostsv4 "$head" | awk '{ print $1; exit }'):$port"

# The token keeps others on the network out of this Ray: readable by its owner alone, for one job.
token="$PWD/.search-token-$job"
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$token"
export RAY_USAGE_STATS_ENABLED=0 RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9

steps=()
# shellcheck disable=SC2317 # a trap calls it
clear_up() {
    ((${#steps[@]} == 0)) || kill "${steps[@]}" 2>/dev/null || true
    rm -f "$token"
}
trap clear_up EXIT

raylet() { # host, options of `ray start`
    local host="$1"
    shift
    # The database's password is the driver's alone.
    env -u SEARCH_STORAGE_URL -u PGPASSWORD \
        srun --nodes=1 --ntasks=1 --nodelist="$host" \
        --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
        ray start --block --num-cpus="${SLURM_CPUS_PER_TASK:-1}" \
        --num-gpus="${SLURM_GPUS_ON_NODE:-0}" --dashboard-agent-listen-port=$((port + 1)) \
        --node-manager-port=$((port + 2)) --object-manager-port=$((port + 3)) \
        --min-worker-port=0 --max-worker-port=0 --temp-dir="/tmp/ray-$job" "$@" &
    steps+=("$!")
}

raylet "$head" --head --port="$port" --include-dashboard=false
for host in "${hosts[@]:1}"; do
    raylet "$host" --address="$address"
done
timeout 300 python - "$address" "$nodes" <<'END'
import logging, sys, time
import ray

ray.init(address=sys.argv[1], logging_level=logging.ERROR)
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
    time.sleep(1)
END

# USR1 comes 120 s before the time is over: the driver saves and leaves with 143. TERM comes from
# scancel or a preemption, which Slurm itself puts back into the queue if it shall go on.
requeue=no
is_interrupted=no
# shellcheck disable=SC2317 # a trap calls it
forward() {
    is_interrupted=yes
    kill -s "$1" "$driver" 2>/dev/null || true
}
trap 'requeue=yes; forward USR1' USR1
trap 'forward TERM' TERM

python -m search.tune --address "$address" "$@" &
driver=$!
while true; do
    is_interrupted=no
    code=0
    wait "$driver" || code=$?
    # `wait` also ends when a signal was forwarded, and the driver is still saving then.
    [[ $is_interrupted == yes ]] || break
done

if [[ $code == 143 && $requeue == yes ]]; then
    echo "saved; job $job goes back into the queue" >&2
    scontrol requeue "$job"
fi
exit "$code"
