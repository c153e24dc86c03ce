"""RO-Crate 1.1: JSON-LD that says what a folder holds, and what made it."""

from __future__ import annotations

from typing import Any

from csist_bench.datasets.metadata.facts import AUTHORS, FORMS, KEYWORDS, PAPERS, RELEASED, SOFTWARE, Facts

Json = dict[str, Any]

PROFILE = "https://w3id.org/ro/crate/1.1"
NO_LICENCE = "No licence is told; ask whoever the files came from before passing them on."


def ro_crate(facts: Facts, parts: dict[str, str]) -> Json:
    """Return the RO-Crate metadata of a set.

    Parameters
    ----------
    facts : Facts
    parts : dict
        What lies in the set's folder, by name; folders end in "/". Their description.
    """
    root = _root(facts) | {"hasPart": [{"@id": name} for name in parts]}
    entities = [_part(name, text) for name, text in parts.items()]
    return {
        "@context": f"{PROFILE}/context",
        "@graph": [_descriptor(), root, *entities, *_makers(facts), *_licence(facts), *_papers(facts)],
    }


def _descriptor() -> Json:
    about = {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}}
    return about | {"conformsTo": {"@id": PROFILE}}


def _root(facts: Facts) -> Json:
    root: Json = {
        "@id": "./",
        "@type": "Dataset",
        "name": facts.title,
        "description": facts.description(),
        # The profile asks for a date, here that of the program, and for a licence, in words where none is told.
        "datePublished": RELEASED,
        "license": {"@id": facts.license_address} if facts.license_address else NO_LICENCE,
        "keywords": ", ".join(KEYWORDS),
    }
    if facts.imported is None:
        root["author"] = {"@id": "#authors"}
        root["citation"] = [{"@id": one["@id"]} for one in _papers(facts)]
    prints = [text for text in (facts.fingerprint, facts.fingerprint_v2) if text]
    return root | {name: told for name, told in (("url", facts.recipe.url), ("identifier", prints)) if told}


def _part(name: str, text: str) -> Json:
    if name.endswith("/"):
        return {"@id": name, "@type": "Dataset", "name": name, "description": text}
    kinds = {".json": "application/json", ".md": "text/markdown", ".parquet": "application/vnd.apache.parquet"}
    return {
        "@id": name,
        "@type": "File",
        "name": name,
        "description": text,
        "encodingFormat": kinds[name[name.rindex(".") :]],
    }


def _makers(facts: Facts) -> list[Json]:
    verb = "Import" if facts.imported is not None else "Simulation"
    program = {"@id": "#csist-bench", "@type": "SoftwareApplication", "name": "csist-bench", "description": SOFTWARE}
    action: Json = {
        "@id": "#making",
        "@type": "CreateAction",
        "name": f"{verb} of the set, written as {FORMS[facts.form]}",
        "instrument": {"@id": "#csist-bench"},
        "result": {"@id": "./"},
    }
    makers = [program | {"version": facts.version, "softwareVersion": facts.version}, action]
    if facts.imported is None:
        makers.append({"@id": "#authors", "@type": "Organization", "name": AUTHORS})
    return makers


def _licence(facts: Facts) -> list[Json]:
    if not facts.license_address:
        return []
    about = {"@id": facts.license_address, "@type": "CreativeWork", "name": facts.recipe.license}
    return [about | {"description": f"The licence of the set: {facts.recipe.license}"}]


def _papers(facts: Facts) -> list[Json]:
    cited = [text for text in PAPERS.values() if text in facts.citations]
    return [{"@id": f"#paper-{i}", "@type": "ScholarlyArticle", "name": text} for i, text in enumerate(cited, start=1)]
