"""The report a physician reads: one page that opens anywhere, offline, without running anything."""

from netseg.report.html import ReportLayout, write_control_report, write_report

__all__ = ["ReportLayout", "write_control_report", "write_report"]
