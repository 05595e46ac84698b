"""Every error samestyle raises on purpose, drawn once.

SamestyleError
├── InvalidInput            the caller sent something that cannot be used
│   ├── TooLarge            a body, photo or batch over a limit
│   ├── UnsupportedMedia    bytes of a kind that is not read here
│   ├── UndecodableImage    a photo that cannot be decoded
│   ├── FetchRefused        a URL that photos are not fetched from
│   └── FetchFailed         a URL that gave no photo
├── NotFound                an id, target or alias nobody knows
├── Gone                    what a cursor goes on with is served no more
├── Conflict                the state of the service does not allow it now
│   ├── NotEnoughMemory     there is no room for what should be loaded
│   └── ProductChanged      somebody else changed the product meanwhile
├── NotReady                the service cannot answer yet
│   ├── JournalUnavailable  changes cannot be stored or read at the moment
│   ├── StorageUnavailable  photos cannot be stored or read at the moment
│   ├── EventsUnavailable   events cannot be kept at the moment
│   ├── SnapshotDamaged     a product of a snapshot that serves can no longer be read
│   ├── DeviceMemoryFull    a GPU has no room for even one input
│   ├── DeltaFull           more changes since the snapshot than are kept in memory
│   └── SwapFailed          a snapshot could not be exchanged for another
├── Overloaded              every queue is full; try again later
│   ├── RateLimited         a key asks faster than it may
│   └── QuotaExceeded       a key has asked as much as it may today
├── DeadlineExceeded        the answer would have come too late
├── CatalogueInvalid        a catalogue file that cannot be read at all
├── AliasesInvalid          aliases that must not be followed or replaced
├── ExperimentsInvalid      experiments that must not be followed or replaced
├── BundleInvalid           a model bundle that must not be served
├── SnapshotInvalid         an index snapshot that must not be served
│   └── FingerprintMismatch vectors of another model's space
├── JournalInvalid          a journal that must not be written or replayed
│   ├── JournalLocked       another process has it
│   └── JournalTrimmed      it no longer reaches back that far
├── BackupInvalid           a backup that must not be restored
├── TrainingFailed          a training run that cannot go on
└── ConfigurationError      settings or an installation that cannot work
    └── KeysInvalid         a file of API keys that cannot be used

The HTTP status of each stands in `service.problems`, and only there.
"""


class SamestyleError(Exception):
    """Base of all errors raised on purpose; the message says what is wrong and what to do."""


class InvalidInput(SamestyleError):
    """The caller sent something that cannot be used."""


class TooLarge(InvalidInput):
    """A body, photo or batch over a limit."""


class UnsupportedMedia(InvalidInput):
    """Bytes of a kind that is not read here."""


class UndecodableImage(InvalidInput):
    """A photo that cannot be decoded."""


class FetchRefused(InvalidInput):
    """A URL that photos are not fetched from: another scheme, a host that is not allowed, an address inside."""


class FetchFailed(InvalidInput):
    """A URL that gave no photo, or not in time."""


class NotFound(SamestyleError):
    """An id, target or alias nobody knows."""


class Gone(SamestyleError):
    """What a cursor goes on with is served no more."""


class Conflict(SamestyleError):
    """The state of the service does not allow it now."""


class NotEnoughMemory(Conflict):
    """There is no room for what should be loaded."""


class ProductChanged(Conflict):
    """Somebody else changed a product after what the change was made from; nothing was written."""


class NotReady(SamestyleError):
    """The service cannot answer yet."""


class JournalUnavailable(NotReady):
    """Changes cannot be stored or read at the moment: the disk is full, or the database cannot be reached."""


class StorageUnavailable(NotReady):
    """Photos cannot be stored or read at the moment: the disk is full, or the store cannot be reached."""


class EventsUnavailable(NotReady):
    """Events cannot be kept at the moment: the disk is full, or files cannot be written."""


class SnapshotDamaged(NotReady):
    """A product of a snapshot that serves can no longer be read: its file has changed since it was verified.

    `row` is where it lies in the snapshot, None where that cannot be told or more than one product is concerned.
    """

    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class DeviceMemoryFull(NotReady):
    """A GPU has no memory left for even one input or query."""


class DeltaFull(NotReady):
    """More changes since the snapshot than are kept in memory."""


class SwapFailed(NotReady):
    """A snapshot could not be exchanged for another; the old one goes on."""


class Overloaded(SamestyleError):
    """Every queue is full.

    `retry_after` is the number of seconds after which a retry has a chance.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Overloaded):
    """A key asks faster than it may."""


class QuotaExceeded(Overloaded):
    """A key has asked as much as it may today."""


class DeadlineExceeded(SamestyleError):
    """The answer would have come too late."""


class CatalogueInvalid(SamestyleError):
    """A catalogue file that cannot be read at all (a bad row is reported, not raised)."""


class AliasesInvalid(SamestyleError):
    """Aliases that must not be followed or replaced: the file is damaged, or a newer version's."""


class ExperimentsInvalid(SamestyleError):
    """Experiments that must not be followed or changed: the file is damaged, or a newer version's."""


class BundleInvalid(SamestyleError):
    """A model bundle that must not be served."""


class SnapshotInvalid(SamestyleError):
    """An index snapshot that must not be served."""


class FingerprintMismatch(SnapshotInvalid):
    """Vectors of another model's space; equal dimensions never mean equal space."""


class JournalInvalid(SamestyleError):
    """A journal that must not be written or replayed."""


class JournalLocked(JournalInvalid):
    """Another process has the journal, and only one may."""


class JournalTrimmed(JournalInvalid):
    """The journal no longer holds the changes asked for."""


class BackupInvalid(SamestyleError):
    """A backup that must not be restored: it is damaged, not complete, or a newer version's."""


class TrainingFailed(SamestyleError):
    """A training run that cannot go on: its loss is not a number."""


class ConfigurationError(SamestyleError):
    """Settings or an installation that cannot work."""


class KeysInvalid(ConfigurationError):
    """A file of API keys that cannot be used."""
