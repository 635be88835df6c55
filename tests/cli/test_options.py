"""Option texts."""

from __future__ import annotations

import pytest

from metrics.errors import UserError
from mova_eval.cli.options import metric_options, words


def test_words_of_a_list() -> None:
    assert words(" a, b ,c") == ["a", "b", "c"]
    assert words(None) is None


def test_metric_options_are_json_where_they_can_be() -> None:
    given = ["wer.asr=faster-whisper:small", "wer.beam=3", "dnsmos.personalised=true", "lip_sync.scale=0.25"]
    assert metric_options(given) == {
        "wer": {"asr": "faster-whisper:small", "beam": 3},
        "dnsmos": {"personalised": True},
        "lip_sync": {"scale": 0.25},
    }


@pytest.mark.parametrize("wrong", ["wer", "wer.asr", "=x", "wer.=x", ".asr=x"])
def test_a_malformed_setting_shows_the_form(wrong: str) -> None:
    with pytest.raises(UserError, match=r"METRIC\.OPTION=VALUE"):
        metric_options([wrong])
