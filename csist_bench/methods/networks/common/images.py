"""Between sequences in grey levels and the batches of single-channel images that convolutions take; their layout."""

from __future__ import annotations

from torch import Tensor, nn

from csist_bench.methods.networks.common.sampling import Sampling

# Networks work on grey levels divided by this: a convolution's default weights and biases suit numbers near one.
GREY_SCALE = 255.0


class ImageNetwork(nn.Module):
    """A network that unmixes each frame by itself, as an image of one channel: a subclass says how in `_unmix`."""

    resizable = True
    scale = GREY_SCALE  # grey levels that images are divided by

    def __init__(self, sampling: Sampling) -> None:
        super().__init__()
        self.sampling = sampling

    def forward(self, frames: Tensor) -> Tensor:
        """Unmix frames (B, T, S, S) into label grids (B, T, cS, cS), grey levels both."""
        return grids_from_images(self._unmix(images_from_frames(frames, self.scale)), frames, self.scale)

    def _unmix(self, images: Tensor) -> Tensor:
        """Map images (B, 1, S, S) to images (B, 1, cS, cS), both in units of `scale`."""
        raise NotImplementedError


def images_from_frames(frames: Tensor, scale: float = GREY_SCALE) -> Tensor:
    """Return frames or grids (B, T, h, w) in grey levels as images (B * T, 1, h, w) in units of `scale`."""
    return frames.flatten(0, 1).unsqueeze(1) / scale


def grids_from_images(images: Tensor, frames: Tensor, scale: float = GREY_SCALE) -> Tensor:
    """Return images (B * T, 1, h, w) as grids (B, T, h, w) in grey levels, for the frames (B, T, ...) they answer."""
    return (images * scale).reshape(*frames.shape[:2], *images.shape[-2:])


def channels_last(grid: Tensor) -> Tensor:
    """Return one-channel grids (B, 1, h, w) as a view that convolutions take for channels-last.

    Everything computed from it stays in that layout, in which a 32-channel 3x3 convolution of 64 grids took half the
    time of the default layout on one CPU core.
    """
    return grid.squeeze(1).unsqueeze(-1).movedim(-1, 1)
