"""Convolution on graphs: in the node domain, in the spectral domain, and by polynomials that live in both.

A graph of N nodes is its adjacency matrix (N, N): symmetric, not negative, with zeros on the diagonal; entry (i, j) is
the weight of the edge between i and j. A signal holds D numbers per node, (N, D).

An image has a grid, so "the pixel to the left" means the same everywhere. A graph has no left: what is left of a kernel
is one weight per feature and a rule that says how neighbors are averaged. That rule is the normalized adjacency matrix,
or any function of the Laplacian's eigenvalues.

Results have the device and the dtype of the arguments. No argument is written to.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def _check_adjacency(adjacency: Tensor) -> None:
    if adjacency.dim() != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise ValueError(f"adjacency must be a square matrix (N, N), got the shape {tuple(adjacency.shape)}")
    if not adjacency.is_floating_point():
        raise ValueError(f"adjacency must hold floating-point numbers, got {adjacency.dtype}")
    if not torch.equal(adjacency, adjacency.T):
        raise ValueError("adjacency must be symmetric: an edge has no direction here (and no weight is not-a-number)")
    if (adjacency < 0).any():
        raise ValueError(f"adjacency must not hold negative weights, its smallest is {adjacency.min().item()}")
    if adjacency.diagonal().any():
        raise ValueError("adjacency must have zeros on the diagonal: self-loops are added where a method needs them")


def _check_signal(x: Tensor, adjacency: Tensor) -> None:
    _check_adjacency(adjacency)
    if x.dim() != 2 or len(x) != len(adjacency):
        raise ValueError(
            f"expected x (N, D) and adjacency (N, N), got x {tuple(x.shape)} and adjacency {tuple(adjacency.shape)}"
        )


def _check_layer(x: Tensor, adjacency: Tensor, w: Tensor) -> None:
    _check_signal(x, adjacency)
    if w.dim() != 2 or w.shape[0] != x.shape[1]:
        raise ValueError(f"expected x (N, D) and w (D, K), got x {tuple(x.shape)} and w {tuple(w.shape)}")


def normalized_adjacency(adjacency: Tensor) -> Tensor:
    """How a graph convolution averages: ``D^-1/2 (A + I) D^-1/2``, with D the degrees of ``A + I``.

    The self-loops of I let a node keep a share of its own signal. Dividing by the roots of both degrees keeps the
    matrix symmetric and its eigenvalues in (-1, 1], so that many layers do not blow a signal up.

    >>> normalized_adjacency(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])

    Args:
        adjacency: Weights of the edges, (N, N).

    Returns:
        The symmetric matrix, (N, N). An isolated node keeps its own signal: 1 on the diagonal.

    Raises:
        ValueError: If the matrix is not square, symmetric and floating-point, a weight is negative, or a node has a
            self-loop already.

    Source: Kipf and Welling (2017), Semi-supervised classification with graph convolutional networks.

    Chapter: Convolutional networks (gcn-spatial-filtering)
    """
    _check_adjacency(adjacency)
    with_loops = adjacency + torch.eye(len(adjacency), dtype=adjacency.dtype, device=adjacency.device)  # (N, N)
    scale = with_loops.sum(dim=1).rsqrt()  # (N,), degrees are at least 1
    return torch.outer(scale, scale) * with_loops  # (N, N)


def laplacian(adjacency: Tensor, normalized: bool = True) -> Tensor:
    """Laplacian of a graph: ``D - A``, or normalized ``D^-1/2 (D - A) D^-1/2``, with D the degrees of A.

    Applied to a signal it gives, at each node, how much the node differs from its neighbors. Its eigenvectors are the
    graph's Fourier modes, its eigenvalues their squared frequencies: 0 for a constant signal (with ``normalized``, for
    the signal of the roots of the degrees), at most 2 with ``normalized``.

    >>> laplacian(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), normalized=False)
    tensor([[ 1., -1.],
            [-1.,  1.]])

    Args:
        adjacency: Weights of the edges, (N, N).
        normalized: Divide by the roots of both degrees; the row and the column of an isolated node are 0.

    Returns:
        The symmetric matrix, (N, N), with no negative eigenvalue.

    Raises:
        ValueError: If the matrix is not square, symmetric and floating-point, a weight is negative, or a node has a
            self-loop.

    Source: Chung (1997), Spectral graph theory.

    Chapter: Convolutional networks (gcn-spectral-filtering)
    """
    _check_adjacency(adjacency)
    degrees = adjacency.sum(dim=1)  # (N,)
    difference = torch.diag(degrees) - adjacency  # (N, N)
    if not normalized:
        return difference
    scale = torch.where(degrees > 0, degrees, 1).rsqrt()  # (N,); an isolated node's row is 0, whatever it is scaled by
    return torch.outer(scale, scale) * difference  # (N, N)


def graph_convolution_forward(x: Tensor, adjacency: Tensor, w: Tensor) -> Tensor:
    """Graph convolution in the node domain: average over the neighborhood, then mix the features.

    ``out = normalized_adjacency(A) x w``: a node sees itself and its neighbors; after L layers, L hops.

    Args:
        x: Features of the nodes, (N, D).
        adjacency: Weights of the edges, (N, N), without self-loops and not normalized.
        w: Weights, (D, K), the same at every node.

    Returns:
        New features, (N, K).

    Raises:
        ValueError: If the shapes do not fit, or as for :func:`normalized_adjacency`.

    Source: Kipf and Welling (2017), Semi-supervised classification with graph convolutional networks.

    Chapter: Convolutional networks (gcn-spatial-filtering)
    """
    _check_layer(x, adjacency, w)
    return normalized_adjacency(adjacency) @ (x @ w)  # (N, N) @ (N, K)


def graph_convolution_backward(dout: Tensor, x: Tensor, adjacency: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Backward pass of :func:`graph_convolution_forward`; the graph is given, not learned, and gets no gradient.

    The normalized adjacency matrix is symmetric: gradients travel along the same edges as the features did.

    Args:
        dout: Gradient with respect to the output, (N, K).
        x: Features of the nodes, (N, D).
        adjacency: Weights of the edges, (N, N), without self-loops and not normalized.
        w: Weights, (D, K).

    Returns:
        ``dx`` (N, D) and ``dw`` (D, K).

    Raises:
        ValueError: As for the forward pass, or if ``dout`` does not have the shape of the output.

    Source: Kipf and Welling (2017), Semi-supervised classification with graph convolutional networks.

    Chapter: Convolutional networks (gcn-spatial-filtering)
    """
    _check_layer(x, adjacency, w)
    shape = (len(x), w.shape[1])
    if tuple(dout.shape) != shape:
        raise ValueError(f"dout must have the shape of the output, {shape}, got {tuple(dout.shape)}")
    gathered = normalized_adjacency(adjacency) @ dout  # (N, K), what reaches each node from its neighborhood
    return gathered @ w.T, x.T @ gathered


def spectral_filter(x: Tensor, adjacency: Tensor, response: Callable[[Tensor], Tensor]) -> Tensor:
    """Graph convolution in the spectral domain: ``U g(Lambda) U^T x``, with the normalized Laplacian ``U Lambda U^T``.

    ``U^T x`` is the graph Fourier transform of the signal; each mode is scaled by the response at its eigenvalue. In
    general every node then reaches every other: only a polynomial of degree K stays within K hops. A response with one
    free number per eigenvalue belongs to this one graph and means nothing on another.

    Args:
        x: Features of the nodes, (N, D).
        adjacency: Weights of the edges, (N, N).
        response: Maps the eigenvalues (N,), in ascending order from 0 to at most 2, to factors (N,).

    Returns:
        Filtered features, (N, D).

    Raises:
        ValueError: If the shapes do not fit, as for :func:`laplacian`, or if the response is not (N,).

    Source: Bruna, Zaremba, Szlam and LeCun (2014), Spectral networks and locally connected networks on graphs.

    Chapter: Convolutional networks (gcn-spectral-filtering)
    """
    _check_signal(x, adjacency)
    eigenvalues, modes = torch.linalg.eigh(laplacian(adjacency))  # (N,), (N, N): one mode per column
    factors = response(eigenvalues)
    if factors.shape != eigenvalues.shape:
        raise ValueError(
            f"response must return one factor per eigenvalue, {tuple(eigenvalues.shape)}, got {tuple(factors.shape)}"
        )
    return modes @ (factors[:, None] * (modes.T @ x))  # (N, D)


def chebyshev_filter(x: Tensor, adjacency: Tensor, coefficients: Tensor) -> Tensor:
    """Spectral filter that is a polynomial: ``sum_k c_k T_k(L - I) x``, with the normalized Laplacian L.

    ``T_k`` is the Chebyshev polynomial of degree k; subtracting I moves the eigenvalues from [0, 2] to [-1, 1], where
    these polynomials are at home. Each degree is one more product with the Laplacian: no eigenvectors are needed, a
    filter of K + 1 coefficients reaches K hops, and the same coefficients make sense on every graph.

    Args:
        x: Features of the nodes, (N, D).
        adjacency: Weights of the edges, (N, N).
        coefficients: ``c_0 ... c_K``, (K + 1,), at least one.

    Returns:
        Filtered features, (N, D).

    Raises:
        ValueError: If the shapes do not fit, or as for :func:`laplacian`.

    Source: Defferrard, Bresson and Vandergheynst (2016), Convolutional neural networks on graphs with fast localized
    spectral filtering.

    Chapter: Convolutional networks (gcn-spectral-filtering)
    """
    _check_signal(x, adjacency)
    if coefficients.dim() != 1 or len(coefficients) == 0:
        raise ValueError(f"coefficients must be a vector of at least one number, got {tuple(coefficients.shape)}")
    matrix = laplacian(adjacency)

    def shifted(signal: Tensor) -> Tensor:
        return matrix @ signal - signal  # (L - I) signal, (N, D)

    before, term = shifted(x), x  # T_{-1} = T_1, so the recurrence gives T_1 too
    out = coefficients[0] * term
    for coefficient in coefficients[1:]:
        before, term = term, 2 * shifted(term) - before  # T_{k+1}(z) = 2 z T_k(z) - T_{k-1}(z)
        out = out + coefficient * term
    return out
