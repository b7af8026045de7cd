"""Where the time of a finetuning goes: one table by kind of work, for the network and images of a configuration.

python benchmarks/profile_finetune.py [--config reports/configs/nb201_cifar10.toml] [--data DATA] [--archs 6]

Processor time of one thread on the CPU, time of kernels on a GPU, by torch's own profiler. Weights are fresh: the
work does not depend on them.
"""

from __future__ import annotations

from collections import defaultdict

from fresh import fresh, options
from torch.profiler import ProfilerActivity, profile

from nasanalysis.training.finetune import finetune

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
    args = options(__doc__.splitlines()[0], archs=6).parse_args()
    study = fresh(args)
    net, batches, settings, archs = study.net, study.batches, study.settings, study.archs
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
