#!/usr/bin/env bash
# A real Slurm on one machine, for tests: two virtual nodes with eight fake GPUs each.
#   one_machine.sh start FOLDER    needs root and Debian's slurm-wlm and munge
#   one_machine.sh stop FOLDER
# State, spool, logs and keys of the daemons lie in FOLDER; /etc/slurm points there while it runs.
set -euo pipefail
action="${1:?start or stop}"
folder="$(mkdir -p "${2:?folder}" && cd "$2" && pwd)"

fail() {
    echo "one_machine.sh: $1" >&2
    exit 2
}

stop() {
    for name in slurmd.n1 slurmd.n2 slurmctld munged; do
        [ -f "$folder/$name.pid" ] || continue
        pid="$(cat "$folder/$name.pid")"
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 50); do
            # A zombie no longer has a command line.
            [ -s "/proc/$pid/cmdline" ] && [ -n "$(tr -d '\0' <"/proc/$pid/cmdline" 2>/dev/null)" ] || break
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null || true
        rm -f "$folder/$name.pid"
    done
    for file in slurm.conf gres.conf; do
        [ "$(readlink -f "/etc/slurm/$file" 2>/dev/null)" = "$folder/$file" ] && rm -f "/etc/slurm/$file"
    done
    return 0
}

start() {
    [ "$(id -u)" = 0 ] || fail "found user $(id -un), expected root; run it in a container or with sudo"
    for program in munged slurmctld slurmd sinfo; do
        command -v "$program" >/dev/null || fail "no $program; apt-get install --no-install-recommends slurm-wlm munge"
    done
    if [ -e /etc/slurm/slurm.conf ] && [ "$(readlink -f /etc/slurm/slurm.conf)" != "$folder/slurm.conf" ]; then
        fail "/etc/slurm/slurm.conf is there already: this machine has a Slurm of its own; use that one"
    fi
    mkdir -p /etc/slurm "$folder/state" "$folder/gpus"
    for k in 0 1 2 3 4 5 6 7; do
        [ -e "$folder/gpus/gpu$k" ] || mknod "$folder/gpus/gpu$k" c 1 3
    done
    cat >"$folder/gres.conf" <<CONF
Name=gpu Type=h100 File=$folder/gpus/gpu[0-7]
CONF
    cat >"$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=localhost(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=5,bf_interval=5,batch_sched_delay=0,sched_min_interval=0,defer_batch
EnforcePartLimits=ALL
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
KillWait=2
CompleteWait=0
MinJobAge=600
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
GresTypes=gpu
DefMemPerCPU=500
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
SlurmctldPort=6817
NodeName=n[1-2] NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=[6821-6822] CPUs=$(nproc) RealMemory=1000000 Gres=gpu:h100:8 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
    ln -sfn "$folder/slurm.conf" /etc/slurm/slurm.conf
    ln -sfn "$folder/gres.conf" /etc/slurm/gres.conf
    if ! munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then
        [ -s /etc/munge/munge.key ] || { mkdir -p /etc/munge && dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none; }
        chown munge: /etc/munge/munge.key && chmod 400 /etc/munge/munge.key
        mkdir -p /run/munge && chown munge: /run/munge && chmod 755 /run/munge
        runuser -u munge -- munged --pid-file=/run/munge/munged.pid
        waited munge "munge -n | unmunge"
        cp /run/munge/munged.pid "$folder/munged.pid"
    fi
    mkdir -p "$folder/spool.n1" "$folder/spool.n2"
    slurmctld
    slurmd -N n1
    slurmd -N n2
    waited "two idle nodes" "[ \$(sinfo -h -N -t idle | wc -l) = 2 ]"
    sinfo
}

waited() {
    for _ in $(seq 100); do
        bash -c "$2" >/dev/null 2>&1 && return 0
        sleep 0.3
    done
    tail -n 5 "$folder"/*.log >&2 || true
    fail "waited 30 s for $1"
}

case "$action" in
    start) start ;;
    stop) stop ;;
    *) fail "found $action, expected start or stop" ;;
esac
