"""JSON documents: the same values, the same bytes."""

import json

import numpy as np
import pytest

from netseg.domain import Verdict
from netseg.export import to_json
from netseg.export.document import to_json_line


def test_schema_version_stands_first():
    assert next(iter(json.loads(to_json({"a": 1})))) == "schema_version"


def test_a_document_of_another_version_is_refused():
    with pytest.raises(ValueError, match='schema_version must be "1"; got 2'):
        to_json({"schema_version": 2})


def test_numbers_carry_seven_significant_digits():
    """0.1 + 0.2 is not 0.3 in binary; a document does not show that."""
    document = json.loads(to_json({"a": 0.1 + 0.2, "b": np.float32(0.1), "c": 123456.789012}))
    assert (document["a"], document["b"], document["c"]) == (0.3, 0.1, 123456.8)


def test_small_factors_survive_rounding():
    assert json.loads(to_json({"suv_factor": 0.00055123456789}))["suv_factor"] == 0.0005512346


def test_zero_has_no_sign():
    assert b"-0" not in to_json({"a": -0.0, "b": -1e-320 * 0})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float32("-inf")])
def test_a_number_that_json_lacks_is_refused_with_its_place(number):
    with pytest.raises(ValueError, match=r"\.lesions\[1\]\.volume_ml: .* is no JSON number"):
        to_json({"lesions": [{"volume_ml": 1.0}, {"volume_ml": number}]})


def test_a_value_of_no_json_type_is_refused_with_its_place():
    with pytest.raises(TypeError, match=r"\.file: object is no JSON type"):
        to_json({"file": object()})


def test_domain_values_become_plain_ones():
    document = {"verdict": Verdict.NOT_A0, "n": np.int64(3), "yes": np.True_, "xyz": np.zeros(2)}
    plain = json.loads(to_json(document))
    assert (plain["verdict"], plain["n"], plain["yes"], plain["xyz"]) == ("not_A0", 3, True, [0, 0])


def test_a_line_stays_one_line_whatever_the_text_holds():
    line = to_json_line({"message": "first\nsecond\r\x1b[31mred\u2028third"})
    assert line.count(b"\n") == 1
    assert b"\x1b" not in line
    assert json.loads(line)["message"].startswith("first\nsecond")
