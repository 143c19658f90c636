"""Whatever the code cites from the theory has an entry in gflow/laws/README.md."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAWS, JUDGES = ROOT / "gflow" / "laws", ROOT / "gflow" / "judges"
THEORY = LAWS / "README.md"

# A citation is a word and a list: "theory D2a, b", "bounds B1 to B6", "theory section 7, P17",
# or numbers in parentheses: "(D2b, prediction P2)".  It may be broken across lines of a comment.
GAP = r"[\s#]+"
WORD = r"(?:theory|predictions?|bounds?|traps?)"
NUMBER = rf"(?:sections?{GAP}\d+(?:\.\d+)?|[A-Z]\d{{1,2}}[a-h]?)\b"
MORE = rf"(?:(?:,|{GAP}and|{GAP}to){GAP}(?:{WORD}{GAP})?(?:{NUMBER}|(?<=[a-h],\s)[a-h]\b))*"
CITATION = re.compile(rf"\b(?i:{WORD}){GAP}{NUMBER}{MORE}|\((?=[ABCDGPT]){NUMBER}{MORE}\)")
PART = re.compile(r"\bto\b|\b[A-Z]\d+[a-h]?\b|\b\d+(?:\.\d+)?\b|(?<=[a-h],\s)[a-h]\b")
ENTRY = re.compile(r"^(?:#{2,4} |(?:- )?\*\*)(\d+(?:\.\d+)?|[A-Z]\d+[a-h]?)[. ]", re.MULTILINE)


def entries() -> list[str]:
    """Numbers that something in the theory stands under."""
    return ENTRY.findall(THEORY.read_text(encoding="utf-8"))


def cited(text: str) -> list[tuple[int, str]]:
    """Line and number of every citation, in order."""
    return [
        (text.count("\n", 0, match.start()) + 1, number)
        for match in CITATION.finditer(text)
        for number in numbers(match.group())
    ]


def numbers(citation: str) -> list[str]:
    """What one citation names: "bounds B1 to B3" gives B1, B2, B3, "D2a, b" gives D2a, D2b."""
    named: list[str] = []
    parts = PART.findall(citation)
    for before, part in zip(["", *parts], parts, strict=False):
        if before == "to":
            first, last = (int(re.sub(r"\D", "", number)) for number in (named[-1], part))
            named += [f"{part[0]}{i}" for i in range(first + 1, last)]
        if part in "abcdefgh":
            named.append(named[-1][:-1] + part)
        elif part != "to":
            named.append(part)
    return named


def sources() -> list[Path]:
    rooms = ("gflow", "scenarios", "tests", "docs")
    inside = [p for name in rooms for p in (ROOT / name).rglob("*")]
    made = {"generated", "_build"}
    chosen = [p for p in inside if p.suffix in (".py", ".toml", ".md") and not made & set(p.parts)]
    return sorted({ROOT / "README.md", *chosen} - {THEORY, Path(__file__)})


def test_every_citation_has_its_entry():
    known = set(entries())

    lost = [
        f"{path.relative_to(ROOT)}:{line}: {number}"
        for path in sources()
        for line, number in cited(path.read_text(encoding="utf-8"))
        if number not in known
    ]

    assert lost == [], "not in gflow/laws/README.md:\n" + "\n".join(lost)


def test_every_number_in_the_package_and_its_scenarios_has_its_entry():
    number, known = re.compile(r"\b[ABCDEGPT]\d{1,2}[a-h]?\b"), set(entries())

    lost = [
        f"{path.relative_to(ROOT)}: {cited}"
        for path in sources()
        if "tests" not in path.relative_to(ROOT).parts
        for cited in number.findall(path.read_text(encoding="utf-8"))
        if cited not in known
    ]

    assert lost == []


def test_every_number_has_one_entry():
    listed = entries()

    assert sorted({number for number in listed if listed.count(number) > 1}) == []


def test_citations_are_read_in_all_their_forms():
    text = (
        "see theory D5.\n# (theory D2a, b) and Theory\n    # section 7.5, P17; bounds B1 to\n"
        "    # B3 (predictions P1, P2), a bound on K1 (D9), trap T1 and\n    a miss (D2b, bound B5)"
    )

    assert cited(text) == [
        (1, "D5"), (2, "D2a"), (2, "D2b"), (2, "7.5"), (2, "P17"), (3, "B1"), (3, "B2"), (3, "B3"),
        (4, "P1"), (4, "P2"), (4, "D9"), (4, "T1"), (5, "D2b"), (5, "B5"),
    ]  # fmt: skip


def test_the_theory_prints_the_constants_of_the_judges():
    text = THEORY.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d.]+) \| (\w+\.py) \|", text, re.MULTILINE)

    assert rows
    for name, value, file in rows:
        code = next(room / file for room in (JUDGES, LAWS) if (room / file).exists()).read_text(
            "utf-8"
        )
        assert constants(code).get(name) == float(value), f"{name} in {file}"
    code = [path.read_text("utf-8") for room in (JUDGES, LAWS) for path in room.glob("*.py")]
    known = {name for text in code for name in constants(text)}
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", text)) & known
    assert named <= {name for name, _, _ in rows}


def constants(code: str) -> dict[str, object]:
    """Plain constants of a module, without importing it."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.parse(code).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
