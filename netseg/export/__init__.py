"""Results for machines: NIfTI, JSON and CSV; whole or absent, and the same bytes on every run."""

from netseg.export.atomic import make_folder, write_atomically
from netseg.export.batch import write_batch
from netseg.export.comparison import comparison_document
from netseg.export.control import write_control
from netseg.export.document import to_json, write_document
from netseg.export.folder import written_together
from netseg.export.guard import require_no_secrets
from netseg.export.image import write_image
from netseg.export.margin import margin_document
from netseg.export.plan import plan_document
from netseg.export.results import write_results
from netseg.export.run import RunRecord, run_document
from netseg.export.schema import schema, schema_names
from netseg.export.status import (
    State,
    batch_status_document,
    error_document,
    state_of,
    status_document,
)
from netseg.export.table import lesions_csv, summary_row
from netseg.export.zone import zone_document, zone_on

__all__ = [
    "RunRecord",
    "State",
    "batch_status_document",
    "comparison_document",
    "error_document",
    "lesions_csv",
    "make_folder",
    "margin_document",
    "plan_document",
    "require_no_secrets",
    "run_document",
    "schema",
    "schema_names",
    "state_of",
    "status_document",
    "summary_row",
    "to_json",
    "write_atomically",
    "write_batch",
    "write_control",
    "write_document",
    "write_image",
    "write_results",
    "written_together",
    "zone_document",
    "zone_on",
]
