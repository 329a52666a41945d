"""MONAI without the libraries that it would load beside its networks.

On import MONAI loads every optional library it finds, the training record's and the plots' among
them: a tenth of a gigabyte and more than a second, for parts that netseg does not use. They are kept
out of sight while MONAI is imported, and only then.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

UNUSED = ("matplotlib", "mlflow", "onnx", "onnxruntime", "pandas", "skimage")


@contextmanager
def lean_import() -> Iterator[None]:
    """Within, an import of MONAI finds none of `UNUSED` that is not loaded already."""
    loaded: dict[str, Any] = sys.modules
    hidden = [] if "monai" in loaded else [name for name in UNUSED if name not in loaded]
    loaded.update(dict.fromkeys(hidden))  # None: "there is no such module"
    try:
        yield
    finally:
        for name in hidden:
            loaded.pop(name, None)
