"""Trouble with storage or the database: a 5xx with words and a time to come back, while what still works goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.catalog.blobs import Blob
from registry.catalog.errors import CatalogFull, CatalogUnavailable
from registry.content.reception import Pieces, Reception
from registry.edge.problems import KNOWN, problem_of, problem_response
from registry.oci.errors import ErrorCode, RegistryError
from storage.digest import Digest
from storage.driver import Writer
from storage.errors import Full, NotFound, ReadOnly, StorageError, Unavailable
from storage.memory import MemoryDriver
from tests.spec.contents import EMPTY, digest_of, image
from tests.spec.registry import Registry, running


class Failing(MemoryDriver):
    """A driver on which every upload fails from some moment on."""

    trouble: StorageError | None = None

    def begin(self, upload_id: str) -> Writer:
        if self.trouble is not None:
            raise self.trouble
        return super().begin(upload_id)

    def resume(self, upload_id: str, where: Callable[[], tuple[int, bytes]]) -> Writer:
        if self.trouble is not None:
            raise self.trouble
        return super().resume(upload_id, where)


@pytest.fixture
def driver() -> Failing:
    return Failing()


@pytest.fixture
def troubled(fast_directory: Path, name: str, driver: Failing) -> Iterator[Registry]:
    with running(fast_directory / name.replace("/", "-"), driver=driver) as registry:
        yield registry


@pytest.mark.parametrize(
    ("trouble", "status", "code", "words"),
    [
        (Full("no space left"), 507, "STORAGE_FULL", "storage is full"),
        (ReadOnly("read-only file system"), 503, "UNAVAILABLE", "read-only at the moment; pulls still work"),
        (Unavailable("I/O error on sda"), 503, "UNAVAILABLE", "storage does not answer"),
        (StorageError("?"), 503, "UNAVAILABLE", "storage failed"),
    ],
)
def test_pushes_fail_in_words_and_pulls_go_on(
    troubled: Registry, driver: Failing, trouble: StorageError, status: int, code: str, words: str
) -> None:
    content = troubled.push("a", "latest", image())
    location = troubled.start("a")
    driver.trouble = trouble
    for answer in (
        troubled.post("/v2/a/blobs/uploads/"),
        troubled.post(f"/v2/a/blobs/uploads/?digest={digest_of(b'x')}", b"x"),
        troubled.patch(location, b"x"),
        troubled.put(f"{location}?digest={digest_of(b'x')}", b"x"),
    ):
        assert words in answer.expect(status, code).message
        assert str(trouble) not in answer.message, "what the machine said is for the log"
        assert (answer.get("retry-after") is not None) == (status == 503)
    assert troubled.get("/v2/a/manifests/latest").expect(200).body == content
    assert troubled.get(f"/v2/a/blobs/{digest_of(EMPTY)}").expect(200).body == EMPTY
    driver.trouble = None  # nothing has to be restarted
    troubled.put(f"{location}?digest={digest_of(b'x')}", b"x").expect(201)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CatalogFull("disk is full"), ErrorCode.STORAGE_FULL),
        (CatalogUnavailable("locked"), ErrorCode.UNAVAILABLE),
        (NotFound("blobs/x"), ErrorCode.UNAVAILABLE),
        (ZeroDivisionError(), ErrorCode.UNKNOWN),
    ],
)
def test_what_each_trouble_means_to_a_client(error: Exception, code: ErrorCode) -> None:
    problem = problem_of(error, "id-1")
    assert problem.code is code
    assert not str(error) or str(error) not in problem.message


@pytest.mark.parametrize("kind", KNOWN, ids=lambda kind: kind.__name__)
def test_trouble_of_ours_has_a_sentence_of_ours(kind: type[Exception]) -> None:
    code, message = KNOWN[kind]
    assert (message is None) == (code.status < 500), "only a client's mistake is told in the parser's own words"


@pytest.mark.parametrize("code", [ErrorCode.UNAVAILABLE, ErrorCode.TOOMANYREQUESTS])
def test_who_may_try_again_is_told_when(code: ErrorCode) -> None:
    assert int(problem_response(RegistryError(code)).headers["retry-after"]) > 0
    assert problem_response(RegistryError(code, headers={"retry-after": "9"})).headers["retry-after"] == "9"


def test_a_whole_blob_that_was_taken_without_anybody_hearing_of_it_is_no_unknown_session(
    troubled: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is gone by then: that it cannot be cancelled any more is not what the client has to know."""
    finish = Reception.finish

    def unheard(self: Reception, last: Pieces, digest: Digest) -> Blob:
        finish(self, last, digest)
        raise CatalogUnavailable("the connection broke")

    target = f"/v2/a/blobs/uploads/?digest={digest_of(EMPTY)}"
    with monkeypatch.context() as patch:
        patch.setattr(Reception, "finish", unheard)
        assert troubled.post(target, EMPTY).expect(503)["retry-after"] == "5"
    troubled.post(target, EMPTY).expect(201)
