import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from csist_bench.errors import InputError
from csist_bench.methods.networks.common.deform_conv import (
    KEEPING_3,
    DeformConv2d,
    DeformConv2dPack,
    Geometry,
    backend,
    deform_conv2d,
)
from tests.reference.naive_deform_conv import naive_deform_conv


@pytest.fixture(autouse=True)
def plain_torch(monkeypatch):
    monkeypatch.delenv("CSIST_BENCH_DCN", raising=False)


def random(*shape, seed=0, scale=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=dtype)


@st.composite
def layouts(draw):
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    return {
        "kernel": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "stride": draw(pair),
        "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "dilation": draw(pair),
        "groups": draw(st.sampled_from([1, 2])),
        "deform_groups": draw(st.sampled_from([1, 2, 4])),
        "size": draw(st.tuples(st.integers(1, 6), st.integers(1, 6))),
        "seed": draw(st.integers(0, 2**16)),
    }


def output_size(layout):
    rule = zip(layout["size"], layout["kernel"], layout["stride"], layout["padding"], layout["dilation"])
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in rule)


def random_case(layout):
    size, (kh, kw), seed = output_size(layout), layout["kernel"], layout["seed"]
    x = random(2, 4, *layout["size"], seed=seed)
    offset = random(2, 2 * layout["deform_groups"] * kh * kw, *size, seed=seed + 1, scale=1.5)
    weight = random(6, 4 // layout["groups"], kh, kw, seed=seed + 2)
    rule = [layout[name] for name in ("stride", "padding", "dilation", "groups", "deform_groups")]
    return x, offset, weight, rule


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_equals_the_loops(layout):
    if min(output_size(layout)) < 1:
        with pytest.raises(InputError, match="at least as large as the dilated kernel"):
            deform_conv2d(
                torch.zeros(2, 4, *layout["size"]),
                torch.zeros(2, 1, 1, 1),
                torch.zeros(6, 4, *layout["kernel"]),
                Geometry(layout["stride"], layout["padding"], layout["dilation"]),
            )
        return
    x, offset, weight, rule = random_case(layout)
    want = naive_deform_conv(x.numpy(), offset.numpy(), weight.numpy(), *rule)
    np.testing.assert_allclose(deform_conv2d(x, offset, weight, Geometry(*rule)).numpy(), want, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(layouts())
def test_zero_offsets_give_the_ordinary_convolution(layout):
    if min(output_size(layout)) < 1:
        return
    x, offset, weight, rule = random_case(layout)
    stride, padding, dilation, groups, _ = rule
    want = functional.conv2d(x, weight, None, stride, padding, dilation, groups)
    got = deform_conv2d(x, torch.zeros_like(offset), weight, Geometry(*rule))
    torch.testing.assert_close(got, want, atol=1e-10, rtol=0)


@pytest.mark.parametrize("shift", [(1, 0), (0, -2), (-1, 2)])
def test_whole_pixel_offsets_read_the_shifted_input(shift):
    x, weight = random(2, 4, 7, 8), random(3, 4, 3, 3, seed=1)
    offset = torch.zeros(2, 18, 7, 8, dtype=torch.float64)
    offset[:, 0::2], offset[:, 1::2] = shift
    # A frame of zeros wide enough that the roll brings in nothing else.
    wide = torch.roll(functional.pad(x, (4, 4, 4, 4)), (-shift[0], -shift[1]), dims=(2, 3))
    want = functional.conv2d(wide, weight, padding=1)[:, :, 4:-4, 4:-4]
    torch.testing.assert_close(deform_conv2d(x, offset, weight, KEEPING_3), want, atol=1e-10, rtol=0)


def test_half_a_pixel_reads_the_mean_of_two_neighbours():
    x = torch.tensor([[[[1.0, 3.0, 7.0]]]])
    weight = torch.ones(1, 1, 1, 1)
    offset = torch.zeros(1, 2, 1, 3)
    offset[:, 1] = 0.5
    got = deform_conv2d(x, offset, weight)
    torch.testing.assert_close(got, torch.tensor([[[[2.0, 5.0, 3.5]]]]))


def test_gradients_agree_with_differences():
    x = random(1, 4, 4, 3).requires_grad_()
    # Kept off whole pixels, where bilinear reading has no derivative.
    offset = (0.3 + 0.1 * torch.tanh(random(1, 2 * 2 * 4, 3, 2, seed=1))).requires_grad_()
    weight = random(2, 2, 2, 2, seed=2).requires_grad_()

    def layer(x, offset, weight):
        return deform_conv2d(x, offset, weight, Geometry(groups=2, deform_groups=2))

    assert torch.autograd.gradcheck(layer, (x, offset, weight))


def test_pack_starts_as_an_ordinary_convolution_and_learns_offsets():
    torch.manual_seed(0)
    layer = DeformConv2dPack(4, 6, 3, Geometry(padding=(1, 1), deform_groups=2))
    x = random(3, 4, 5, 5, dtype=torch.float32)
    torch.testing.assert_close(layer(x), functional.conv2d(x, layer.weight, padding=1), atol=1e-5, rtol=1e-5)
    layer(x).square().sum().backward()
    assert layer.conv_offset.weight.grad.abs().max() > 0


def test_state_dictionary_has_the_names_and_shapes_of_mmcv():
    shapes = {
        name: tuple(value.shape)
        for name, value in DeformConv2dPack(4, 6, 3, Geometry(deform_groups=2)).state_dict().items()
    }
    assert shapes == {"weight": (6, 4, 3, 3), "conv_offset.weight": (36, 4, 3, 3), "conv_offset.bias": (36,)}
    assert set(DeformConv2d(4, 6, 3).state_dict()) == {"weight"}


def test_half_precision_input_keeps_its_type():
    x = random(1, 2, 5, 5, dtype=torch.float32)
    weight, offset = random(2, 2, 3, 3, dtype=torch.float32, seed=1), random(1, 18, 5, 5, dtype=torch.float32, seed=2)
    exact = deform_conv2d(x, offset, weight, KEEPING_3)
    half = deform_conv2d(x.bfloat16(), offset, weight.bfloat16(), KEEPING_3)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), exact, atol=0.1, rtol=0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DeformConv2d(4, 6, 3, Geometry(deform_groups=3)), "deform_groups must divide in_channels = 4, got 3"),
        (lambda: DeformConv2d(4, 6, 3, Geometry(groups=0)), "groups must divide in_channels = 4, got 0"),
        (lambda: DeformConv2d(4, 5, 3, Geometry(groups=2)), "groups must divide out_channels = 5"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_offset_of_another_shape_is_named():
    layer = DeformConv2d(4, 6, 3)
    with pytest.raises(InputError, match=r"offset must have shape .*\(1, 18, 3, 3\), got \(1, 18, 5, 5\)"):
        layer(torch.zeros(1, 4, 5, 5), torch.zeros(1, 18, 5, 5))


def test_pack_reads_its_offsets_from_the_guide():
    layer = DeformConv2dPack(2, 2, 3, KEEPING_3)
    torch.nn.init.normal_(layer.conv_offset.weight)
    x, guide = random(1, 2, 5, 5, dtype=torch.float32), random(1, 2, 5, 5, dtype=torch.float32, seed=1)
    want = deform_conv2d(x, layer.conv_offset(guide), layer.weight, KEEPING_3)
    torch.testing.assert_close(layer(x, guide), want)
    assert not torch.allclose(layer(x), want)


def test_backend_follows_the_environment(monkeypatch):
    assert backend() == "torch"
    monkeypatch.setenv("CSIST_BENCH_DCN", "mmcv")
    assert backend() == "mmcv"
    monkeypatch.setenv("CSIST_BENCH_DCN", "mmvc")
    with pytest.raises(InputError, match="did you mean 'mmcv'"):
        backend()


def test_mmcv_asked_for_but_missing_says_how_to_install_it(monkeypatch):
    try:
        import mmcv._ext  # noqa: F401
    except ImportError:
        monkeypatch.setenv("CSIST_BENCH_DCN", "mmcv")
        with pytest.raises(InputError, match=r"pip install 'csist-bench\[mmcv\]'"):
            DeformConv2dPack(4, 4, 3, KEEPING_3)(torch.zeros(1, 4, 5, 5))
    else:
        pytest.skip("mmcv is installed here: the equality test below runs instead")


@pytest.mark.parametrize("batch", [1, 3, 33, 37])
def test_equals_the_compiled_operator_of_mmcv(batch, monkeypatch):
    pytest.importorskip("mmcv._ext", exc_type=ImportError)
    from mmcv.ops import DeformConv2dPack as Compiled

    ours = DeformConv2dPack(8, 6, 3, Geometry(padding=(1, 1), deform_groups=4))
    torch.nn.init.normal_(ours.conv_offset.weight, std=0.2)
    theirs = Compiled(8, 6, 3, padding=1, deform_groups=4)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = random(batch, 8, 9, 11, dtype=torch.float32)

    results = {}
    for name in ("torch", "mmcv"):
        monkeypatch.setenv("CSIST_BENCH_DCN", name)
        given_x = x.clone().requires_grad_()
        ours.zero_grad()
        out = ours(given_x)
        out.square().mean().backward()
        results[name] = [out.detach(), given_x.grad, *(p.grad.clone() for p in ours.parameters())]
    for plain, compiled in zip(results["torch"], results["mmcv"]):
        scale = float(compiled.abs().max())
        torch.testing.assert_close(plain / scale, compiled / scale, atol=1e-5, rtol=0)
    if batch <= 32:
        torch.testing.assert_close(theirs(x), results["mmcv"][0], atol=1e-5, rtol=1e-5)
