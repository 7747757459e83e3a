"""The one exception and the document that it becomes."""

from registry.oci.errors import ErrorCode, RegistryError


def test_without_details_there_is_one_error() -> None:
    error = RegistryError(ErrorCode.BLOB_UNKNOWN)
    assert error.body() == {"errors": [{"code": "BLOB_UNKNOWN", "message": ErrorCode.BLOB_UNKNOWN.message}]}
    assert str(error) == ErrorCode.BLOB_UNKNOWN.message
    assert error.headers == {}


def test_each_detail_is_an_error() -> None:
    error = RegistryError(ErrorCode.MANIFEST_BLOB_UNKNOWN, "why", details=("a", {"b": 1}), headers={"x": "y"})
    assert error.body()["errors"] == [
        {"code": "MANIFEST_BLOB_UNKNOWN", "message": "why", "detail": "a"},
        {"code": "MANIFEST_BLOB_UNKNOWN", "message": "why", "detail": {"b": 1}},
    ]
    assert error.headers == {"x": "y"}
