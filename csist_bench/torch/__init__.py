"""For training loops of one's own: data sets and endless scenes as PyTorch knows them, labels and scores of tensors.

from csist_bench.torch import SequenceDataset, StreamDataset, cso_map, label_grid
"""

from csist_bench.torch.scoring import cso_map, label_grid
from csist_bench.torch.sequences import SequenceDataset
from csist_bench.torch.stream import StreamDataset

__all__ = ["SequenceDataset", "StreamDataset", "cso_map", "label_grid"]
