"""Training pairs mined from what shoppers did: products that came together, constrained until most are one style.

`mine` is the way in. A log's rows become `events` (log), events `visits` to windows (windows), visits that share a
window `candidates`, each with the constraints it fails (constraints), and what is left the file (mining, report). All
in SQL: DuckDB, of the extra `train`, keeps to its memory and lets the rest spill.
"""

from models.pairs.mining import SCHEMA, mine
from models.pairs.options import ACTIONS, Options, Window
from models.pairs.report import Precision, Report, Sample, Step

__all__ = ["ACTIONS", "SCHEMA", "Options", "Precision", "Report", "Sample", "Step", "Window", "mine"]
