"""A training loop of a newcomer's own: a small network, a minute, its score. Usage: own_loop.py SET.zarr MINUTES"""

import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader

from csist_bench.torch import SequenceDataset, cso_map

train = DataLoader(SequenceDataset(sys.argv[1], "train", window=1), batch_size=64, shuffle=True)
test = SequenceDataset(sys.argv[1], "test", window=1, labels="points")
net = nn.Sequential(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
                    nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3))  # fmt: skip
optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
end = time.monotonic() + 60 * float(sys.argv[2])
while time.monotonic() < end:
    for batch in train:
        error = 100 * net(batch["frames"] / 100).squeeze(1) - batch["grid"]
        optimiser.zero_grad()
        error.square().mean().backward()
        optimiser.step()
        if time.monotonic() > end:
            break
with torch.inference_mode():
    frames, xy = (torch.stack([sample[name] for sample in test]) for name in ("frames", "xy"))
    print(f"CSO-mAP {cso_map(100 * net(frames / 100), xy):.2f}")
