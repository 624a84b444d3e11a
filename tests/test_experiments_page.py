"""docs/experiments.md says of every key what config.py does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import yaml

from msdnet.config import Augmentation, experiment_from

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "document_keys.py"))


def test_the_page_lists_the_keys_and_defaults_of_the_settings() -> None:
    wanted = SCRIPT["with_tables"](PAGE)
    assert wanted == PAGE, "write it anew: python scripts/document_keys.py"
    for line in (
        "| `name` | required |",
        "| `pretraining` | `null` |",
        "| `card` | as below |",
        "| `learning_rate` | `0.001` | Largest learning rate. |",
        "| `scale` | `[0.65, 1.3]` |",
        "| `flip` | `true` |",
        '| `limits` | `""` |',
        "`null` cuts none. |",
    ):
        assert line in PAGE


@pytest.mark.parametrize(("old", "new"), [("`0.3` | Divides", "`0.4` | Divides"), ("| `gamma` |", "| `gama` |")])
def test_another_default_or_key_on_the_page_is_found(old: str, new: str) -> None:
    wrong = PAGE.replace(old, new)
    assert wrong != PAGE == SCRIPT["with_tables"](wrong)


def test_a_setting_without_a_meaning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Augmentation, "__doc__", (Augmentation.__doc__ or "").replace("        gamma: ", "        "))
    with pytest.raises(KeyError, match="gamma"):
        SCRIPT["with_tables"](PAGE)


def test_the_example_on_the_page_is_an_experiment() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert experiment_from(yaml.safe_load(example)).name == "mine"
