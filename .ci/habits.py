"""Small checks of the repository that need nothing but Python: large files, the length of the README, links of pages.

python .ci/habits.py large readme links
"""

import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 1_000_000  # bytes of a file
LARGER = ("csist_bench/weights/", "leaderboard/weights/", "data/sample/")
LARGEST_PICTURE = 200_000  # bytes of a picture of the documentation
README_LINES = 150
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def large() -> Iterator[str]:
    for name in tracked():
        size = (ROOT / name).stat().st_size
        most = LARGEST_PICTURE if name.startswith("docs/") and name.endswith((".png", ".svg", ".jpg")) else LARGEST
        if size > most and not name.startswith(LARGER):
            yield f"{name}: must be at most {most:,} bytes, got {size:,}"


def readme() -> Iterator[str]:
    lines = len((ROOT / "README.md").read_text(encoding="utf-8").splitlines())
    if lines > README_LINES:
        yield f"README.md: must be at most {README_LINES} lines, got {lines}; move the rest to docs/"


def links() -> Iterator[str]:
    for page in (ROOT / name for name in tracked() if name.endswith(".md")):
        text = CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), page.read_text(encoding="utf-8"))
        for match in LINK.finditer(text):
            fault = fault_of(page, match[1] or match[2])
            if fault:
                line = text.count("\n", 0, match.start()) + 1
                yield f"{page.relative_to(ROOT)}:{line}: {fault}"


def fault_of(page: Path, link: str) -> str:
    """Say what is wrong with a link within the repository, or nothing."""
    if re.match(r"[a-z]+:", link):
        return ""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"link to {link}: no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return f"link to {link}: no such heading"
    return ""


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST name them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        kept = "".join(c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LN")
        name = kept.strip().replace(" ", "-")
        names.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return names


CHECKS = {"large": large, "readme": readme, "links": links}


def main() -> None:
    chosen = sys.argv[1:] or list(CHECKS)
    faults = [fault for name in chosen for fault in CHECKS[name]()]
    print("\n".join(faults) or f"{', '.join(chosen)}: well")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
