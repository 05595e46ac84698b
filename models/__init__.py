"""Encoders: photos and texts into vectors of one joint space.

```python
from models import Encoders, ProductInput

encoders = Encoders.load("models/default", device="cpu")
vectors = encoders.embed([ProductInput(image=jpeg_bytes, text="red mug"), ProductInput(text="red mug")])
```
"""

import os

# Before ONNX Runtime is first imported: it would keep a device's id and events in the home folder, and send them home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from models.bundle import Bundle
from models.embedder import Embedder, Encoded, Prepared, ProductInput
from models.encoders import Encoders
from models.standin import StandInEncoders

__all__ = ["Bundle", "Embedder", "Encoded", "Encoders", "Prepared", "ProductInput", "StandInEncoders"]
