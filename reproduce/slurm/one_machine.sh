#!/usr/bin/env bash
# A real Slurm on one machine, for tests.
#   one_machine.sh start FOLDER                 needs root and Debian's slurm-wlm and munge
#   one_machine.sh start FOLDER accounting      and slurmdbd and mariadb-server
#   one_machine.sh down|up FOLDER NODE          kill what a node runs and declare it down; start it
#   one_machine.sh down|up FOLDER slurmctld     an outage of the controller
#   one_machine.sh stop FOLDER
# Each node has two processors, whatever the machine has: nproc would follow OMP_NUM_THREADS.
# State, spool, logs and keys of the daemons lie in FOLDER; /etc/slurm points there while it runs.
# Nodes n1 and n2 have eight fake GPUs each, n3 other types. Partitions: main (n1, n2), short (five
# minutes at most), odd (n3), 00123 (a name of digits), low (its jobs are cancelled for those of
# high). With accounting, limits are enforced: accounts physics and 00123, QOS normal and two (two
# submitted jobs a user).
set -euo pipefail
action="${1:?start, stop, down or up}"
folder="$(mkdir -p "${2:?folder}" && cd "$2" && pwd)"
third="${3:-}"
database_port=33061

fail() {
    echo "one_machine.sh: $1" >&2
    exit 2
}

end() {
    local pid
    [ -f "$folder/$1.pid" ] || return 0
    pid="$(cat "$folder/$1.pid")"
    kill "$pid" 2>/dev/null || true
    # A controller saves its jobs before it ends, which takes a while under load.
    for _ in $(seq 300); do
        # A zombie no longer has a command line.
        [ -s "/proc/$pid/cmdline" ] && [ -n "$(tr -d '\0' <"/proc/$pid/cmdline" 2>/dev/null)" ] || break
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$folder/$1.pid"
}

down() {
    local jobs step
    if [ "$third" = slurmctld ]; then
        end slurmctld
        return
    fi
    jobs="$(squeue -h -t R -w "$third" -o %A)"
    end "slurmd.$third"
    # What the node ran dies with it.
    for job in $jobs; do
        for step in $(pgrep -f "^slurmstepd: \[$job\."); do tree "$step"; done
    done
    scontrol update "nodename=$third" state=down reason=test
}

# A process and all that it started.
tree() {
    local child
    for child in $(pgrep -P "$1"); do tree "$child"; done
    kill -9 "$1" 2>/dev/null || true
}

up() {
    if [ "$third" = slurmctld ]; then
        slurmctld
        waited slurmctld "scontrol ping | grep -q UP"
        return
    fi
    slurmd -N "$third"
    # A node that registers returns to service by itself; then there is nothing to resume.
    scontrol update "nodename=$third" state=resume 2>/dev/null || true
    waited "node $third" "sinfo -h -n $third -o %t | grep -qE '^(idle|mix|alloc)$'"
}

stop() {
    for name in slurmd.n1 slurmd.n2 slurmd.n3 slurmctld slurmdbd mariadbd munged; do
        end "$name"
    done
    for file in slurm.conf gres.conf slurmdbd.conf; do
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
    if [ "$third" = accounting ]; then
        for program in slurmdbd mariadbd mariadb-install-db; do
            command -v "$program" >/dev/null || fail "no $program; apt-get install --no-install-recommends slurmdbd mariadb-server"
        done
    fi
    mkdir -p /etc/slurm "$folder/state" "$folder/gpus"
    for k in 0 1 2 3 4 5 6 7; do
        [ -e "$folder/gpus/gpu$k" ] || mknod "$folder/gpus/gpu$k" c 1 3
    done
    storage="AccountingStorageType=accounting_storage/none"
    if [ "$third" = accounting ]; then
        storage="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStorageEnforce=associations,limits,qos"
    fi
    cat >"$folder/gres.conf" <<CONF
NodeName=n[1-2] Name=gpu Type=h100 File=$folder/gpus/gpu[0-7]
NodeName=n3 Name=gpu Type=4090 File=$folder/gpus/gpu[0-1]
NodeName=n3 Name=gpu Type=1g.10gb File=$folder/gpus/gpu[2-3]
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
MinJobAge=300
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
$storage
GresTypes=gpu
DefMemPerCPU=500
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
SlurmctldPort=6817
NodeName=n[1-2] NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=[6821-6822] CPUs=2 RealMemory=1000000 Gres=gpu:h100:8 State=UNKNOWN
NodeName=n3 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=6823 CPUs=2 RealMemory=16000 Gres=gpu:4090:2,gpu:1g.10gb:2 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE PriorityTier=5 PreemptMode=OFF State=UP
PartitionName=short Nodes=n1,n2 MaxTime=5 PriorityTier=5 PreemptMode=OFF State=UP
PartitionName=odd Nodes=n3 MaxTime=60 PriorityTier=5 PreemptMode=OFF State=UP
PartitionName=00123 Nodes=n1,n2 MaxTime=60 PriorityTier=5 PreemptMode=OFF State=UP
PartitionName=low Nodes=n1 MaxTime=60 PriorityTier=1 PreemptMode=CANCEL State=UP
PartitionName=high Nodes=n1 MaxTime=60 PriorityTier=9 PreemptMode=OFF State=UP
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
    if [ "$third" = accounting ]; then database; fi
    mkdir -p "$folder/spool.n1" "$folder/spool.n2" "$folder/spool.n3"
    slurmctld
    for node in n1 n2 n3; do slurmd -N "$node"; done
    waited "three idle nodes" "[ \$(sinfo -h -N -t idle -o %N | sort -u | wc -l) = 3 ]"
    if [ "$third" = accounting ]; then
        sacctmgr -i modify user root set defaultaccount=physics >/dev/null
    fi
    sinfo
}

# An accounting database of its own, with the users, accounts and limits that a site would have.
database() {
    local password
    password="$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')"
    mariadb-install-db --no-defaults --datadir="$folder/database" --user=root --skip-test-db \
        --auth-root-authentication-method=socket >"$folder/mariadb.install.log" 2>&1
    mariadbd --no-defaults --user=root --datadir="$folder/database" --port="$database_port" \
        --bind-address=127.0.0.1 --socket="$folder/mariadb.sock" --pid-file="$folder/mariadbd.pid" \
        --innodb-buffer-pool-size=64M >"$folder/mariadbd.log" 2>&1 &
    waited mariadbd "mariadb-admin --no-defaults --socket=$folder/mariadb.sock ping"
    mariadb --no-defaults --socket="$folder/mariadb.sock" -e \
        "CREATE DATABASE slurm; CREATE USER slurm@'%' IDENTIFIED BY '$password'; GRANT ALL ON slurm.* TO slurm@'%';"
    (umask 077 && cat >"$folder/slurmdbd.conf" <<CONF
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$database_port
StorageUser=slurm
StoragePass=$password
StorageLoc=slurm
PidFile=$folder/slurmdbd.pid
LogFile=$folder/slurmdbd.log
CONF
    )
    ln -sfn "$folder/slurmdbd.conf" /etc/slurm/slurmdbd.conf
    slurmdbd
    waited slurmdbd "sacctmgr -n show cluster"
    {
        sacctmgr -i add cluster one
        sacctmgr -i add account physics cluster=one
        sacctmgr -i add account 00123 cluster=one
        sacctmgr -i add qos two set MaxSubmitJobsPerUser=2
        sacctmgr -i add user root account=physics cluster=one qos=normal,two
        sacctmgr -i add user root account=00123 cluster=one qos=normal,two
    } >"$folder/sacctmgr.log" 2>&1
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
    down) down ;;
    up) up ;;
    *) fail "found $action, expected start, stop, down or up" ;;
esac
