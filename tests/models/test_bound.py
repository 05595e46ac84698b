"""The manners of a GPU, on a CPU through the same wrappers; a session without memory stands in for a full one."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from catalogue.device_memory import is_out_of_memory
from catalogue.errors import ConfigurationError, DeviceMemoryFull, NotEnoughMemory
from models import Bundle, Encoders, Prepared
from models.bound import BoundSession
from models.runtime import check_placement, open_session
from tests.models.bundles import SHIPPED
from tests.models.test_encoder_steps import Session, encoders_on

CUDA_SAYS = (
    "Non-zero status code returned while running MatMul node. BFCArena::AllocateRawInternal: Failed to allocate memory "
    "for requested buffer of size 1258291200"
)


class Full(Session):
    """A session on a device with room for batches of `room`."""

    def __init__(self, name: str, room: int) -> None:
        super().__init__(name, "CUDAExecutionProvider")
        self.room = room
        self.batches: list[int] = []
        self.threads: set[int] = set()

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        size = len(next(iter(inputs.values())))
        self.batches.append(size)
        self.threads.add(threading.get_ident())
        if size > self.room:
            raise RuntimeError(CUDA_SAYS)
        return super().run(outputs, inputs)


def full(room: int) -> tuple[Encoders, dict[str, Full]]:
    bundle = Bundle.load(SHIPPED)
    sessions = {name: Full(name, room) for name in ("image_encoder", "text_encoder", "fusion_encoder")}
    return Encoders(bundle, bundle.reference, sessions), sessions


def items(encoders: Encoders, count: int) -> list[Prepared]:
    ids = [encoders.prepare_text(f"mug number {number}") for number in range(count)]
    return [Prepared(np.full((224, 224, 3), number, np.uint8), ids[number]) for number in range(count)]


@pytest.mark.parametrize("room", [1, 4, 16])
def test_a_full_device_takes_smaller_batches(room: int) -> None:
    encoders, sessions = full(room)
    plenty, _ = encoders_on("CUDAExecutionProvider")
    batch = items(encoders, 23)
    np.testing.assert_allclose(encoders.encode(batch), plenty.encode(batch), atol=1e-6)
    session = sessions["image_encoder"]
    session.batches.clear()
    encoders.encode(batch)
    assert max(session.batches) <= room, "what found no room is not tried again at once"


def test_after_a_while_large_batches_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    encoders, sessions = full(2)
    encoders.encode(items(encoders, 8))
    now = __import__("time").monotonic()
    monkeypatch.setattr("models.encoders.time.monotonic", lambda: now + 3600)
    sessions["image_encoder"].batches.clear()
    sessions["image_encoder"].room = 32
    encoders.encode(items(encoders, 8))
    assert sessions["image_encoder"].batches == [8]


def test_no_room_for_one_is_said_and_survived() -> None:
    encoders, sessions = full(0)
    with pytest.raises(DeviceMemoryFull, match="no memory left"):
        encoders.encode(items(encoders, 3))
    for session in sessions.values():
        session.room = 32
    assert encoders.encode(items(encoders, 3)).shape == (3, 256)


def test_one_thread_makes_all_calls_of_a_device() -> None:
    encoders, sessions = full(32)
    other, more = full(32)
    threads = [
        threading.Thread(target=one.encode, args=(items(one, 2),)) for one in (encoders, other) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = {ident for session in (*sessions.values(), *more.values()) for ident in session.threads}
    assert len(used) == 1


def test_other_errors_are_not_taken_for_it() -> None:
    encoders, sessions = full(32)
    sessions["fusion_encoder"].run = lambda *_: (_ for _ in ()).throw(RuntimeError("broken"))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="broken"):
        encoders.encode(items(encoders, 2))


@pytest.mark.parametrize(
    ("said", "is_it"),
    [
        (CUDA_SAYS, True),
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=x", True),
        ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED", True),
        ("Error in void* allocMemory: StandardGpuResources: alloc fail (cudaMalloc error out of memory [2])", True),
        ("Error in allocMemory at StandardGpuResources.cpp:570: CUDA memory allocation error", True),  # built with cuVS
        ("std::bad_alloc: out_of_memory: CUDA error (failed to allocate 5120000 bytes) at: mr.hpp:62", True),
        ("Got invalid dimensions for input: pixel_values", False),
    ],
)
def test_what_libraries_say_is_understood(said: str, *, is_it: bool) -> None:
    assert is_out_of_memory(RuntimeError(said)) is is_it


@pytest.fixture
def fusion() -> ort.InferenceSession:
    return ort.InferenceSession(str(SHIPPED / "onnx/fusion_encoder.onnx"), providers=["CPUExecutionProvider"])


def tokens(rows: int, seed: int) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(seed)
    image, text = (random.normal(size=(rows, 1, 256)).astype(np.float32) for _ in range(2))
    ones = np.ones((rows, 1), np.int64)
    return {"image_tokens": image, "image_mask": ones, "text_tokens": text, "text_mask": ones}


def test_bound_inputs_give_the_same(fusion: ort.InferenceSession) -> None:
    bound = BoundSession(fusion, "cpu")
    kept = []
    for seed, rows in enumerate((1, 4, 1, 4, 2)):
        inputs = tokens(rows, seed)
        (made,) = bound.run(["embedding"], inputs)
        (expected,) = fusion.run(["embedding"], inputs)
        np.testing.assert_array_equal(made, expected)
        kept.append((made, expected.copy()))
    for made, expected in kept:
        np.testing.assert_array_equal(made, expected, err_msg="an answer given out must not change later")


def test_buffers_are_bounded_and_given_up_when_memory_is_full(fusion: ort.InferenceSession) -> None:
    bound = BoundSession(fusion, "cpu")
    for rows in range(1, 76):
        bound.run(["embedding"], tokens(rows, rows))
    assert len(bound._bound) == 64
    bound.free()
    assert not bound._bound
    (made,) = bound.run(["embedding"], tokens(3, 3))  # with the arena shrunk
    np.testing.assert_array_equal(made, fusion.run(None, tokens(3, 3))[0])


def test_inputs_that_do_not_fit_are_an_error(fusion: ort.InferenceSession) -> None:
    bound = BoundSession(fusion, "cpu")
    with pytest.raises(Exception, match="image_tokens"):
        bound.run(["embedding"], {**tokens(2, 0), "image_tokens": np.zeros((2, 1, 7), np.float32)})


def test_encoders_run_the_same_through_bound_sessions(encoders: Encoders) -> None:
    sessions = {name: BoundSession(session, "cpu") for name, session in encoders._sessions.items()}
    bound = Encoders(encoders.bundle, encoders.bundle.reference, sessions)
    batch = items(encoders, 3)
    np.testing.assert_allclose(bound.encode(batch), encoders.encode(batch), atol=1e-6)


def test_heavy_work_left_to_the_cpu_is_refused() -> None:
    check_placement(Path("x.onnx"), {"CUDAExecutionProvider": {"MatMul", "Conv"}, "CPUExecutionProvider": {"Shape"}})
    with pytest.raises(ConfigurationError, match=r"Conv of x\.onnx on the CPU"):
        check_placement(Path("x.onnx"), {"CUDAExecutionProvider": {"MatMul"}, "CPUExecutionProvider": {"Conv"}})


def test_no_room_to_load_is_not_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise RuntimeError(CUDA_SAYS)

    monkeypatch.setattr("models.runtime.ort.InferenceSession", opened)
    with pytest.raises(NotEnoughMemory, match="no room"):
        open_session(SHIPPED / "onnx/fusion_encoder.onnx", device="cpu", threads=1)
