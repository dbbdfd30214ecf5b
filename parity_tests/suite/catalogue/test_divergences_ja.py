"""The divergences explained for students, in Japanese and, where needed, in English.

The rules stay in `catalogue/divergences/`. Here it is held that each has its paragraph,
and that none is left of a rule that has gone.
"""

import re
import tomllib

import pytest

from gradparity.parity_tests.catalogue.divergences import DOCUMENTED
from gradparity.parity_tests.suite.support import ROOT

WORDS = ROOT / "reports" / "explain" / "words"
IDS = [entry.id for entry in DOCUMENTED]
KANA_OR_KANJI = re.compile("[\u3041-\u30fa\u4e00-\u9fff]")


def texts(language: str) -> dict[str, dict[str, str]]:
    """By id, the texts of a divergence by name."""
    path = WORDS / f"divergences.{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_every_divergence_is_there_in_japanese_in_the_order_of_the_rules() -> None:
    assert [*texts("ja")] == IDS


@pytest.mark.parametrize("name", IDS)
def test_what_is_said_of_a_divergence_is_said_in_japanese(name: str) -> None:
    said = texts("ja")[name]
    assert [*said] == ["where", "why"]
    assert all(KANA_OR_KANJI.search(text) for text in said.values())
    assert said["why"].endswith("。")


def test_rows_of_one_layer_have_different_headings() -> None:
    headings = [(entry.layer, texts("ja")[entry.id]["where"]) for entry in DOCUMENTED]
    assert len(set(headings)) == len(headings)


def test_longer_words_in_english_are_of_divergences_that_there_are() -> None:
    whys = {entry.id: entry.why for entry in DOCUMENTED}
    for name, said in texts("en").items():
        assert [*said] == ["why"]
        assert len(said["why"]) > len(whys[name])
        assert said["why"].endswith(".")
