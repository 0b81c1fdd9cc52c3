"""Laws as assertions in anybody's test suite, on anybody's scores.

    def test_ours_wins(lawcheck):
        lawcheck.assert_holds("ours_beats_theirs")

    @pytest.mark.laws("ours_beats_theirs")
    def test_each_part(lawcheck, law_part):
        lawcheck.assert_part(*law_part)

Every pytest run of the environment loads this module, so it imports nothing but pytest.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from lawcheck.declare.design import Law, PartVerdict, Verdict

LAWS = "LAWCHECK_LAWS"


class LawPart(NamedTuple):
    """What `law_part` holds: the arguments of `assert_part`."""

    law: str | Law
    part: str


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lawcheck", "laws on score tables")
    group.addoption(
        "--lawcheck-scores",
        action="append",
        default=[],
        metavar="FILE",
        help="Parquet or CSV score table (repeatable)",
    )
    group.addoption("--lawcheck-scale", metavar="NAME", help="scale that the scores come from")
    group.addoption(
        "--lawcheck-laws",
        action="append",
        default=[],
        metavar="FOLDER",
        help=f"folder of law files (repeatable; adds to {LAWS})",
    )
    group.addoption(
        "--strict-laws", action="store_true", help="missing scores fail instead of skipping"
    )
    parser.addini("lawcheck_scores", "score tables, relative to this file", "paths", [])
    parser.addini("lawcheck_laws", "folders of law files, relative to this file", "paths", [])
    parser.addini("lawcheck_scale", "scale that the scores come from", "string", "")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "laws(*laws, roles=('primary',)): parametrise `law_part` (one test a hypothesis) or "
        "`law_name` (one a law) over these laws; over every law found if none is named",
    )
    folders = _paths(config, "laws")
    gone = [f for f in folders if not f.exists()]
    if gone:
        # Without it every test of its laws would be missing, and the rest pass.
        raise pytest.UsageError(f"laws: {str(gone[0])!r}: no such file or folder; name one")
    if folders:
        before = os.environ.get(LAWS)
        os.environ[LAWS] = os.pathsep.join([*map(str, folders), *([before] if before else [])])
        config.add_cleanup(lambda: _restore(before))


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(LAWS, None)
    else:
        os.environ[LAWS] = before


def _paths(config: pytest.Config, name: str) -> list[Path]:
    """Of the command line, relative to where pytest was started, else of the ini file."""
    given = config.getoption(f"--lawcheck-{name}")
    return [config.invocation_params.dir / p for p in given] or config.getini(f"lawcheck_{name}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = {"law_name", "law_part"} & set(metafunc.fixturenames)
    if not names:
        return
    from lawcheck.declare import discovery
    from lawcheck.declare.design import Law
    from lawcheck.declare.scale import STUDIES, load_scale
    from lawcheck.errors import InputError

    marker = metafunc.definition.get_closest_marker("laws")
    wanted = marker.args if marker else ()
    roles = marker.kwargs.get("roles", ("primary",)) if marker else ("primary",)
    try:
        laws = [w if isinstance(w, Law) else discovery.law(w) for w in wanted]
        # Without a scale, as a scale that names no studies.
        scale = metafunc.config.getoption("--lawcheck-scale") or metafunc.config.getini(
            "lawcheck_scale"
        )
        studies = load_scale(scale).studies if scale else STUDIES
        if not laws:
            # Of every law, one that was left out would go untested.
            discovery.require_whole("laws")
            laws = list(discovery.laws_of(studies).values())
    except InputError as error:
        raise pytest.Collector.CollectError(str(error)) from None
    if "law_name" in names:
        metafunc.parametrize("law_name", [pytest.param(law.name, id=law.name) for law in laws])
    if "law_part" in names:
        # A law object passes as it is: it need not be found by its name.
        parts = [
            pytest.param(LawPart(w if isinstance(w, Law) else law.name, h.name),
                         id=f"{law.name}-{h.name}")
            for law, w in zip(laws, wanted or [law.name for law in laws], strict=True)
            for h in law.hypotheses
            if h.role in roles
        ]  # fmt: skip
        metafunc.parametrize("law_part", parts)


@pytest.fixture(scope="session")
def lawcheck(pytestconfig: pytest.Config) -> LawAssertions:
    """Judges laws on the session's score tables: `judge`, `assert_holds`, `assert_part`."""
    return LawAssertions(
        files=_paths(pytestconfig, "scores"),
        scale=pytestconfig.getoption("--lawcheck-scale") or pytestconfig.getini("lawcheck_scale"),
        strict=pytestconfig.getoption("--strict-laws"),
        root=pytestconfig.rootpath,
    )


class LawAssertions:
    """A law is a name, with or without the prefix `law_`, or a Law.

    files: score tables; none with a scale means those that the scale's workflow leaves in
    `root`/results. Each law is judged once a session.
    """

    def __init__(self, files: Sequence[Path], scale: str, strict: bool, root: Path) -> None:
        self._files, self._scale, self._strict, self._root = files, scale, strict, root
        self._found: dict[Law, Verdict | Exception] = {}

    def __repr__(self) -> str:
        files = ", ".join(p.name for p in self._files) or f"scale {self._scale or 'none'}"
        return f"<laws on {files}>"

    def judge(self, law: str | Law) -> Verdict:
        """The verdict. Missing scores skip the test (or fail it, if strict); bad ones fail it."""
        __tracebackhide__ = True
        from lawcheck.errors import InputError
        from lawcheck.judging.evidence import MissingScoresError

        try:
            return self._judged(law)
        except MissingScoresError as error:
            if not self._strict:
                pytest.skip(str(error))
            message = str(error)
        except InputError as error:
            message = str(error)
        pytest.fail(message, pytrace=False)

    def assert_holds(self, law: str | Law) -> None:
        """Every primary part is shown."""
        __tracebackhide__ = True
        verdict = self.judge(law)
        if verdict.outcome != "HOLDS":
            parts = [p for p in verdict.parts if p.role == "primary" and p.outcome != "shown"]
            raise AssertionError(_explained(verdict, verdict.outcome, parts))

    def assert_part(self, law: str | Law, part: str) -> None:
        """This hypothesis is shown, whatever the others do."""
        __tracebackhide__ = True
        from lawcheck.errors import nearest

        verdict = self.judge(law)
        found = {p.name: p for p in verdict.parts}
        if part not in found:
            pytest.fail(
                f"law {verdict.law!r}: no hypothesis {part!r} ({nearest(part, found)})",
                pytrace=False,
            )
        if found[part].outcome != "shown":
            raise AssertionError(_explained(verdict, f"{part} is not shown", [found[part]]))

    def _judged(self, law: str | Law) -> Verdict:
        from lawcheck.declare import discovery
        from lawcheck.errors import InputError

        declared = discovery.law(law) if isinstance(law, str) else law
        if declared not in self._found:
            try:
                self._found[declared] = self._judge(declared)
            except InputError as error:
                self._found[declared] = error
        found = self._found[declared]
        if isinstance(found, Exception):
            raise found
        return found

    def _judge(self, law: Law) -> Verdict:
        from lawcheck.declare.layout import Layout
        from lawcheck.declare.scale import load_scale
        from lawcheck.judging.evidence import MissingScoresError

        scale = load_scale(self._scale) if self._scale else None
        files = list(self._files)
        if scale is not None and not files:
            files = [Layout(self._root / "results", scale.name).law_scores(law.name)]
        lost = [p for p in files if not p.exists()]
        if lost or not files:
            what = f"{lost[0]}: no such file" if lost else "no score table, see --lawcheck-scores"
            raise MissingScoresError(
                f"{law.name}: {what}; run: snakemake --profile local law_{law.name}"
            )
        from lawcheck.judging.judged import judge_file

        # A test reads the outcome and what would settle it, not what stands beside them.
        return judge_file(law, files, scale, quick=True)


def _explained(verdict: Verdict, what: str, parts: Sequence[PartVerdict]) -> str:
    """The parts that fail a test, with all that a reader needs to judge them."""
    from lawcheck.judging.verdict_forms import part_lines

    lines = [f"law {verdict.law}: {what}", *verdict.notes]
    for p in parts:
        told = part_lines(p)
        if p.se is not None:
            told.insert(2, f"    {_bound(p)}")
        lines += told
    return "\n".join(lines)


def _bound(p: PartVerdict) -> str:
    if p.margin is None:
        return f"smallest effect of interest {p.sesoi:g} {p.unit}"
    return f"margin {p.margin:g} {p.unit}"
