"""Scales: YAML in, typed settings out; bad files end in one line."""

import pytest
import yaml

from lawcheck.declare.scale import load_scale, scale_names
from lawcheck.errors import InputError


@pytest.mark.parametrize("name", scale_names())
def test_every_scale_loads(name):
    scale = load_scale(name)
    assert scale.name == name
    assert scale.seeds


def test_extends_merges_nested_keys():
    smoke, proxy = load_scale("smoke"), load_scale("proxy")
    assert smoke.bases == proxy.bases
    assert smoke.evaluation.items != proxy.evaluation.items
    assert smoke.evaluation.max_new_tokens == proxy.evaluation.max_new_tokens
    assert smoke.base_digest("default") == proxy.base_digest("default")


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda d: d.update(batch=3), "batch"),
        (lambda d: d["training"].update(batch_size="many"), "training.batch_size"),
        (lambda d: d["training"].update(batch_size=0), "training.batch_size"),
        (lambda d: d["methods"]["full"].update(learning_rate=-1), "methods.full.learning_rate"),
        (lambda d: d.pop("corpus"), "corpus"),
        (lambda d: d.update(extends="no_such_scale"), "no_such_scale"),
        (lambda d: d["corpus"].update(size="1/0"), "corpus.size"),
    ],
)
def test_bad_settings_are_named(tmp_path, edit, named):
    data = load_scale("proxy").model_dump(mode="json", exclude={"name"})
    edit(data)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(InputError, match=named.replace(".", r"\.")) as caught:
        load_scale(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [1\n", "extends: mine\n", "\x00"])
def test_broken_files_end_in_one_line(tmp_path, monkeypatch, text):
    (tmp_path / "mine.yaml").write_text(text)
    monkeypatch.setenv("LAWCHECK_SCALES", str(tmp_path))
    with pytest.raises(InputError) as caught:
        load_scale("mine")
    assert "\n" not in str(caught.value)


def test_unknown_scale_names_the_nearest():
    with pytest.raises(InputError, match="nearest: proxy"):
        load_scale("prxy")
