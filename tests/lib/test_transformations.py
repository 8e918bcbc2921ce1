"""Transformations against moves whose result is known pixel by pixel, and against their own definition."""

from __future__ import annotations

import pytest
import torch

from neuralnotes import transformations as tr


def ramps(n, height, width):
    """Two channels that hold the row and the column of each pixel: a moved image then says where it was read."""
    rows = torch.arange(height, dtype=torch.float64)[:, None].expand(height, width)
    columns = torch.arange(width, dtype=torch.float64).expand(height, width)
    return torch.stack([rows, columns]).expand(n, 2, height, width)


@pytest.fixture
def images(normal):
    return normal(3, 2, 9, 7).sigmoid()


def test_nothing_is_changed_without_strength(images):
    for same in (
        tr.affine(images),
        tr.elastic(images, 0.0, 2.0, seed=0),
        tr.occlude(images, 0, seed=0),
        tr.relight(images),
    ):
        torch.testing.assert_close(same, images, rtol=1e-12, atol=1e-12)


def test_quarter_turns_are_counterclockwise(normal):
    square = normal(2, 1, 8, 8)
    for turns in (1, 2, 3, -1):
        expected = torch.rot90(square, turns, dims=(2, 3))
        torch.testing.assert_close(tr.affine(square, angle=90.0 * turns), expected, rtol=1e-10, atol=1e-10)


def test_shift_is_down_and_right(images):
    out = tr.affine(images, shift=(2, -3))
    expected = torch.zeros_like(images)
    expected[:, :, 2:, :-3] = images[:, :, :-2, 3:]
    torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-12)
    half = tr.affine(images, shift=(0.5, 0))
    torch.testing.assert_close(half[:, :, 1:], (images[:, :, 1:] + images[:, :, :-1]) / 2, rtol=1e-11, atol=1e-12)


def test_scale_and_shear_on_ramps():
    image = ramps(1, 9, 9)
    larger = tr.affine(image, scale=2.0)
    assert larger[0, 0, 0, 4].item() == pytest.approx(2) and larger[0, 1, 4, 8].item() == pytest.approx(6)
    slanted = tr.affine(image, shear=1.0)
    # Two rows above the center everything has moved two pixels to the right, so it comes from two to the left.
    assert slanted[0, 1, 2, 5].item() == pytest.approx(3)
    assert slanted[0, 1, 6, 5].item() == pytest.approx(7)
    assert slanted[0, 1, 4, 5].item() == pytest.approx(5)


def test_the_order_is_shear_scale_turn_shift(normal):
    image = torch.nn.functional.pad(normal(1, 1, 7, 7), (6, 6, 6, 6))  # 19 by 19: room for the corners
    steps = tr.affine(tr.affine(tr.affine(image, shear=1.0), angle=90.0), shift=(1, 2))
    torch.testing.assert_close(tr.affine(image, 90.0, 1.0, (1, 2), 1.0), steps, rtol=1e-10, atol=1e-10)
    turned_first = tr.affine(tr.affine(image, angle=90.0), shear=1.0)
    assert not torch.allclose(tr.affine(image, 90.0, shear=1.0), turned_first)


def test_each_image_has_its_own_strength(images):
    angle, scale = torch.tensor([0.0, 20.0, -35.0]), torch.tensor([1.0, 0.8, 1.3])
    shift, shear = (torch.tensor([0.0, 1.0, 2.5]), torch.tensor([1.0, 0.0, -1.0])), torch.tensor([0.0, 0.2, -0.3])
    out = tr.affine(images, angle, scale, shift, shear)
    lit = tr.relight(images, scale, shear, angle / 100)
    for i in range(3):
        one = images[i : i + 1]
        moved = tr.affine(one, angle[i], scale[i], (shift[0][i], shift[1][i]), shear[i])
        torch.testing.assert_close(out[i : i + 1], moved, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(
            lit[i : i + 1], tr.relight(one, scale[i], shear[i], angle[i] / 100), rtol=1e-11, atol=1e-12
        )


def test_elastic_moves_as_far_as_alpha_says():
    n, size, margin = 200, 30, 10
    image = ramps(n, size, size)
    inside = slice(margin, size - margin)  # never read from outside, where a ramp would be cut off
    for alpha, sigma in ((0.5, 3.0), (1.5, 2.0)):
        moved = (tr.elastic(image, alpha, sigma, seed=1) - image)[:, :, inside, inside]
        # 400 fields of 10 by 10 pixels, each smooth over about sigma: some thousand independent numbers.
        assert moved.square().mean().sqrt().item() == pytest.approx(alpha, rel=0.05)
        assert abs(moved.mean().item()) < 0.05 * alpha
        # The correlation of two numbers d apart, smoothed by a Gaussian: exp(-d^2 / (4 sigma^2)).
        for d in (1, 4):
            together = (moved[:, :, d:] * moved[:, :, :-d]).mean() / moved.square().mean()
            assert together.item() == pytest.approx(torch.exp(torch.tensor(-(d**2) / (4 * sigma**2))).item(), abs=0.06)


def test_elastic_moves_the_edges_like_the_middle():
    image = ramps(300, 40, 40)
    moved = tr.elastic(image, 0.5, 4.0, seed=2) - image
    edge = moved[:, 1, 2, 10:30].square().mean().sqrt()  # the third row, read four deviations away from the outside
    assert edge.item() == pytest.approx(0.5, rel=0.1)


def test_chance_comes_from_the_seed(images):
    state = torch.random.get_rng_state()
    for function, arguments in ((tr.elastic, (1.0, 2.0)), (tr.occlude, (3,))):
        one, again, other = (function(images, *arguments, seed=seed) for seed in (0, 0, 1))
        assert torch.equal(one, again) and not torch.equal(one, other)
        same = images[:1].expand(3, -1, -1, -1)
        moved = function(same, *arguments, seed=0)
        assert not torch.equal(moved[0], moved[1]), "each image in its own way"
    two = tr.elastic(images[:, :1].expand(-1, 2, -1, -1), 1.0, 2.0, seed=0)
    torch.testing.assert_close(two[:, 0], two[:, 1], rtol=0, atol=0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_occlude_hides_a_square_anywhere():
    image = torch.ones(2000, 2, 5, 6, dtype=torch.float64)
    out = tr.occlude(image, 3, seed=0)
    assert set(out.unique().tolist()) == {0.0, 1.0}
    assert (out[:, 0] == 0).sum(dim=(1, 2)).eq(9).all() and torch.equal(out[:, 0], out[:, 1])
    corners = set()
    for hidden in out[:, 0] == 0:
        places = hidden.nonzero()
        low, high = places.min(dim=0).values, places.max(dim=0).values
        assert (high - low).tolist() == [2, 2]
        corners.add(tuple(low.tolist()))
    assert corners == {(row, column) for row in range(3) for column in range(4)}
    assert tr.occlude(image, 5, seed=0).sum(dim=(1, 2, 3)).eq(2 * 5).all()


def test_relight():
    image = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64).expand(1, 1, 2, 4)
    assert tr.relight(image, contrast=0.5)[0, 0, 0].tolist() == pytest.approx([0.25, 0.375, 0.5, 0.75])
    assert tr.relight(image, contrast=0.0)[0, 0, 0].tolist() == pytest.approx([0.5] * 4)
    assert tr.relight(image, brightness=0.2)[0, 0, 1].tolist() == pytest.approx([0.2, 0.45, 0.7, 1.0])
    assert tr.relight(image, slope=0.3)[0, 0, 0].tolist() == pytest.approx([0.0, 0.15, 0.6, 1.0])


def test_errors(images):
    for wrong in (images[0], images.long()):
        for call in (
            lambda x: tr.affine(x),
            lambda x: tr.elastic(x, 1.0, 1.0, 0),
            lambda x: tr.occlude(x, 1, 0),
            lambda x: tr.relight(x),
        ):
            with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
                call(wrong)
    for name, call in (
        ("angle", lambda value: tr.affine(images, angle=value)),
        ("scale", lambda value: tr.affine(images, scale=value)),
        ("shift", lambda value: tr.affine(images, shift=(0, value))),
        ("shear", lambda value: tr.affine(images, shear=value)),
        ("contrast", lambda value: tr.relight(images, contrast=value)),
        ("brightness", lambda value: tr.relight(images, brightness=value)),
        ("slope", lambda value: tr.relight(images, slope=value)),
    ):
        for value in (torch.ones(2), torch.ones(3, 1)):
            with pytest.raises(ValueError, match=rf"{name} must be a number or a tensor \(3,\)"):
                call(value)
    for scale in (0.0, torch.tensor([1.0, -1.0, 1.0])):
        with pytest.raises(ValueError, match="scale must be above 0"):
            tr.affine(images, scale=scale)
    with pytest.raises(ValueError, match="contrast must be at least 0"):
        tr.relight(images, contrast=-0.5)
    for alpha, sigma in ((-1.0, 1.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match="alpha"):
            tr.elastic(images, alpha, sigma, seed=0)
    for side in (-1, 8):
        with pytest.raises(ValueError, match="from 0 to 7"):
            tr.occlude(images, side, seed=0)


def test_conduct(images, check_conduct, device):
    strength = torch.tensor([0.1, 0.4, 0.9], dtype=torch.float64)
    for function, arguments in (
        (tr.affine, [images, 30 * strength, 1.1, (1.3, -0.2), strength]),
        (tr.elastic, [images, 1.0, 2.0, 3]),
        (tr.occlude, [images, 4, 3]),
        (tr.relight, [images, strength, 0.1, strength]),
    ):
        check_conduct(function, arguments, device, reads_values=True)
