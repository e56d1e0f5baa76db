"""The losses: values by hand, gradients by finite differences, symmetry, saturation, and the gate of each sample."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from pxs.training.losses import (
    FORMS,
    clean_estimate,
    flow_matching,
    hinge,
    identity_loss,
    info_nce,
    log_ratio,
    one_sided_contrast,
    symmetric_contrast,
)


def at(*degrees):
    """Unit vectors (B, 2) at these angles, so that cosines are those of the differences."""
    radians = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def vectors(count, seed, size=5, batch=3):
    """`count` random unit vectors (batch, size), float64."""
    noise = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, batch, size, generator=noise, dtype=torch.float64)
    return [v.requires_grad_() for v in F.normalize(drawn, dim=-1)]


# Flow matching.


def test_flow_matching_by_hand():
    velocity, noise, clean = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    assert flow_matching(velocity, noise, clean).item() == pytest.approx(((1 - 2) ** 2 + (2 + 1) ** 2) / 2)
    assert flow_matching(noise - clean, noise, clean).item() == 0


def test_flow_matching_of_both_branches_is_the_mean_of_each():
    noise = torch.Generator().manual_seed(0)
    v_a, v_b, shared, clean_a, clean_b = torch.randn(5, 2, 4, 3, 3, generator=noise, dtype=torch.float64)
    both = flow_matching(torch.cat([v_a, v_b]), torch.cat([shared, shared]), torch.cat([clean_a, clean_b]))
    each = (flow_matching(v_a, shared, clean_a), flow_matching(v_b, shared, clean_b))
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)
    assert gradcheck(flow_matching, [v_a.requires_grad_(), shared, clean_a])


def test_flow_matching_does_not_broadcast():
    with pytest.raises((UserWarning, RuntimeError)):
        flow_matching(torch.zeros(2, 3), torch.zeros(1, 3), torch.zeros(1, 3))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_the_clean_estimate_of_the_true_velocity_is_the_clean_one(levels):
    sigma = torch.tensor(levels, dtype=torch.float64)
    clean, noise = torch.randn(2, len(levels), 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    share = sigma[:, None, None, None]
    noisy = (1 - share) * clean + share * noise
    torch.testing.assert_close(clean_estimate(noisy, noise - clean, sigma), clean)


def test_the_clean_estimate_by_hand_with_a_level_for_each_sample():
    noisy, velocity = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, -1.0], [2.0, 0.0]])
    expected = torch.tensor([[0.5, 2.5], [1.0, 4.0]])
    torch.testing.assert_close(clean_estimate(noisy, velocity, torch.tensor([0.5, 1.0])), expected)
    torch.testing.assert_close(clean_estimate(noisy, velocity, torch.zeros(2)), noisy)


def test_the_gradient_of_the_clean_estimate_is_minus_sigma():
    velocity = torch.zeros(2, 3, requires_grad=True)
    clean_estimate(torch.ones(2, 3), velocity, torch.tensor([0.25, 0.75])).sum().backward()
    assert torch.equal(velocity.grad, torch.tensor([[-0.25] * 3, [-0.75] * 3]))


# The forms of contrast.


def test_info_nce_by_hand():
    loss = info_nce(at(0, 0, 0), at(60, 60, 90), at(90, 60, 60), temperature=0.5)  # cosines 0.5 and 0
    near = -math.log(math.exp(1) / (math.exp(1) + math.exp(0)))
    far = -math.log(math.exp(0) / (math.exp(1) + math.exp(0)))
    assert loss.tolist() == pytest.approx([near, math.log(2), far])


def test_info_nce_is_cross_entropy_over_the_two_cosines():
    g, p, n = vectors(3, seed=0)
    logits = torch.stack([F.cosine_similarity(g, p), F.cosine_similarity(g, n)], dim=1) / 0.07
    expected = F.cross_entropy(logits, torch.zeros(3, dtype=torch.long), reduction="none")
    torch.testing.assert_close(info_nce(g, p, n), expected)


def test_info_nce_saturates_at_both_ends():
    loss = info_nce(at(0, 0).float(), at(0, 180).float(), at(180, 0).float())
    assert 0 < loss[0] < 1e-11
    assert loss[1].item() == pytest.approx(2 / 0.07, rel=1e-5)


def test_info_nce_stays_finite_at_any_temperature():
    g = at(0, 0).float().requires_grad_()
    loss = info_nce(g, at(90, 30).float(), at(30, 90).float(), temperature=1e-4)
    loss.sum().backward()
    assert loss.isfinite().all() and g.grad.isfinite().all()


def test_hinge_by_hand():
    loss = hinge(at(0, 0, 0, 0), at(60, 60, 90, 0), at(90, 60, 60, 180))
    assert loss.tolist() == pytest.approx([0, 0.2, 0.7, 0])
    assert hinge(at(0), at(180), at(0), margin=0.3).tolist() == pytest.approx([2.3])


def test_hinge_has_no_gradient_if_the_margin_is_kept():
    g = at(0, 0).requires_grad_()
    loss = hinge(g, at(30, 60), at(90, -60))
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0, 0.2])
    assert torch.equal(g.grad[0], torch.zeros(2, dtype=torch.float64))
    assert g.grad[1].tolist() == pytest.approx([0, -math.sqrt(3)])  # the difference of N and P, along the circle


def test_log_ratio_by_hand():
    loss = log_ratio(at(0, 0, 0), at(60, 90, 90), at(90, 90, 60), eps=0.5)  # distances 0.5 and 1
    assert loss.tolist() == pytest.approx([math.log(1 / 1.5), 0, math.log(1.5)])


def test_log_ratio_is_bounded_and_finite_for_equal_features():
    bound = math.log((2 + 1e-6) / 1e-6)
    g = F.normalize(torch.randn(200, 64, generator=torch.Generator().manual_seed(0)), dim=1).requires_grad_()
    loss = log_ratio(g, g.detach(), -g.detach())  # rounding takes some of these cosines above 1
    loss.sum().backward()
    assert (loss.abs() <= bound + 1e-3).all() and (loss < math.log(2e-6)).all()
    assert g.grad.isfinite().all()
    assert log_ratio(at(0), at(180), at(0)).item() == pytest.approx(bound)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_smaller_the_nearer_the_positive_and_the_farther_the_negative(form):
    angles = list(range(50, 71, 5))  # where the hinge is open
    count = len(angles)
    nearing = form(at(*[0] * count), at(*angles), at(*[60] * count))
    parting = form(at(*[0] * count), at(*[60] * count), at(*reversed(angles)))
    assert (nearing.diff() > 0).all() and (parting.diff() > 0).all()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_gives_one_independent_loss_per_sample(form):
    g, p, n = (v.detach() for v in vectors(3, seed=2, batch=4))
    alone = torch.cat([form(g[i : i + 1], p[i : i + 1], n[i : i + 1]) for i in range(4)])
    assert form(g, p, n).shape == (4,)
    torch.testing.assert_close(form(g, p, n), alone)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_only_the_directions_of_features_matter(form):
    g, p, n = vectors(3, seed=3)
    torch.testing.assert_close(form(3 * g, 0.5 * p, 7 * n), form(g, p, n))


SMOOTH = {"infonce": partial(info_nce, temperature=0.5), "hinge": partial(hinge, margin=2.5), "log_ratio": log_ratio}


@pytest.mark.parametrize("form", SMOOTH.values(), ids=SMOOTH)
def test_gradients_of_the_forms(form):
    assert gradcheck(form, vectors(3, seed=4))


def test_the_forms_by_name():
    assert {"infonce": info_nce, "hinge": hinge, "log_ratio": log_ratio} == FORMS


# Symmetric and one-sided.


def test_symmetric_contrast_by_hand():
    # G_a at 0, T_a at 60 (cos 0.5), T_b at 90 (cos 0); G_b at 150: cos 0 with T_a, 0.5 with T_b
    loss = symmetric_contrast(at(0), at(150), at(60), at(90), hinge)
    assert loss.tolist() == pytest.approx([0])
    # G_b at 30: cos(G_b, T_b) = 0.5, cos(G_b, T_a) = sqrt(3)/2
    loss = symmetric_contrast(at(0), at(30), at(60), at(90), hinge)
    assert loss.tolist() == pytest.approx([(0 + 0.2 + math.sqrt(3) / 2 - 0.5) / 2])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_symmetric_loss_does_not_change_when_branches_are_exchanged(form):
    for seed in range(20):
        g_a, g_b, t_a, t_b = vectors(4, seed)
        one, other = symmetric_contrast(g_a, g_b, t_a, t_b, form), symmetric_contrast(g_b, g_a, t_b, t_a, form)
        assert torch.equal(one, other)
        gradients = [torch.autograd.grad(loss.sum(), [g_a, g_b]) for loss in (one, other)]
        assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_symmetric_loss_is_the_mean_of_both_sides(form):
    g_a, g_b, t_a, t_b = vectors(4, seed=5)
    sides = one_sided_contrast(g_a, t_a, t_b, form), one_sided_contrast(g_b, t_b, t_a, form)
    torch.testing.assert_close(symmetric_contrast(g_a, g_b, t_a, t_b, form), (sides[0] + sides[1]) / 2)
    assert not torch.equal(*sides)


def test_the_one_sided_loss_does_not_depend_on_branch_b():
    g_a, g_b, t_a, t_b = vectors(4, seed=6)
    one_sided_contrast(g_a, t_a, t_b).sum().backward()
    assert g_a.grad.abs().sum() > 0 and g_b.grad is None
    g_a.grad = None
    symmetric_contrast(g_a, g_b, t_a, t_b).sum().backward()
    assert g_a.grad.abs().sum() > 0 and g_b.grad.abs().sum() > 0


def test_the_default_form_is_info_nce_at_temperature_0_07():
    g_a, g_b, t_a, t_b = vectors(4, seed=7)
    named = partial(info_nce, temperature=0.07)
    assert torch.equal(symmetric_contrast(g_a, g_b, t_a, t_b), symmetric_contrast(g_a, g_b, t_a, t_b, named))
    assert torch.equal(one_sided_contrast(g_a, t_a, t_b), info_nce(g_a, t_a, t_b))


@pytest.mark.parametrize("form", SMOOTH.values(), ids=SMOOTH)
def test_gradients_of_the_symmetric_loss(form):
    assert gradcheck(lambda *x: symmetric_contrast(*x, form), vectors(4, seed=8))


# Identity.


def test_identity_by_hand():
    # distances 0.5, 1 and 2, of which the last is above the gate
    loss = identity_loss(at(0, 0, 0), at(60, 90, 180), torch.tensor([0, 600, 601]))
    assert loss.item() == pytest.approx(0.75)
    assert identity_loss(at(0, 0), at(60, 90), torch.tensor([900.0, 100.0])).item() == pytest.approx(1)
    assert identity_loss(at(0, 0), at(60, 90), torch.tensor([300, 100]), gate=200).item() == pytest.approx(1)


def test_the_gate_applies_to_each_sample():
    g = at(0, 10, 20, 30).requires_grad_()
    identity_loss(g, at(60, 70, 80, 90), torch.tensor([700, 500, 601, 0])).backward()
    moved = g.grad.abs().sum(dim=1) > 0
    assert moved.tolist() == [False, True, False, True]
    alone = at(10, 30).requires_grad_()
    identity_loss(alone, at(70, 90), torch.tensor([500, 0])).backward()
    torch.testing.assert_close(g.grad[moved], alone.grad)


def test_identity_without_samples_is_zero_with_zero_gradient():
    g = at(0, 10).requires_grad_()
    loss = identity_loss(g, at(60, 90), torch.tensor([601, 1000]))
    loss.backward()
    assert loss.item() == 0 and torch.equal(g.grad, torch.zeros_like(g))


def test_features_above_the_gate_may_be_not_finite():
    g = torch.tensor([[1.0, 0.0], [math.nan, math.inf]], requires_grad=True)
    loss = identity_loss(g, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([100, 800]))
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert g.grad[0].isfinite().all() and torch.equal(g.grad[1], torch.zeros(2))


def test_gradients_of_identity():
    g, t = vectors(2, seed=9)
    assert gradcheck(lambda *x: identity_loss(*x, torch.tensor([0, 700, 600])), [g, t])
