"""The script that trains LeNet-5: a small run of the whole, its protocol, and what the committed results say."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from neuralnotes import data

SCRIPT = Path(__file__).parents[2] / "benchmarks/lenet5_mnist.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("lenet5_mnist", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
def test_a_small_run_learns_and_writes(tmp_path):
    out = tmp_path / "results.json"
    out.write_text(json.dumps({"distorted-today": "stays", "plain-1998": "is replaced"}))
    command = [sys.executable, str(SCRIPT), "--fast", "--only", "distorted-1998", "plain-1998", "--out", str(out)]
    # One thread: batches this small gain nothing from more, and on a busy machine they lose a lot.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr
    results = json.loads(out.read_text())
    assert list(results) == ["plain-1998", "distorted-1998", "distorted-today"]
    assert results["distorted-today"] == "stays"
    for name in ("plain-1998", "distorted-1998"):
        result = results[name]
        assert result["test_size"] == 360 and result["train_size"] == 1437 and result["parameters"] == 61706
        assert len(result["errors"]) == len(result["seconds"]) == len(result["seeds"]) == 2
        # Guessing makes 324 errors.
        assert max(result["errors"]) < 150 and name in finished.stdout and str(result["errors"]) in finished.stdout
        assert (result["strength"] > 0) == (name == "distorted-1998")
        candidates = result["validation"]["candidates"]
        best = min(candidates, key=lambda row: row["errors"])
        assert (result["learning_rate"], result["strength"]) == (best["learning_rate"], best["strength"])


def test_the_test_images_are_looked_at_once_per_seed(script, monkeypatch):
    x = np.arange(12, dtype=np.float32).reshape(12, 1, 1, 1) * np.ones((12, 1, 28, 28), dtype=np.float32)
    labels = np.arange(12)
    split = data.Split(x, labels, x[:3] + 100, labels[:3] + 100)  # labels name the images
    trained, counted = [], []

    def train(experiment, candidate, x, labels, seed, device):
        trained.append((candidate, sorted(labels.tolist()), seed))
        assert x[:, 0, 0, 0].tolist() == labels.tolist()
        return torch.nn.Linear(1, 1)

    def count_errors(model, x, labels, device):
        counted.append(sorted(labels.tolist()))
        return {1: 5, 2: 2}.get(len(counted), 1)  # the second candidate is the better one

    monkeypatch.setattr(script, "train", train)
    monkeypatch.setattr(script, "count_errors", count_errors)
    first, second = script.Candidate(0.1), script.Candidate(0.2)
    experiment = script.Experiment("tanh", "average", 1, (first, second))
    result = script.run(experiment, split, (7, 8, 9), torch.device("cpu"))

    held_out, rest = counted[0], trained[0][1]
    assert len(held_out) == 2 and sorted(held_out + rest) == list(range(12))
    assert trained[:2] == [(first, rest, 7), (second, rest, 7)] and counted[1] == held_out
    assert trained[2:] == [(second, list(range(12)), seed) for seed in (7, 8, 9)]
    assert counted[2:] == [[100, 101, 102]] * 3
    assert result["errors"] == [1, 1, 1] and result["learning_rate"] == 0.2


def test_only_training_distorts(script):
    images = torch.zeros(4, 1, 28, 28)
    images[:, :, 8:20, 12:16] = 1.0
    net = torch.nn.Identity()
    model = script.Pipeline(net, 1.0, mean=0.5, std=2.0)
    assert torch.equal(model.eval()(images), (images - 0.5) / 2)
    torch.manual_seed(3)
    one = model.train()(images)
    torch.manual_seed(3)
    assert torch.equal(one, (script.distort(images, 1.0) - 0.5) / 2)
    assert not torch.equal(one, model(images)), "each time anew"
    assert not torch.equal(one[0], one[1]), "each image in its own way"
    undistorted = script.Pipeline(net, 0.0, mean=0.5, std=2.0).train()
    assert torch.equal(undistorted(images), (images - 0.5) / 2)


def test_the_committed_results_are_those_of_these_experiments(script):
    results = json.loads(script.RESULTS.read_text())
    assert {"plain-1998", "distorted-today"} <= set(results)
    for name, result in results.items():
        experiment = script.EXPERIMENTS[name]
        assert (result["test_size"], result["train_size"], result["parameters"]) == (10000, 60000, 61706)
        assert result["seeds"] == list(script.SEEDS) and len(result["errors"]) == len(script.SEEDS)
        assert result["epochs"] == experiment.epochs
        assert (result["activation"], result["pooling"]) == (experiment.activation, experiment.pooling)
        candidates = [
            script.Candidate(row["learning_rate"], row["strength"]) for row in result["validation"]["candidates"]
        ]
        assert candidates == list(experiment.candidates)
        assert result["distortions"] == script.describe(result["strength"])
