#!/usr/bin/env bash
# Runs examples/slurm on its own Slurm daemons and compares the merged result with a sweep without shards.
#
# Slurm and MUNGE come from Debian (apt-get, with sudo only if needed). The daemons run in their own network and process
# namespaces: they see only the loopback network, touch no other Slurm, and end with this script.
set -euo pipefail
cd "$(dirname "$0")/.."

vitpatch=$(realpath "${VITPATCH:-.build/release/vitpatch}")
sweep=(--limit 40 --corruption noise:1)
fail() { echo "slurm-test: FAILED: $*" >&2; exit 1; }

if [ "${1:-}" != inside ]; then
    [ -x "$vitpatch" ] || fail "$vitpatch is not there; make build"
    missing=
    for tool in slurmctld:slurm-wlm munged:munge ip:iproute2 unshare:util-linux; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" > /dev/null || missing="$missing ${tool##*:}"
    done
    if [ -n "$missing" ]; then
        sudo=
        [ "$(id -u)" = 0 ] || sudo=sudo
        echo "slurm-test: installing$missing"
        $sudo apt-get update -q > /dev/null
        # shellcheck disable=SC2086
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing > /dev/null ||
            fail "apt-get could not install$missing"
    fi
    # MUNGE wants its socket where only root and the owner can replace it, hence the umask.
    umask 022
    work=$(mktemp -d)
    chmod 755 "$work"
    trap 'rm -rf "$work"' EXIT
    user=
    [ "$(id -u)" = 0 ] || user="--user --map-root-user"
    status=0
    # shellcheck disable=SC2086
    VITPATCH=$vitpatch unshare $user --net --pid --mount --uts --fork --kill-child --mount-proc \
        "$0" inside "$work" || status=$?
    [ "$status" = 0 ] || { echo "slurm-test: FAILED"; exit 1; }
    echo "slurm-test: PASSED: $(cat "$work/result")"
    exit 0
fi

# From here on this is process 1 of the namespaces; its end ends every daemon and job.
work=$2 log=$2/log
PATH=$PATH:/usr/sbin:/sbin
mkdir "$work/log" "$work/state" "$work/spool" "$work/munge" "$work/jobs"
ip link set lo up
# getaddrinfo with AI_ADDRCONFIG, which Slurm uses, treats 127.0.0.1 alone as no network.
ip address add 127.0.0.2/8 dev lo
hostname localhost
show() { tail -n 15 "$log"/* "$work"/jobs/*.log >&2 2> /dev/null || true; }
trap '[ $? = 0 ] || show' EXIT

head -c 1024 /dev/urandom > "$work/munge/key"
chmod 600 "$work/munge/key"
munged --foreground --socket="$work/munge/socket" --key-file="$work/munge/key" --pid-file="$work/munge/pid" \
    --seed-file="$work/munge/seed" --log-file="$log/munged" > "$log/munged.out" 2>&1 &

cat > "$work/slurm.conf" << EOF
ClusterName=vitpatch
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$log/slurmctld
SlurmdLogFile=$log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=localhost NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
export SLURM_CONF=$work/slurm.conf

wait_for() {  # seconds, what, command...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what"
        sleep 0.2
    done
}
encode() { munge -S "$work/munge/socket" -n; }
wait_for 20 "munged does not answer" encode
slurmctld -D > "$log/slurmctld.out" 2>&1 &
wait_for 30 "slurmctld does not answer" scontrol ping
slurmd -D > "$log/slurmd.out" 2>&1 &
idle() { [ "$(sinfo -h -o %T)" = idle ]; }
wait_for 60 "the node does not become idle" idle

echo "slurm-test: $(sinfo --version) on $(sinfo -h -o '%N %T'), loopback only"
repository=$PWD
cd "$work/jobs"
export VITPATCH NO_COLOR=1
"$VITPATCH" sweep "${sweep[@]}" --out "$work/whole" > "$log/whole" 2>&1 || fail "the sweep without shards ended with $?"

# One CPU per task, so that all four run at once.
SBATCH_CPUS_PER_TASK=1
export SBATCH_CPUS_PER_TASK
submit() {
    sh "$repository/examples/slurm/submit.sh" "$@"
}
submitted=$(submit "${sweep[@]}") || fail "submit.sh ended with $?"
echo "slurm-test: $submitted"
job=$(echo "$submitted" | sed 's/array job \([0-9]*\),.*/\1/')
none_left() { [ -z "$(squeue -h)" ]; }
wait_for 300 "the jobs did not end: $(squeue -h)" none_left

for task in 0 1 2 3; do
    grep -qx "shard $task/4 from the Slurm job array" "vitpatch-${job}_$task.log" || fail "task $task does not name its shard"
done
[ -e "runs/$job/merged/results.sqlite" ] || fail "no merged result"
"$VITPATCH" export "$work/whole" --format csv --to "$work/whole.csv"
"$VITPATCH" export "runs/$job/merged" --format csv --to "$work/merged.csv"
cmp "$work/whole.csv" "$work/merged.csv" || fail "the merged export differs from the sweep without shards"

# A requeued task resumes where it stopped, and so does its shard without the array.
scontrol requeue "${job}_2"
wait_for 300 "the requeued task did not end" none_left
grep -qx "10 of 10 images are done already." "vitpatch-${job}_2.log" || fail "the requeued task did not resume"
[ "$(grep -cx "shard 2/4 from the Slurm job array" "vitpatch-${job}_2.log")" = 2 ] || fail "the requeued task has another shard"
sbatch --wait --output=wrap.log \
    --wrap "$VITPATCH sweep ${sweep[*]} --shard 2/4 --out runs/$job/2 --resume" > /dev/null || fail "the resumed shard failed"
grep -qx "10 of 10 images are done already." wrap.log || fail "the shard did not resume"

# Steps other than 1, the default folder, and arrays with gaps.
cat > step.sbatch << 'EOF'
#!/bin/bash
env | grep ^SLURM_ARRAY | sort
exec "$VITPATCH" sweep --limit 8
EOF
step=$(sbatch --parsable --array=1-7:2 --output=step-%a.log step.sbatch)
gaps=$(sbatch --parsable --array=1,2,4 --output=gaps-%a.log step.sbatch)
wait_for 300 "the jobs did not end" none_left
place=0
for task in 1 3 5 7; do
    grep -qx "shard $place/4 from the Slurm job array" "step-$task.log" || fail "task $task of 1-7:2 is not shard $place/4"
    [ -e "runs/$step/$task/results.sqlite" ] || fail "task $task has no results in runs/$step/$task"
    place=$((place + 1))
done
for task in 1 2 4; do
    grep -q "not evenly spaced; make it an array like 0-3, or give --shard" "gaps-$task.log" ||
        fail "task $task of 1,2,4 is not refused"
    [ ! -e "runs/$gaps/$task" ] || fail "task $task of 1,2,4 wrote results"
done
echo "4 tasks merged, $(($(wc -l < "$work/merged.csv") - 1)) rows, the same bytes as without shards" \
    "($(sha256sum < "$work/merged.csv" | cut -c 1-12)); a requeued task resumes; steps and gaps as documented" > "$work/result"
