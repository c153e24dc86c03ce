"""Reduce an unpacked mmcv source tree to its compiled deformable convolution: seconds to build instead of minutes.

    python .ci/mmcv_reduce.py mmcv-2.2.0

`import mmcv.ops` looks every operator up by name, so those that are left out stay as names that raise when called.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

KEPT = ("deform_conv_forward", "deform_conv_backward_input", "deform_conv_backward_parameters")
SOURCES = {"deform_conv.cpp", "pybind.cpp", "cpu/deform_conv.cpp"}
LEFT_OUT = '  m.def("{0}", [](py::args, py::kwargs) {{ throw std::runtime_error("{0} was left out of this build"); }});'


def reduced_bindings(text: str) -> str:
    """Return pybind.cpp with the kept operators bound as they are, and all others as names alone."""
    names = re.findall(r'm\.def\("(\w+)"', text)
    missing = [name for name in KEPT if name not in names]
    if missing:
        sys.exit(f"mmcv_reduce: {missing[0]} not found in pybind.cpp; the source tree is not of the known version")
    declared = [_match(rf"void {name}\(.*?\);", text) for name in KEPT]
    bound = [_match(rf'  m\.def\("{name}".*?\);', text) for name in KEPT]
    others = [LEFT_OUT.format(name) for name in dict.fromkeys(names) if name not in KEPT]
    head = ["#include <torch/extension.h>", '#include "pytorch_cpp_helper.hpp"', "#include <stdexcept>"]
    return "\n".join([*head, *declared, "PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {", *bound, *others, "}", ""])


def _match(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.DOTALL)
    if found is None:
        sys.exit(f"mmcv_reduce: {pattern!r} not found in pybind.cpp")
    return found.group(0)


def main(tree: str) -> None:
    """Rewrite the bindings of a source tree and delete the other operators' files."""
    folder = Path(tree) / "mmcv" / "ops" / "csrc" / "pytorch"
    bindings = folder / "pybind.cpp"
    bindings.write_text(reduced_bindings(bindings.read_text()))
    for path in [*folder.glob("*.cpp"), *folder.glob("cpu/*.cpp")]:
        if path.relative_to(folder).as_posix() not in SOURCES:
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1])
