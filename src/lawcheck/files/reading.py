"""Text, JSON and YAML from a file that anybody may have touched, read strictly.

What these readers accept means one thing only: text is UTF-8, no key stands twice, every number
is finite and no larger than 64 bits hold, and no text holds half a character. Whatever else a
file holds is one line (InputError) that names the file, what was found and the next step.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from lawcheck.errors import InputError

LARGEST = 1 << 63  # whole numbers below it in size fit every file format downstream
UNPACKED = 1 << 28  # bytes; a small file may otherwise unpack to any size
DEEPEST = 100  # nested containers; below what Python's own readers and writers recurse through
MOST_NODES = 100_000  # of a YAML file, after its aliases are followed

_RAISED = (ValueError, RecursionError)


def read_text(path: Path, step: str, what: str | None = None) -> str:
    """UTF-8 text without byte-order mark; `.gz` is unpacked. Raises InputError.

    step: what the user does next, the end of the line. what: how the line names the file.
    """
    where = what or path.name
    try:
        if path.suffix != ".gz":
            raw = path.read_bytes()
        else:
            with gzip.open(path) as unpacked:
                raw = unpacked.read(UNPACKED)
            if len(raw) == UNPACKED:
                raise InputError(f"{where}: unpacks to over {UNPACKED >> 20} MiB; {step}")
    except OSError as error:
        # A broken gzip header is an OSError too.
        raise InputError(f"{where}: cannot be read ({reason(error)}); {step}") from None
    except ValueError as error:
        raise InputError(f"{where}: cannot be a file's name ({short(error)}); {step}") from None
    except (EOFError, zlib.error) as error:
        raise InputError(f"{where}: not a whole gzip file ({short(error)}); {step}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{where}, line {line}: not UTF-8 text; {step}") from None


def read_json(
    path: Path, step: str, what: str | None = None, decoder: json.JSONDecoder | None = None
) -> Any:
    """The value of a JSON file. Raises InputError as `read_text` and `parse_json` do."""
    return parse_json(read_text(path, step, what), what or path.name, step, decoder)


def read_object(
    path: Path, step: str, what: str | None = None, decoder: json.JSONDecoder | None = None
) -> dict[str, Any]:
    """As `read_json`, for a file that holds an object."""
    found = read_json(path, step, what, decoder)
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise InputError(f"{what or path.name}: found {kind}, expected a JSON object; {step}")
    return found


def parse_json(text: str, where: str, step: str, decoder: json.JSONDecoder | None = None) -> Any:
    """Strict JSON. Raises InputError that begins with `where` and ends with `step`."""
    try:
        value = (decoder or DECODER).decode(text)
        refuse_surrogates(text, 0, len(text), value)
    except _RAISED as error:
        raise InputError(f"{where}: not valid JSON ({short(error)}); {step}") from None
    return value


def refuse_surrogates(text: str, start: int, end: int, value: Any) -> None:
    """Refuse half characters, which no file format downstream can hold. Raises ValueError."""
    if text.find("\\ud", start, end) < 0 and text.find("\\uD", start, end) < 0:
        return
    json.dumps(value, ensure_ascii=False).encode()


def read_yaml(path: Path, step: str, what: str | None = None) -> Any:
    """The value of a YAML file. Raises InputError as `read_text` and `parse_yaml` do."""
    return parse_yaml(read_text(path, step, what), what or path.name, step)


def parse_yaml(text: str, where: str, step: str) -> Any:
    """One YAML document of plain data. Raises InputError like `parse_json`.

    Refused beside faulty YAML: tags of Python, keys that stand twice, aliases that unfold without
    end, and numbers that a reader takes for something else (010, 12:30).
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{where}{at}: not valid YAML ({_problem(error)}); {step}") from None
    # PyYAML's own constructors fail in these ways on a tag that does not fit its value.
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, IndexError, *_RAISED) as error:
        raise InputError(f"{where}: not valid YAML ({short(error)}); {step}") from None


def short(error: BaseException) -> str:
    """What an error says, in one line of at most 120 characters."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())[:120] or type(error).__name__


def reason(error: OSError) -> str:
    """Why a file could not be opened, without its name."""
    return (error.strerror or short(error)).lower()


def _problem(error: yaml.MarkedYAMLError) -> str:
    return " ".join((error.problem or error.context or "faulty").split())[:120]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice[:40]!r} stands twice")
    return found


def _float(text: str) -> float:
    return _finite(float(text), text)


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"number {text[:20]} is not finite")
    return value


def _int(text: str) -> int:
    # Python itself refuses more than 4300 digits, but only after reading them.
    if len(text) > 20 or abs(int(text)) >= LARGEST:
        raise ValueError(f"number {text[:20]}... has more than 64 bits")
    return int(text)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_float, parse_int=_int, parse_constant=_constant
)
# lm-evaluation-harness writes NaN for a value that could not be computed.
MEASURED = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_float, parse_int=_int)


def _ambiguous(node: yaml.ScalarNode) -> yaml.constructor.ConstructorError:
    problem = f"{str(node.value)[:20]!r} may be read in two ways, quote it"
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


class _Loader(yaml.SafeLoader):
    """SafeLoader, without what it reads in silence."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        # The scanner looks at every open bracket again with each token: 5000 took it 4 s.
        if self.flow_level > DEEPEST:
            problem = f"nested deeper than {DEEPEST} levels"
            raise yaml.scanner.ScannerError(None, None, problem, self.get_mark())
        super().fetch_flow_collection_start(token)

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _unfolded(node, {}, ())
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Here a node holds its own keys still; merging (<<) puts those of others before them.
        own = [k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode)]
        twice = sorted({k for k in own if own.count(k) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice[0][:40]!r} stands twice", node.start_mark
            )
        super().flatten_mapping(node)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = str(node.value)
        digits = text.lstrip("+-")
        if ":" in text or (len(digits) > 1 and digits[0] == "0" and digits[1] not in "xb"):
            raise _ambiguous(node)
        if len(digits) > 70:
            raise ValueError(f"number {text[:20]}... has more than 64 bits")
        value = int(super().construct_yaml_int(node))
        if abs(value) >= LARGEST:
            raise ValueError(f"number {text[:20]} has more than 64 bits")
        return value

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        text = str(node.value)
        if ":" in text:
            raise _ambiguous(node)
        return _finite(float(super().construct_yaml_float(node)), text)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def _unfolded(node: yaml.Node, known: dict[Hashable, int], above: tuple[int, ...]) -> int:
    """Nodes below and with `node`, each alias counted as often as it stands. Raises ValueError."""
    if id(node) in above:
        raise ValueError("an alias stands inside what it names")
    if len(above) > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    if id(node) not in known:
        size = 1
        if isinstance(node, yaml.CollectionNode):
            inside = (*above, id(node))
            for child in node.value:
                for part in child if isinstance(child, tuple) else (child,):
                    size += _unfolded(part, known, inside)
        if size > MOST_NODES:
            raise ValueError(f"aliases unfold to more than {MOST_NODES:,} values")
        known[id(node)] = size
    return known[id(node)]
