"""The card's section on an audit."""

import json

from comment_toxicity.decision import Weights
from finetune.audit.audit import Audit
from finetune.audit.card import TITLE, audit_section
from finetune.card import render_card


def test_the_section_lists_the_worst_first(audit):
    text = "\n\n".join(audit_section(audit))
    assert text.startswith(TITLE)
    assert "| madlibs | toxic | 20 | 100.0 % (gay) |" in text
    assert "| derog_h | yes | 2 | 50.0 % |" in text
    assert "| glued words (held out) |" in text
    assert "| DynaHate | identity_hate | 20 | 10 | 1.0000 | 1.0000 |" in text
    assert "0.5000: 0.1667 / 1.0000 / 54.5 %" in text


def test_the_card_leaves_out_an_audit_of_other_weights(audit, folder):
    assert TITLE in render_card(folder, "m")
    decision = {
        "weights": {"file": "model.onnx", "sha256": "00"},
        "activation": "sigmoid",
        "labels": {"toxic": {}, "identity_hate": {}},
        "criterion": "best-f1",
        "rows": 1,
    }
    (folder / "decision.json").write_text(json.dumps(decision))
    assert TITLE not in render_card(folder, "m")


def test_an_empty_audit_has_no_section():
    assert audit_section(Audit(Weights("model.onnx", "00"))) == []
