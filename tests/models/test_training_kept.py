"""The tokens of photos in files: of a disk that is full an error tells."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.crashes import apart, require_small_disks

pytestmark = pytest.mark.heavy

PHOTOS, TOKENS = 80, (5, 4_000)


def fill(folder: Path) -> None:
    """Keep 3.2 MB of tokens for each look there."""
    from models.training.config import ViewConfig
    from models.training.kept import keep_tokens
    from models.training.photos import DecodedPhotos
    from models.training.views import Looks

    class Even:
        """Sees the same in every photo."""

        fingerprint, image_shape = "even", TOKENS

        def looked(self, looks: Looks) -> "np.ndarray[tuple[int, ...], np.dtype[np.float16]]":
            return np.ones((len(looks.photos), *TOKENS), np.float16)

    photos = DecodedPhotos([np.full((PHOTOS, 8, 8, 3), 200, np.uint8)])
    looks = keep_tokens(Even(), photos, ViewConfig(kept=1), 0, folder, lambda _: None)
    assert [(look.shape, str(look.dtype), look.min()) for look in looks] == [((PHOTOS, *TOKENS), "float16", 1)] * 2


def test_a_full_disk_is_an_error_and_leaves_whole_looks_only(tmp_path: Path) -> None:
    require_small_disks()
    script = (
        'mount -t tmpfs -o size=5m none "$0" && { "$1" -m tests.models.test_training_kept "$0"; told=$?; ls "$0"; '
        "exit $told; }"
    )
    command = [*apart(), "sh", "-c", script, str(tmp_path), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr  # and not of a signal
    assert "OSError: [Errno 28] No space left on device" in done.stderr
    assert sorted(Path(name).suffix for name in done.stdout.split()) == [".npy", ".tmp"]
    fill(tmp_path / "elsewhere")


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
