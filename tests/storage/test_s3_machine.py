"""An upload session on the S3 driver against a list of bytes, over parts of ten bytes: see test_upload_machine."""

from contextlib import ExitStack

from hypothesis import settings

from storage.blobs import BlobWriter
from storage.driver import Driver
from storage.s3.driver import S3Driver
from storage.s3.writer import S3Writer
from tests.parts.fake_s3 import start_fake_s3
from tests.storage.test_upload_machine import UploadMachine


class S3Machine(UploadMachine):
    """What an earlier writer of a committed upload left unknown to its state stays until the sweep."""

    reads_back = False

    def make_driver(self) -> Driver:
        self.stack = ExitStack()
        self.fake = self.stack.enter_context(start_fake_s3())
        self.driver = S3Driver(self.fake.options())
        return self.driver

    def crash_writer(self, writer: BlobWriter) -> None:
        inner = writer._writer
        assert isinstance(inner, S3Writer)
        if inner._multipart is not None:
            inner._multipart.settle_down()
        self.driver._let_go(writer.upload_id)

    def commit_bytes(self, algorithm: str) -> str:
        self.strangers.add(self.upload_id)
        return super().commit_bytes(algorithm)

    def kept_keys(self) -> set[str]:
        return {key for key in self.fake.objects if key.startswith("blobs/")}

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if hasattr(self, "stack"):
                self.stack.close()


TestS3Uploads = S3Machine.TestCase
TestS3Uploads.settings = settings(max_examples=20, stateful_step_count=30)
