"""Muon against an orthogonalisation by singular value decomposition."""

from __future__ import annotations

import pytest
import torch

from lawcheck.training.base.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(96, 96), (48, 96), (256, 96), (96, 256)])
def test_orthogonalise_keeps_singular_vectors_and_levels_singular_values(shape):
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape)
    made = orthogonalise(matrices)
    for matrix, result in zip(matrices, made, strict=True):
        u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
        inner = u.T @ result @ vh.T
        values = inner.diagonal()
        # Measured range of the quintic: the smallest of a square Gaussian matrix lags behind.
        assert (inner - values.diag()).abs().max() < 2e-3
        assert values.max() < 1.25
        assert values.median() > 0.65


def test_step_is_nesterov_momentum_through_the_svd_reference():
    torch.manual_seed(1)
    # Well-conditioned gradients, so that five iterations come close to the exact reference.
    weights = [torch.nn.Parameter(torch.randn(16, 8)), torch.nn.Parameter(torch.randn(8, 16))]
    before = [w.detach().clone() for w in weights]
    optimizer = Muon(weights, learning_rate=0.1, momentum=0.9, weight_decay=0.5)
    for weight in weights:
        tall = torch.linalg.qr(torch.randn(16, 8)).Q
        weight.grad = tall if weight.shape == (16, 8) else tall.T.contiguous()
    gradients = [w.grad.clone() for w in weights]
    optimizer.step()
    for weight, start, gradient in zip(weights, before, gradients, strict=True):
        u, _, vh = torch.linalg.svd(gradient, full_matrices=False)
        size = 0.1 * max(1.0, weight.shape[0] / weight.shape[1]) ** 0.5
        expected = start * (1 - 0.1 * 0.5) - size * (u @ vh)
        moved = (weight - start).norm()
        assert (weight - expected).norm() < 0.35 * moved


def test_torch_muon_takes_the_same_step():
    """torch.optim.Muon works in bfloat16: equal to its rounding, about one part in a hundred."""
    torch.manual_seed(2)
    ours = torch.nn.Parameter(torch.randn(48, 96))
    theirs = torch.nn.Parameter(ours.detach().clone())
    mine = Muon([ours], learning_rate=0.02, momentum=0.95, weight_decay=0.01)
    reference = torch.optim.Muon([theirs], lr=0.02, momentum=0.95, weight_decay=0.01)
    start = ours.detach().clone()
    for _ in range(3):
        gradient = torch.randn(48, 96)
        ours.grad, theirs.grad = gradient, gradient.clone()
        mine.step()
        reference.step()
    assert (ours - theirs).norm() < 0.03 * (theirs - start).norm()


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match="matrix"):
        Muon([torch.nn.Parameter(torch.zeros(4))], learning_rate=0.1)
