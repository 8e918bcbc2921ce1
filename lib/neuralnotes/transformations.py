"""What happens to an image between two photographs of the same thing: it moves, bends, is hidden, is lit anew.

Each function takes a batch of images (N, C, H, W) with values in [0, 1], 0 the background, and returns a new batch of
the same shape, device and dtype. A strength is one number for all images or a tensor (N,) with one for each. What is
drawn by chance comes from the seed alone and is the same on every device. No argument is written to.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def _check_images(images: Tensor) -> None:
    if images.dim() != 4 or not images.is_floating_point():
        raise ValueError(
            f"images must be floating-point numbers (N, C, H, W), got {images.dtype} {tuple(images.shape)}"
        )


def _strength(name: str, value: float | Tensor, images: Tensor) -> Tensor:
    """One number per image, (N,)."""
    value = torch.as_tensor(value, dtype=images.dtype, device=images.device)
    if value.dim() > 1 or (value.dim() == 1 and len(value) != len(images)):
        raise ValueError(f"{name} must be a number or a tensor ({len(images)},), got the shape {tuple(value.shape)}")
    return value.expand(len(images))


def _pixels(images: Tensor) -> tuple[Tensor, Tensor]:
    """Row (H, 1) and column (1, W) of every pixel, seen from the center of the image."""
    height, width = images.shape[2:]
    rows = torch.arange(height, dtype=images.dtype, device=images.device) - (height - 1) / 2
    columns = torch.arange(width, dtype=images.dtype, device=images.device) - (width - 1) / 2
    return rows[:, None], columns[None, :]


def _read(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images read at other places, (N, H, W) each, in pixels from the center: bilinear, 0 outside."""
    height, width = images.shape[2:]
    # grid_sample wants (x, y), with -1 and 1 at the outer edges of the first and the last pixel.
    grid = torch.stack([2 * columns / width, 2 * rows / height], dim=-1)  # (N, H, W, 2)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _smoothing(size: int, sigma: float, reach: int) -> Tensor:
    """Matrix (size, size + 2 reach) that convolves with a Gaussian; independent numbers of variance 1 keep it."""
    distance = torch.arange(size + 2 * reach) - reach - torch.arange(size)[:, None]
    gaussian = torch.exp(-0.5 * (distance / sigma) ** 2).masked_fill(distance.abs() > reach, 0.0)
    return gaussian / gaussian.norm(dim=1, keepdim=True)


def affine(
    images: Tensor,
    angle: float | Tensor = 0.0,
    scale: float | Tensor = 1.0,
    shift: tuple[float | Tensor, float | Tensor] = (0.0, 0.0),
    shear: float | Tensor = 0.0,
) -> Tensor:
    """Slant, scale and turn the images about their centers, then shift them.

    Values between pixels are interpolated; what comes from outside is 0.

    Args:
        images: (N, C, H, W).
        angle: Rotation, in degrees, counterclockwise.
        scale: Factor of the size, above 0; 2 makes everything twice as large.
        shift: Pixels down and pixels to the right.
        shear: Pixels by which a row moves to the right for each pixel that it lies above the center.

    Returns:
        (N, C, H, W).

    Raises:
        ValueError: If the images are not (N, C, H, W), a strength is neither a number nor (N,), or a scale is not
            above 0.

    Chapter: Convolutional networks (recognition-difficulties)
    """
    _check_images(images)
    scale = _strength("scale", scale, images)
    if not (scale > 0).all():
        raise ValueError(f"scale must be above 0, got {scale.min().item()}")
    angle = torch.deg2rad(_strength("angle", angle, images))[:, None, None]  # (N, 1, 1)
    down, right = (_strength("shift", part, images)[:, None, None] for part in shift)
    shear = _strength("shear", shear, images)[:, None, None]
    # Each output pixel asks where it came from, so the steps are undone, the last one first.
    rows, columns = _pixels(images)
    rows, columns = rows - down, columns - right  # (N, H, W)
    rows, columns = (  # rows count downward: this is clockwise, the inverse of counterclockwise
        torch.cos(angle) * rows + torch.sin(angle) * columns,
        torch.cos(angle) * columns - torch.sin(angle) * rows,
    )
    rows, columns = rows / scale[:, None, None], columns / scale[:, None, None]
    columns = columns + shear * rows
    return _read(images, rows, columns)


def elastic(images: Tensor, alpha: float, sigma: float, seed: int) -> Tensor:
    """Bend the images: every pixel is read from a place nearby, neighbors from neighboring places.

    The displacements are normal noise, smoothed. All channels of an image move together, each image in its own way.

    Args:
        images: (N, C, H, W).
        alpha: Standard deviation of each displacement, along the rows and along the columns, in pixels, at least 0.
        sigma: Standard deviation of the Gaussian that smooths, in pixels, above 0: small crumples, large bends.
        seed: Of the displacements.

    Returns:
        (N, C, H, W).

    Raises:
        ValueError: If the images are not (N, C, H, W), alpha is negative, or sigma is not above 0.

    Source: Simard, Steinkraus and Platt (2003), Best practices for convolutional neural networks applied to visual
    document analysis; with alpha as a length in pixels.

    Chapter: Convolutional networks (recognition-difficulties)
    """
    _check_images(images)
    if alpha < 0 or sigma <= 0:
        raise ValueError(f"alpha must be at least 0 and sigma above 0, got {alpha} and {sigma}")
    n, _, height, width = images.shape
    reach = math.ceil(3 * sigma)
    # The noise has a frame as wide as the kernel, so that the edge of the image moves like its middle.
    noise = torch.randn(2 * n, height + 2 * reach, width + 2 * reach, generator=torch.Generator().manual_seed(seed))
    down, across = _smoothing(height, sigma, reach).to(images), _smoothing(width, sigma, reach).to(images)
    smooth = down @ noise.to(images) @ across.T  # (2 N, H, W): far faster than two convolutions of one channel
    displacement = alpha * smooth.view(n, 2, height, width)
    rows, columns = _pixels(images)
    return _read(images, rows + displacement[:, 0], columns + displacement[:, 1])


def occlude(images: Tensor, side: int, seed: int) -> Tensor:
    """Hide a square of each image, at a random place: its pixels become 0.

    Args:
        images: (N, C, H, W).
        side: Side of the square in pixels, from 0 to the smaller side of the image.
        seed: Of the places.

    Returns:
        (N, C, H, W).

    Raises:
        ValueError: If the images are not (N, C, H, W) or the square does not fit.

    Source: DeVries and Taylor (2017), Improved regularization of convolutional neural networks with cutout.

    Chapter: Convolutional networks (recognition-difficulties)
    """
    _check_images(images)
    n, _, height, width = images.shape
    if not 0 <= side <= min(height, width):
        raise ValueError(f"side must be from 0 to {min(height, width)}, got {side}")
    generator = torch.Generator().manual_seed(seed)
    top = torch.randint(height - side + 1, (n, 1), generator=generator).to(images.device)
    left = torch.randint(width - side + 1, (n, 1), generator=generator).to(images.device)
    row, column = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    in_rows = (row >= top) & (row < top + side)  # (N, H)
    in_columns = (column >= left) & (column < left + side)  # (N, W)
    hidden = in_rows[:, :, None] & in_columns[:, None, :]  # (N, H, W)
    return images.masked_fill(hidden[:, None], 0.0)


def relight(
    images: Tensor, contrast: float | Tensor = 1.0, brightness: float | Tensor = 0.0, slope: float | Tensor = 0.0
) -> Tensor:
    """Change the light: ``contrast (x - 1/2) + 1/2 + brightness + slope t``, cut to [0, 1].

    Args:
        images: (N, C, H, W).
        contrast: Factor of the distance from middle gray, at least 0; below 1 everything turns grayer.
        brightness: What is added to every pixel.
        slope: Light from one side: ``t`` runs from -1 in the first column to 1 in the last.

    Returns:
        (N, C, H, W), in [0, 1].

    Raises:
        ValueError: If the images are not (N, C, H, W), a strength is neither a number nor (N,), or a contrast is
            negative.

    Chapter: Convolutional networks (recognition-difficulties)
    """
    _check_images(images)
    contrast = _strength("contrast", contrast, images)
    if not (contrast >= 0).all():
        raise ValueError(f"contrast must be at least 0, got {contrast.min().item()}")
    brightness, slope = _strength("brightness", brightness, images), _strength("slope", slope, images)
    contrast, brightness, slope = (part[:, None, None, None] for part in (contrast, brightness, slope))
    t = torch.linspace(-1, 1, images.shape[3], dtype=images.dtype, device=images.device)  # (W,)
    return (contrast * (images - 0.5) + 0.5 + brightness + slope * t).clamp(0, 1)
