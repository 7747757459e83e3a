"""The tests of the official tool that fail where clients are sent to the store for blobs, each by its name.

They follow the address, and ask the store's answer for Docker-Content-Digest, which no S3 server sends; the registry's
own answer has it. The header is asked for by an option of the tool that its own configuration leaves off.
"""

from __future__ import annotations

from collections import Counter

SAID = "registry did not return a Docker-Content-Digest header"

WAYS = (
    *("post only", "post+put", "chunked single", "stream", "mount", "mount anonymous", "mount missing"),
    *("chunked multi", "chunked multi and put chunk", "chunked out-of-order"),
    *("chunked out-of-order and put chunk", "emptyJSON"),
)
"""`<algorithm> blobs/<way>/blob-get`, one each."""

PULLS = {
    "image": 3,
    "image-uncompressed": 3,
    "large-manifest": 3,
    "index": 6,
    "nested-index": 10,
    "artifact": 2,
    "artifact-index": 3,
    "artifact-without-layers": 1,
    "artifacts-with-subject": 8,
    "index-with-subject": 9,
    "missing-subject": 2,
    "data-field": 3,
    "non-distributable-layers": 2,
    "custom-fields": 6,
    "no-layers": 1,
    "sha512": 6,
    "tag-param-sha256": 6,
    "tag-param-sha512": 6,
    "bad-digest-image": 3,
}
"""`<image>/pull/blob-get`, so many each."""

_blobs = {f"{algorithm} blobs/{way}/blob-get": 1 for algorithm in ("sha256", "sha512") for way in WAYS}
_pulls = {f"{image}/pull/blob-get": number for image, number in PULLS.items()}
REDIRECTED = Counter({f"OCI Conformance Test/{name}: {SAID}": number for name, number in (_blobs | _pulls).items()})
