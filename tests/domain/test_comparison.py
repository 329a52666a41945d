"""An alignment moves points rigidly, there and back."""

import numpy as np
import pytest

from netseg.domain.comparison import Alignment


def test_a_quarter_turn_moves_the_left_to_the_back_and_returns():
    turn = np.array([[0.0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    found = Alignment(method="livers", matrix=turn)
    assert found.to_second(np.array([10.0, 0, 0])) == pytest.approx([5, 10, 0])
    assert found.to_first(np.array([5.0, 10, 0])) == pytest.approx([10, 0, 0])
    assert found.turned_degrees == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("matrix", "why"),
    [
        (np.diag([1.1, 1, 1, 1]), "an alignment is rigid"),
        (np.diag([-1.0, 1, 1, 1]), "must not mirror"),
        (np.diag([np.nan, 1, 1, 1]), "an alignment is rigid"),
    ],
)
def test_what_stretches_or_mirrors_a_patient_is_refused(matrix, why):
    with pytest.raises(ValueError, match=why):
        Alignment(method="livers", matrix=matrix)
