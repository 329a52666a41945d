"""Who checks the formulas: z3, where it is installed (extra `rules`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from types import ModuleType


class Solver(Protocol):
    """Runs an SMT-LIB script from a fresh start."""

    @property
    def name(self) -> str:
        """The solver and its version, for the certificate."""
        ...

    def run(self, script: str) -> str:
        """What the solver prints for the script's commands."""
        ...


class Z3Solver:
    """z3 by its Python package `z3-solver` (de Moura and Bjorner, TACAS 2008:337-340)."""

    def __init__(self) -> None:
        """Load z3.

        Raises:
            EnvironmentFaultError: If it is not installed.
        """
        self._z3: Any = _import_z3()

    @property
    def name(self) -> str:
        """The solver and its version."""
        return f"z3 {self._z3.get_version_string()}"

    def run(self, script: str) -> str:
        """What z3 prints for the script's commands, in a context of its own."""
        from importlib import import_module

        core: Any = import_module("z3.z3core")
        context = self._z3.Context()
        return str(core.Z3_eval_smtlib2_string(context.ref(), script))


def _import_z3() -> ModuleType:
    from importlib import import_module

    try:
        return import_module("z3")
    except ImportError as missing:
        raise EnvironmentFaultError(
            Code.PACKAGE_MISSING,
            "z3 is not installed, so that nothing can be proven with it.",
            hint="Install netseg-liver[rules], or run `netseg rules verify --by diagrams`.",
        ) from missing
