"""Where the time of a finetuning goes: one table by kind of work, for the network and images of a configuration.

python benchmarks/profile_finetune.py [--config reports/configs/nb201_cifar10.toml] [--data DATA] [--archs 6]

Processor time of one thread on the CPU, time of kernels on a GPU, by torch's own profiler. Weights are fresh: the
work does not depend on them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from nasanalysis.seeding import generator, torch_generator
from nasanalysis.spaces import get_space
from nasanalysis.supernets.base import initialise_on_cpu
from nasanalysis.supernets.config import SupernetConfig
from nasanalysis.supernets.finetune import draw_batches, finetune
from nasanalysis.supernets.networks import build_supernet
from nasanalysis.supernets.tasks import load_task

#: Kind of work -> how the names of its operations begin.
KINDS = {
    "convolution, backward": ("aten::convolution_backward", "aten::mkldnn_convolution_backward", "aten::cudnn_conv"),
    "convolution, forward": ("aten::mkldnn_convolution", "aten::cudnn_convolution", "aten::convolution"),
    "batch-norm, backward": ("aten::native_batch_norm_backward", "aten::cudnn_batch_norm_backward"),
    "batch-norm, forward": ("aten::native_batch_norm", "aten::cudnn_batch_norm"),
    "pooling": ("aten::avg_pool2d", "aten::max_pool2d", "aten::adaptive_avg_pool2d", "aten::mean"),
    "ReLU": ("aten::clamp_min", "aten::threshold_backward", "aten::relu"),
    "optimiser": ("Optimizer.", "aten::_fused_sgd_"),
    "sums of nodes and gradients": ("aten::add", "aten::sum", "aten::linalg_vector_norm", "aten::segment_reduce"),
    "memory": ("aten::empty", "aten::copy_", "aten::fill_", "aten::zero_", "aten::cat", "aten::resize_"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("reports/configs/nb201_cifar10.toml"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--archs", type=int, default=6)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = SupernetConfig.load(args.config)
    settings = config.finetune[0].settings(config.train)
    task = load_task(config.data, data=args.data, device=args.device)
    net = build_supernet(config.space, config.network, task, device=args.device)
    initialise_on_cpu(net, torch_generator(0, "profile"))
    batches = draw_batches(task, settings, seed=0)
    archs = get_space(config.space).sample(args.archs, generator(0, "profile"))
    finetune(net.subnet(archs[0]), batches, settings)  # warm
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if args.device == "cuda" else [])]
    with profile(activities=kinds) as trace:
        for arch in archs:
            finetune(net.subnet(arch), batches, settings)
    spent: dict[str, float] = defaultdict(float)
    for event in trace.key_averages():
        cost = event.self_device_time_total if args.device == "cuda" else event.self_cpu_time_total
        kind = next((k for k, starts in KINDS.items() if event.key.startswith(starts)), "the rest")
        spent[kind] += cost / 1e6
    total = sum(spent.values())
    what = f"{args.archs} architectures, {settings.minibatches} minibatches"
    print(f"{args.config}: {what}, {total / args.archs:.2f} s each")
    for kind, cost in sorted(spent.items(), key=lambda pair: -pair[1]):
        print(f"{kind:30s} {100 * cost / total:5.1f} %")


if __name__ == "__main__":
    main()
