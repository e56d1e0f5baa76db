"""`pxs train` with sharded weights, as with `accelerate launch --use_fsdp`, but on CPUs.

Accelerate shards only on GPUs; FSDP2 of PyTorch, which it uses, also works on CPUs.
"""

import sys

from accelerate import Accelerator, DistributedType
from accelerate.utils import FullyShardedDataParallelPlugin

from pxs.cli import main
from pxs.training import trainer


class Sharding(Accelerator):
    """An Accelerator configured for FSDP on CPUs."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.state.fsdp_plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=False
        )
        self.state.distributed_type = DistributedType.FSDP
        assert self.num_processes == 2 and self.is_fsdp2


trainer.Accelerator = Sharding
sys.exit(main(["train", *sys.argv[1:]]))
