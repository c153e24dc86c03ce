"""The scoring protocol: CSO-mAP as published (SeqCSIST, TGRS 2025; DISTA-Net, ICCV 2025), with every edge defined."""

# Raised by any change that moves a score; a new version is a heading in CHANGELOG.md.
EVALUATOR_VERSION = "1.0"
