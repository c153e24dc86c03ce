"""Small super-resolution networks for tests."""

import torch

from csist_bench.methods import registry
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.simulation.optics import Optics

SMALL = {
    "srcnn": {"features": 4, "mapped": 3},
    "espcn": {"features": 4, "mapped": 3},
    "edsr": {"features": 4, "blocks": 2},
    "rdn": {"features": 4, "growth": 3, "blocks": 2, "layers": 2},
    "dbpn": {"wide": 6, "features": 4, "stages": 2},
    "gmfn": {"features": 4, "steps": 3, "blocks": 2, "layers": 2},
    "srgan": {"features": 4, "blocks": 2, "critic_features": 4},
    "esrgan": {"features": 4, "growth": 3, "blocks": 1, "critic_features": 4},
    "bsrgan": {"features": 4, "growth": 3, "blocks": 1, "critic_features": 4},
    "tdan": {"features": 4, "blocks_before": 1, "blocks_after": 1, "deform_groups": 2},
    "focus": {"features": 4, "mapped": 3},
}

ADVERSARIAL = ("srgan", "esrgan", "bsrgan")


def build(name, optics=None, **settings):
    torch.manual_seed(0)
    sampling = Sampling.from_optics(optics or Optics())
    kind = registry.load_class(registry.find(name))
    return kind(sampling, kind.Settings(**{**SMALL[name], **settings}))


def random_frames(*shape, seed=0):
    return 200 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def perturb(model, seed=1):
    """Give every parameter a value of its own, so that nothing rests at the zero it started from."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model
