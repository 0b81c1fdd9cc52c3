"""One launcher per node, as tasks of a real Slurm step over two virtual nodes."""

import json
import subprocess
import sys

import pytest
from test_slurm import cluster, on_path

from lawcheck.declare.scale import Hardware, load_scale
from lawcheck.planning.cluster import launcher

__all__ = ["cluster"]

WORKER = """
import json, os, sys, time, torch
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
summed = torch.tensor(float(rank + 1))
torch.distributed.all_reduce(summed)
places = [None] * torch.distributed.get_world_size()
torch.distributed.all_gather_object(places, [os.environ["SLURM_NODEID"], os.environ["LOCAL_RANK"]])
if rank == 0:
    print(json.dumps([float(summed), places]))
torch.distributed.barrier()
torch.distributed.destroy_process_group()
status = int(sys.argv[1]) if rank == 3 else 0
# srun ends the other node when one fails, and its status is the highest: let that node end first.
time.sleep(5 if status else 0)
sys.exit(status)
"""
LAUNCH = (
    "import sys; from lawcheck.training.launch import launch; "
    "from lawcheck.declare.scale import Hardware; "
    "sys.exit(launch([sys.executable, '-c', *sys.argv[1:]], "
    "Hardware(micro_batch=1, nodes=2, gpus_per_node=2)))"
)


def test_the_line_before_a_training_command():
    assert launcher(Hardware(micro_batch=1, gpus_per_node=8)) == ""
    line = launcher(load_scale("paper").hardware)
    assert line.startswith("srun --nodes=4 --ntasks-per-node=1 --cpus-per-task=64 ")


@pytest.mark.slow
def test_processes_of_two_nodes_meet(cluster, tmp_path):
    def allocated(status):
        prefix = launcher(Hardware(micro_batch=1, nodes=2, gpus_per_node=2)).split()
        # salloc holds the nodes as a batch job would; without a terminal it runs the command.
        hold = ["salloc", "--nodes=2", "--partition=main", "--mem=3000", "--cpus-per-task=1"]
        command = [*hold, *prefix, sys.executable, "-c", LAUNCH, WORKER, str(status)]
        return subprocess.run(
            command, capture_output=True, text=True, env=on_path(), cwd=tmp_path, timeout=300
        )

    done = allocated(0)
    assert done.returncode == 0, done.stderr[-3000:]
    summed, places = json.loads(done.stdout.strip().splitlines()[-1])
    assert summed == 1 + 2 + 3 + 4
    assert places == [["0", "0"], ["0", "1"], ["1", "0"], ["1", "1"]]
    assert allocated(2).returncode == 2
