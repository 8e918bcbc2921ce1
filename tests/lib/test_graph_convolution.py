"""Graph convolutions against loops, a dense eigen-decomposition and finite differences; communities by their graph."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

from neuralnotes import data
from neuralnotes import graph_convolution as graph


def path(n):
    forward = torch.diag(torch.ones(n - 1, dtype=torch.float64), 1)
    return forward + forward.T


def weighted(normal, n=7):
    """A graph with weights, where node 0 has a single neighbor and the last node is isolated."""
    upper = torch.triu(normal(n, n).abs(), diagonal=1) * (normal(n, n) > 0)
    upper[0] = 0
    upper[0, 1] = 0.7
    upper[:, -1] = 0
    return upper + upper.T


def shifted_eigenvalues(adjacency):
    """Eigen-decomposition of L - I, with L written element by element: another way than the library's."""
    n = len(adjacency)
    degrees = [sum(adjacency[i, j].item() for j in range(n)) for i in range(n)]
    matrix = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i == j:
                matrix[i, j] = 0.0 if degrees[i] > 0 else -1.0
            elif adjacency[i, j] > 0:
                matrix[i, j] = -adjacency[i, j].item() / (degrees[i] * degrees[j]) ** 0.5
    return np.linalg.eigh(matrix)


def test_doctests():
    result = doctest.testmod(graph)
    assert result.attempted >= 2 and result.failed == 0


def test_normalized_adjacency(normal):
    a = weighted(normal)
    got = graph.normalized_adjacency(a)
    n = len(a)
    for i in range(n):
        for j in range(n):
            entry = a[i, j] + (i == j)
            assert got[i, j].item() == pytest.approx((entry / ((a[i].sum() + 1) * (a[j].sum() + 1)) ** 0.5).item())
    assert torch.equal(got, got.T)
    values = torch.linalg.eigvalsh(got)
    assert values[-1].item() == pytest.approx(1) and values[0] > -1
    assert got[-1, -1] == 1 and got[-1, :-1].count_nonzero() == 0


def test_laplacian(normal):
    a = weighted(normal)
    x = normal(len(a))
    # x^T (D - A) x is the sum over the edges of weight times squared difference: the definition of roughness.
    edges = [(i, j) for i in range(len(a)) for j in range(i)]
    rough = sum(a[i, j] * (x[i] - x[j]) ** 2 for i, j in edges)
    torch.testing.assert_close(x @ graph.laplacian(a, normalized=False) @ x, rough)
    degrees = a.sum(dim=1)
    roots = torch.where(degrees > 0, degrees, 1).sqrt()
    rough = sum(a[i, j] * (x[i] / roots[i] - x[j] / roots[j]) ** 2 for i, j in edges)
    normalized = graph.laplacian(a)
    torch.testing.assert_close(x @ normalized @ x, rough)
    torch.testing.assert_close(normalized @ degrees.sqrt(), torch.zeros_like(x), rtol=0, atol=1e-14)
    values = torch.linalg.eigvalsh(normalized)
    assert values[0] > -1e-14 and values[-1] < 2
    assert normalized[-1].count_nonzero() == 0, "an isolated node"
    # A single edge is bipartite, which is where the eigenvalue 2 is reached.
    assert torch.linalg.eigvalsh(graph.laplacian(path(2))).tolist() == pytest.approx([0, 2])


def test_graph_convolution(normal, check_gradients):
    a, x, w = weighted(normal), normal(7, 3), normal(3, 2)
    out = graph.graph_convolution_forward(x, a, w)
    averaged = torch.zeros(7, 3, dtype=torch.float64)
    for i in range(7):
        for j in range(7):
            share = (a[i, j] + (i == j)) / ((a[i].sum() + 1) * (a[j].sum() + 1)).sqrt()
            averaged[i] += share * x[j]
    torch.testing.assert_close(out, averaged @ w, rtol=1e-12, atol=1e-13)
    dout = normal(7, 2)
    check_gradients(
        lambda x, w: (graph.graph_convolution_forward(x, a, w) * dout).sum(),
        [x, w],
        graph.graph_convolution_backward(dout, x, a, w),
    )


def test_graph_convolution_is_equivariant_to_the_numbering_of_the_nodes(normal):
    a, x, w = weighted(normal), normal(7, 3), normal(3, 2)
    order = torch.tensor([3, 6, 0, 2, 5, 1, 4])
    out = graph.graph_convolution_forward(x, a, w)
    renumbered = graph.graph_convolution_forward(x[order], a[order][:, order], w)
    torch.testing.assert_close(renumbered, out[order], rtol=1e-12, atol=1e-13)


def test_one_layer_is_one_hop():
    x, w = torch.zeros(9, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    x[4] = 1
    for hops in range(1, 5):
        x = graph.graph_convolution_forward(x, path(9), w)
        assert x[:, 0].nonzero().flatten().tolist() == list(range(4 - hops, 5 + hops))


def test_spectral_filter(normal):
    a, x = weighted(normal), normal(7, 2)
    torch.testing.assert_close(graph.spectral_filter(x, a, torch.ones_like), x, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(graph.spectral_filter(x, a, lambda value: value), graph.laplacian(a) @ x)
    shifted, modes = shifted_eigenvalues(a)
    expected = modes @ np.diag(np.exp(-2 * (shifted + 1))) @ modes.T @ x.numpy()
    got = graph.spectral_filter(x, a, lambda value: torch.exp(-2 * value))
    torch.testing.assert_close(got, torch.from_numpy(expected), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_chebyshev_filter(count, normal):
    a, x, coefficients = weighted(normal), normal(7, 2), normal(count)
    shifted, modes = shifted_eigenvalues(a)
    response = np.polynomial.chebyshev.chebval(shifted, coefficients.numpy())
    expected = torch.from_numpy(modes @ np.diag(response) @ modes.T) @ x
    got = graph.chebyshev_filter(x, a, coefficients)
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-12)

    def polynomial(eigenvalues):
        angle = torch.acos((eigenvalues - 1).clamp(-1, 1))  # T_k(cos t) = cos(k t)
        return sum(c * torch.cos(k * angle) for k, c in enumerate(coefficients))

    torch.testing.assert_close(graph.spectral_filter(x, a, polynomial), got, rtol=1e-6, atol=1e-7)


def test_a_polynomial_is_local_and_a_free_spectral_filter_is_not(normal):
    impulse = torch.zeros(10, 1, dtype=torch.float64)
    impulse[4] = 1
    for degree in range(5):
        out = graph.chebyshev_filter(impulse, path(10), normal(degree + 1))
        far = [i for i in range(10) if abs(i - 4) > degree]
        assert out[far].count_nonzero() == 0 and (out[max(4 - degree, 0) : 5 + degree : 2] != 0).any()
        assert out[4 - degree] != 0 and out[4 + degree] != 0
    free = normal(10)
    assert (graph.spectral_filter(impulse, path(10), lambda _: free).abs() > 1e-6).all()


def test_autograd_goes_through_the_filters(normal):
    a, x, coefficients = weighted(normal), normal(7, 2).requires_grad_(), normal(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, c: graph.chebyshev_filter(x, a, c), [x, coefficients])
    factors = normal(7).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, f: graph.spectral_filter(x, a, lambda _: f), [x, factors])


def test_errors(normal):
    a, x, w = weighted(normal), normal(7, 3), normal(3, 2)
    looped, directed, negative, missing = a.clone(), a.clone(), a.clone(), a.clone()
    looped[2, 2] = 1
    directed[0, 1] = 5
    negative[0, 1] = negative[1, 0] = -1
    missing[0, 1] = missing[1, 0] = torch.nan
    bad = [
        (a[:3], "square"),
        (a[0], "square"),
        (a.long(), "floating-point"),
        (directed, "symmetric"),
        (missing, "symmetric"),
        (negative, "negative weights, its smallest is -1"),
        (looped, "diagonal"),
    ]
    for adjacency, message in bad:
        for call in (
            lambda a: graph.normalized_adjacency(a),
            lambda a: graph.laplacian(a),
            lambda a: graph.laplacian(a, normalized=False),
            lambda a: graph.graph_convolution_forward(x, a, w),
            lambda a: graph.graph_convolution_backward(x @ w, x, a, w),
            lambda a: graph.spectral_filter(x, a, torch.ones_like),
            lambda a: graph.chebyshev_filter(x, a, w[0]),
        ):
            with pytest.raises(ValueError, match=message):
                call(adjacency)
    for signal in (x[:6], x[0], x[None]):
        with pytest.raises(ValueError, match=r"x \(N, D\)"):
            graph.graph_convolution_forward(signal, a, w)
        with pytest.raises(ValueError, match=r"x \(N, D\)"):
            graph.spectral_filter(signal, a, torch.ones_like)
        with pytest.raises(ValueError, match=r"x \(N, D\)"):
            graph.chebyshev_filter(signal, a, w[0])
    for weights in (w[0], w.T):
        with pytest.raises(ValueError, match=r"w \(D, K\)"):
            graph.graph_convolution_forward(x, a, weights)
    with pytest.raises(ValueError, match=r"\(7, 2\), got \(7, 3\)"):
        graph.graph_convolution_backward(x, x, a, w)
    for response in (lambda value: value[:3], lambda value: value[:, None]):
        with pytest.raises(ValueError, match=r"one factor per eigenvalue, \(7,\)"):
            graph.spectral_filter(x, a, response)
    for coefficients in (w, w[0, :0]):
        with pytest.raises(ValueError, match="at least one number"):
            graph.chebyshev_filter(x, a, coefficients)


def test_conduct(normal, check_conduct, device):
    a, x, w, dout = weighted(normal), normal(7, 3), normal(3, 2), normal(7, 2)
    for function, arguments in (
        (graph.normalized_adjacency, [a]),
        (graph.laplacian, [a]),
        (graph.laplacian, [a, False]),
        (graph.graph_convolution_forward, [x, a, w]),
        (graph.graph_convolution_backward, [dout, x, a, w]),
        (graph.spectral_filter, [x, a, torch.sin]),
        (graph.chebyshev_filter, [x, a, w[:, 0]]),
    ):
        check_conduct(function, arguments, device, reads_values=True)


def reached(adjacency):
    """The nodes that can be reached from node 0, by walking."""
    seen, frontier = {0}, [0]
    while frontier:
        frontier = [j for i in frontier for j in np.flatnonzero(adjacency[i]).tolist() if j not in seen]
        seen.update(frontier)
    return seen


@pytest.mark.parametrize(("n", "classes"), [(60, 3), (61, 4), (2, 2), (5, 1), (1, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_communities(n, classes, seed):
    adjacency, labels = data.communities(n, classes, seed)
    assert adjacency.shape == (n, n) and adjacency.dtype == np.float64 and set(np.unique(adjacency)) <= {0.0, 1.0}
    assert np.array_equal(adjacency, adjacency.T) and not adjacency.diagonal().any()
    assert len(reached(adjacency)) == n, "connected"
    assert labels.shape == (n,) and labels.dtype == np.int64 and np.ptp(np.bincount(labels, minlength=classes)) <= 1
    again = data.communities(n, classes, seed)
    assert np.array_equal(adjacency, again[0]) and np.array_equal(labels, again[1])


def test_communities_have_the_chances_they_are_asked_for():
    adjacency, labels = data.communities(600, 3, seed=1, inside=0.2, between=0.01)
    same = labels[:, None] == labels
    np.fill_diagonal(same, False)
    different = labels[:, None] != labels
    # 59,700 and 120,000 pairs: one standard deviation of the share is 0.0016 and 0.0003.
    assert adjacency[same].mean() == pytest.approx(0.2, abs=0.008)
    assert adjacency[different].mean() == pytest.approx(0.01, abs=0.0015)
    assert not np.array_equal(data.communities()[0], data.communities(seed=1)[0])


def test_communities_are_joined_by_as_few_edges_as_it_takes():
    adjacency, labels = data.communities(12, 3, inside=1, between=0)
    complete = 3 * 4 * 3 // 2
    assert adjacency.sum() / 2 == complete + 2 and len(reached(adjacency)) == 12
    tree, _ = data.communities(30, 3, inside=0, between=0)
    assert tree.sum() / 2 == 29


def test_communities_errors():
    with pytest.raises(ValueError, match="at least one point per class"):
        data.communities(2, 3)
    for chances in ({"inside": 1.1}, {"between": -0.1}):
        with pytest.raises(ValueError, match="from 0 to 1"):
            data.communities(**chances)
