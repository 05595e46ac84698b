"""What is trained on, as far as it needs no PyTorch."""

from pathlib import Path

from models.training.data import _pair_rows


def test_ids_in_csv_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("trigger_id,recall_id,weight\n007,2024-01-02,3\n1e3,b,0\n")
    assert list(_pair_rows(tmp_path / "pairs.csv")) == [("007", "2024-01-02", 3.0)]
