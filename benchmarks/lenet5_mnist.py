"""LeNet-5 on MNIST: test errors with and without distorted training images, and how they came about.

    python benchmarks/lenet5_mnist.py                  # three experiments, about an hour on one core
    python benchmarks/lenet5_mnist.py --only plain-1998
    python benchmarks/lenet5_mnist.py --fast           # half a minute's smoke test on the small digits; writes nothing

MNIST is read from the folder in NEURALNOTES_DATA, or downloaded once. Each experiment goes in two steps. First its
candidates are trained on 50,000 of the 60,000 training images and compared on the other 10,000. Then the best one is
trained on all 60,000, once for each seed, and looks at the test images once, at the end. What comes out is written to
benchmarks/results/lenet5_mnist.json. Uses a GPU where there is one.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, pad
from tqdm import tqdm

from neuralnotes import data, training, transformations
from neuralnotes.models.lenet import LeNet5

SEEDS = (0, 1, 2)
BATCH = 256
HELD_OUT = 1 / 6  # of the training images, to choose among the candidates: as many as there are test images
RESULTS = Path(__file__).parent / "results/lenet5_mnist.json"


@dataclass(frozen=True)
class Candidate:
    """One way to train; the rest is the same for all."""

    learning_rate: float  # the largest one
    strength: float = 0.0  # of the distortions


@dataclass(frozen=True)
class Experiment:
    activation: str
    pooling: str
    epochs: int
    candidates: tuple[Candidate, ...]


PLAIN = (Candidate(0.001), Candidate(0.003))
DISTORTED = (Candidate(0.003, strength=0.5), Candidate(0.003, strength=1.0))
EXPERIMENTS = {
    "plain-1998": Experiment("tanh", "average", 20, PLAIN),
    "distorted-1998": Experiment("tanh", "average", 30, DISTORTED),
    "distorted-today": Experiment("relu", "max", 30, DISTORTED),
}


def distort(images: Tensor, strength: float) -> Tensor:
    """Turn, scale, slant, shift and bend each image (N, 1, 28, 28) in its own way; chance comes from torch's generator.

    `describe` puts the same into words.
    """

    def between(limit: float) -> Tensor:
        return strength * limit * (2 * torch.rand(len(images)) - 1)  # (N,)

    moved = transformations.affine(
        images, between(15.0), torch.exp(between(0.15)), (between(2.0), between(2.0)), between(0.2)
    )
    seed = int(torch.randint(2**31, ()))
    return transformations.elastic(moved, alpha=1.5 * strength, sigma=4.0, seed=seed)


def describe(strength: float) -> str:
    if strength == 0:
        return "none"
    return (
        f"each image anew at each step: turned by up to {15 * strength:g} degrees, scaled by up to "
        f"exp({0.15 * strength:g}), slanted by up to {0.2 * strength:g}, shifted by up to {2 * strength:g} pixels "
        f"down and right (all uniform), then bent by an elastic field of {1.5 * strength:g} pixels standard deviation, "
        "smooth over 4 pixels"
    )


class Pipeline(nn.Module):
    """Distort (while training only), standardize, classify."""

    def __init__(self, net: LeNet5, strength: float, mean: float, std: float) -> None:
        super().__init__()
        self.net, self.strength, self.mean, self.std = net, strength, mean, std

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, 10) of images (N, 1, 28, 28) in [0, 1]."""
        if self.training and self.strength:
            images = distort(images, self.strength)
        return self.net((images - self.mean) / self.std)


def train(
    experiment: Experiment, candidate: Candidate, x: Tensor, labels: Tensor, seed: int, device: torch.device
) -> Pipeline:
    """Return the network trained on images (N, 1, 28, 28) and labels (N,)."""
    torch.manual_seed(seed)
    net = LeNet5(activation=experiment.activation, pooling=experiment.pooling)
    model = Pipeline(net, candidate.strength, x.mean().item(), x.std().item())
    model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        candidate.learning_rate,
        epochs=experiment.epochs,
        steps_per_epoch=-(-len(x) // BATCH),  # rounded up: the last step takes what is left
        cycle_momentum=False,
    )
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    training.fit(
        model, cross_entropy, (x, labels), optimizer=optimizer, epochs=experiment.epochs, batch_size=BATCH, seed=seed
    )
    return model


@torch.no_grad()
def count_errors(model: Pipeline, x: Tensor, labels: Tensor, device: torch.device) -> int:
    model.eval()
    pairs = zip(x.split(1000), labels.split(1000), strict=True)
    return sum(int((model(some.to(device)).argmax(dim=1).cpu() != right).sum()) for some, right in pairs)


def run(experiment: Experiment, split: data.Split, seeds: tuple[int, ...], device: torch.device) -> dict:
    """Choose a candidate on held-out training images, train it with every seed, count its test errors."""
    x, labels, x_test, labels_test = (torch.from_numpy(array) for array in split)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(x)))
    held_out, rest = order[: round(HELD_OUT * len(x))], order[round(HELD_OUT * len(x)) :]

    validation = []
    for candidate in tqdm(experiment.candidates, desc="candidates", leave=False, disable=None):
        model = train(experiment, candidate, x[rest], labels[rest], seeds[0], device)
        errors = count_errors(model, x[held_out], labels[held_out], device)
        validation.append({**asdict(candidate), "errors": errors})
    best = experiment.candidates[int(np.argmin([row["errors"] for row in validation]))]

    errors, seconds = [], []
    for seed in tqdm(seeds, desc="seeds", leave=False, disable=None):
        start = time.perf_counter()
        model = train(experiment, best, x, labels, seed, device)
        seconds.append(round(time.perf_counter() - start, 1))
        errors.append(count_errors(model, x_test, labels_test, device))
    return {
        "activation": experiment.activation,
        "pooling": experiment.pooling,
        "parameters": sum(p.numel() for p in model.parameters()),
        "errors": errors,
        "test_size": len(x_test),
        "train_size": len(x),
        "seeds": list(seeds),
        "epochs": experiment.epochs,
        "batch_size": BATCH,
        "optimizer": "AdamW, betas 0.9 and 0.999, weight decay 0.01",
        "learning_rate": best.learning_rate,
        "schedule": f"one cycle: from {best.learning_rate / 25:g} up to {best.learning_rate:g} in the first 30 % of "
        "the steps, then down to almost 0, both along a cosine",
        "strength": best.strength,
        "distortions": describe(best.strength),
        "validation": {"train_size": len(rest), "size": len(held_out), "seed": seeds[0], "candidates": validation},
        "protocol": "Candidates are compared on training images held out, with one seed. The best one is trained on "
        "all training images. The test images are looked at once for each seed, after the last epoch.",
        "seconds": seconds,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def mnist() -> data.Split:
    split = data.mnist()
    return split._replace(x_train=split.x_train[:, None], x_test=split.x_test[:, None])  # (N, 1, 28, 28)


def small_digits() -> data.Split:
    """The digits of 8 by 8 pixels, enlarged and framed until they are as large as MNIST's."""

    def enlarge(x: np.ndarray) -> np.ndarray:
        large = interpolate(torch.from_numpy(x).float()[:, None], size=20, mode="bilinear")
        return pad(large, (4, 4, 4, 4)).numpy()  # (N, 1, 28, 28)

    split = data.digits()
    return split._replace(x_train=enlarge(split.x_train), x_test=enlarge(split.x_test))


def write(path: Path, name: str, result: dict) -> None:
    """Put one experiment into the file and leave the others."""
    results = json.loads(path.read_text()) if path.exists() else {}
    results[name] = result
    ordered = {name: results[name] for name in EXPERIMENTS if name in results}
    path.write_text(json.dumps(ordered, indent=2) + "\n")


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS), metavar="NAME")
    parser.add_argument("--fast", action="store_true", help="small digits, 2 seeds, 5 epochs; writes only with --out")
    parser.add_argument("--out", type=Path, help=f"file to write (default: benchmarks/results/{RESULTS.name})")
    arguments = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    split = small_digits() if arguments.fast else mnist()
    out = arguments.out or (None if arguments.fast else RESULTS)
    for name in arguments.only:
        experiment, seeds = EXPERIMENTS[name], SEEDS
        if arguments.fast:
            experiment = Experiment(experiment.activation, experiment.pooling, 5, experiment.candidates)
            seeds = SEEDS[:2]
        result = run(experiment, split, seeds, device)
        rows = ", ".join(f"{row['errors']}" for row in result["validation"]["candidates"])
        print(
            f"{name:16s} {result['errors']} errors of {result['test_size']}, {result['seconds']} s; "
            f"candidates on {result['validation']['size']} held out: {rows}",
            flush=True,
        )
        if out is not None:
            write(out, name, result)


if __name__ == "__main__":
    main()
