"""`pxs train` by processes that share out the weights, as `accelerate launch --use_fsdp` has it, but on CPUs.

Accelerate shards on GPUs only; all below it (PyTorch's FSDP2) works on CPUs too.
"""

import sys

from accelerate import Accelerator, DistributedType
from accelerate.utils import FullyShardedDataParallelPlugin

from pxs.cli import main
from pxs.training import trainer


class Sharding(Accelerator):
    """Has Accelerate believe that FSDP was asked for."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.state.fsdp_plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=False
        )
        self.state.distributed_type = DistributedType.FSDP
        assert self.num_processes == 2 and self.is_fsdp2


trainer.Accelerator = Sharding
sys.exit(main(["train", *sys.argv[1:]]))
