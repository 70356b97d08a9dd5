"""What there is to see: log lines, metrics, the account, the ends of logs, and the logs that are shipped."""

from __future__ import annotations
