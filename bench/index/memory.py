"""What a process holds in memory, by the kernel's own account."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEAD: Final = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ (\d+)\s*(.*)$")


@dataclass(frozen=True)
class Memory:
    """Bytes: `private` is anonymous and resident; `mapped` the length of what is mapped of some files."""

    private: int
    mapped: int

    @classmethod
    def now(cls, place: Path) -> "Memory":
        """Of this process; the files are those at or below `place`."""
        return cls.of(Path("/proc/self/smaps").read_text(), str(place.resolve()))

    @classmethod
    def of(cls, smaps: str, place: str) -> "Memory":
        """From the text of a `smaps` file."""
        private = mapped = 0
        ours = False
        for line in smaps.splitlines():
            head = _HEAD.match(line)
            if head:
                ours = head[2].startswith(place)
            elif line.startswith("Anonymous:"):
                private += 1024 * int(line.split()[1])
            elif ours and line.startswith("Size:"):
                mapped += 1024 * int(line.split()[1])
        return cls(private, mapped)

    def __sub__(self, other: "Memory") -> "Memory":
        return Memory(self.private - other.private, self.mapped - other.mapped)
