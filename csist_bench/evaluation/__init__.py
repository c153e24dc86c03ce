"""The scoring protocol: CSO-mAP as published (SeqCSIST, TGRS 2025; DISTA-Net, ICCV 2025), with every edge defined."""

import re

# The first number is raised by any change that moves CSO-mAP or an AP, the second by a figure that stands beside them;
# a new version is a heading in CHANGELOG.md.
EVALUATOR_VERSION = "1.1"


def scores_alike(evaluator: str) -> bool:
    """Whether a version of the evaluator gives the CSO-mAP and the APs of this one: the same first number."""
    major = EVALUATOR_VERSION.partition(".")[0]
    return re.fullmatch(rf"{major}\.[0-9]{{1,4}}", evaluator) is not None
