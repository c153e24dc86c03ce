"""TDAN against the paper's loops."""

import torch

from csist_bench.methods.networks.super_resolution.tdan import TDAN
from tests.helpers.super_resolution import build, perturb, random_frames


def looped_tdan(model: TDAN, frames):
    """TDAN for one trajectory (T, S, S) as the paper says it: centre by centre, neighbour by neighbour."""
    grids, last = [], len(frames) - 1
    for j in range(len(frames)):
        centre = model.extract(frames[None, None, j] / 255)
        window = []
        for step in (-2, -1, 0, 1, 2):
            i = min(max(j + step, 0), last)
            if step == 0:
                window.append(frames[None, None, j] / 255)
                continue
            neighbour = model.extract(frames[None, None, i] / 255)
            guide = model.guide(model.pair(torch.cat((centre, neighbour), dim=1)))
            window.append(model.to_frame(model.align(model.align_by_guide(neighbour, guide))))
        grids.append(255 * model.reconstruct(torch.cat(window, dim=1))[0, 0])
    return torch.stack(grids)


def test_tdan_in_one_batch_equals_the_loops():
    model = perturb(build("tdan")).eval()
    frames = random_frames(2, 6, 11, 11)
    with torch.no_grad():
        got, want = model(frames), torch.stack([looped_tdan(model, sequence) for sequence in frames])
    torch.testing.assert_close(got, want, atol=1e-3, rtol=1e-4)


def test_tdan_sees_two_frames_either_way():
    model = perturb(build("tdan")).eval()
    frames = random_frames(1, 8, 11, 11)
    changed = frames.clone()
    changed[:, 4] += 50
    with torch.no_grad():
        moved = (model(changed) - model(frames)).abs().amax(dim=(0, 2, 3)) > 1e-3
    assert moved.tolist() == [False, False, True, True, True, True, True, False]


def test_tdan_published_slip_pastes_the_middle_frame():
    frames = random_frames(1, 7, 11, 11)
    own, slip = (perturb(build("tdan", centre=centre)).eval() for centre in ("own", "frame10"))
    with torch.no_grad():
        same = (own(frames) - slip(frames)).abs().amax(dim=(0, 2, 3)) < 1e-4
    assert same.tolist() == [False, False, False, True, False, False, False]


def test_tdan_loss_counts_the_scored_frames_and_their_alignment():
    model = perturb(build("tdan"))
    frames, labels = random_frames(2, 6, 11, 11), random_frames(2, 6, 33, 33, seed=1)
    terms = model.loss(frames, labels, slice(2, 5))
    want = (model(frames)[:, 2:5] - labels[:, 2:5]).square().mean()
    torch.testing.assert_close(terms["unmixing"], want, rtol=1e-5, atol=1e-3)
    assert terms["alignment"] > 0
    torch.testing.assert_close(terms["total"], terms["unmixing"] + 0.01 * terms["alignment"])
    by_index = model.loss(frames, labels, torch.tensor([2, 3, 4]))
    torch.testing.assert_close(by_index["total"], terms["total"])
