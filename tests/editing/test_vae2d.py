"""Tests of the 2-D VAE against the stock class of diffusers: same results, same gradients, same names."""

from functools import cache

import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from torch import Tensor, nn

from pxs.editing.exact.vae2d import Vae2d

SHAPES = {"blocks 2, temporal": (2, (False, True, True)), "blocks 1, flat": (1, (False, False, False))}
shapes = pytest.mark.parametrize("shape", SHAPES)


@cache
def stock(shape: str) -> AutoencoderKLQwenImage:
    """A tiny stock VAE with random weights, the gains of its norms included."""
    blocks, temporal = SHAPES[shape]
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=3, num_res_blocks=blocks, temperal_downsample=list(temporal)).eval()
    with torch.no_grad():
        for index, p in enumerate(vae.parameters()):
            noise = torch.randn(p.shape, generator=torch.Generator().manual_seed(index))
            p.copy_(p + 0.3 * noise if p.ndim in (3, 4) and p.shape[1:].numel() == 1 else p + 0.02 * noise)
    return vae


def pictures() -> Tensor:
    """Two pictures that are not square."""
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def latents() -> Tensor:
    """Two latents that are not square."""
    return torch.randn(2, 3, 2, 3, generator=torch.Generator().manual_seed(1))


def close(ours: Tensor, theirs: Tensor) -> None:
    """Fail unless two tensors of one shape agree to 2e-5: sums are rounded in another order."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


@torch.no_grad()
@shapes
def test_encoding_gives_the_moments_of_the_stock_vae(shape):
    mean, logvar = Vae2d.from_stock(stock(shape)).encode(pictures())
    posterior = stock(shape).encode(pictures()[:, :, None]).latent_dist
    assert mean.std() > 0.01 and mean.shape == (2, 3, 2, 3)
    close(mean, posterior.mean[:, :, 0]), close(logvar, posterior.logvar[:, :, 0])


@torch.no_grad()
@shapes
def test_decoding_gives_the_picture_of_the_stock_vae(shape):
    picture = Vae2d.from_stock(stock(shape)).decode(latents())
    assert picture.std() > 0.01 and picture.shape == (2, 3, 16, 24)
    close(picture, stock(shape).decode(latents()[:, :, None]).sample[:, :, 0])


@torch.no_grad()
def test_decoding_stays_between_minus_one_and_one_as_in_the_stock_vae():
    flat = Vae2d.from_stock(stock("blocks 1, flat"))
    flat.decoder.conv_out.weight.mul_(100)
    picture = flat.decode(latents())
    assert picture.min() == -1 and picture.max() == 1


@torch.no_grad()
def test_own_weights_load_strictly_into_the_stock_class_and_give_the_same_results():
    torch.manual_seed(3)
    flat = Vae2d(base_dim=4, z_dim=3, num_res_blocks=1)
    for p in flat.parameters():
        p.add_(0.05 * torch.randn_like(p))
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=3, num_res_blocks=1, temperal_downsample=[False] * 3)
    vae.load_state_dict(flat.stock_state_dict(), strict=True)
    close(flat.encode(pictures())[0], vae.encode(pictures()[:, :, None]).latent_dist.mean[:, :, 0])
    close(flat.decode(latents()), vae.decode(latents()[:, :, None]).sample[:, :, 0])


def test_stock_weights_return_with_all_but_the_last_slice_zero():
    vae = stock("blocks 1, flat")
    back = Vae2d.from_stock(vae).stock_state_dict()
    assert back.keys() == vae.state_dict().keys()
    for name, weight in vae.state_dict().items():
        assert back[name].shape == weight.shape, name
        if weight.ndim == 5:
            assert torch.equal(back[name][:, :, -1], weight[:, :, -1]) and not back[name][:, :, :-1].any(), name
        else:
            assert torch.equal(back[name], weight), name


def test_a_second_trip_through_stock_names_changes_nothing():
    torch.manual_seed(4)
    flat = Vae2d(base_dim=4, z_dim=3, num_res_blocks=1)
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=3, num_res_blocks=1, temperal_downsample=[False] * 3)
    vae.load_state_dict(flat.stock_state_dict())
    again = Vae2d.from_stock(vae).state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in flat.state_dict().items())


def weighted(mean: Tensor, picture: Tensor) -> Tensor:
    """A scalar in which every output counts differently."""
    w = [torch.randn(x.shape, generator=torch.Generator().manual_seed(5)) for x in (mean, picture)]
    return (mean * w[0]).sum() + (picture * w[1]).sum()


def loss_of(vae: nn.Module, lift: bool) -> Tensor:
    """The weighted moments and pictures of a VAE; `lift` adds the frame dimension of the stock class."""
    if lift:
        moments = vae.encode(pictures()[:, :, None]).latent_dist.parameters[:, :, 0]
        return weighted(moments, vae.decode(latents()[:, :, None]).sample[:, :, 0])
    return weighted(torch.cat(vae.encode(pictures()), dim=1), vae.decode(latents()))


def test_every_weight_has_the_gradient_of_the_last_slice_of_the_stock_weight():
    vae = stock("blocks 2, temporal")
    flat = Vae2d.from_stock(vae).requires_grad_(True)
    vae.zero_grad()
    loss_of(vae, lift=True).backward(), loss_of(flat, lift=False).backward()
    theirs = dict(vae.named_parameters())
    for name, p in flat.named_parameters():
        expected = theirs[name].grad[:, :, -1] if theirs[name].ndim == 5 else theirs[name].grad.view_as(p)
        assert p.grad.abs().max() > 0, name
        torch.testing.assert_close(p.grad, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()), msg=name)
    assert {k for k in theirs if k not in dict(flat.named_parameters())} == {k for k in theirs if "time_conv" in k}


def test_a_copy_is_frozen_and_independent_and_keeps_the_dtype():
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=3, num_res_blocks=1).to(torch.bfloat16)
    flat = Vae2d.from_stock(vae)
    assert {p.dtype for p in flat.parameters()} == {torch.bfloat16} and not flat.training
    assert not any(p.requires_grad for p in flat.parameters())
    before = vae.encoder.conv_in.weight.detach().clone()
    with torch.no_grad():
        flat.encoder.conv_in.weight.zero_()
    assert torch.equal(vae.encoder.conv_in.weight, before)


@torch.no_grad()
def test_pictures_of_a_batch_do_not_influence_each_other():
    flat = Vae2d.from_stock(stock("blocks 1, flat"))
    close(flat.encode(pictures())[0][1:], flat.encode(pictures()[1:])[0])
    close(flat.decode(latents())[1:], flat.decode(latents()[1:]))


def test_attention_scales_are_refused_and_shown():
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=3, num_res_blocks=1, attn_scales=[0.5])
    with pytest.raises(ValueError, match=r"attn_scales \[0.5\]"):
        Vae2d.from_stock(vae)
