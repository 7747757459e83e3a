"""`moor images`, `history`, `rmi` and `tag`. Source: docker/cli cli/command/image, formatter/image.go."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from runtime.cli.client import Refused, segment
from runtime.cli.filters import filter_option, filters_of, format_option
from runtime.cli.options import Failure, command, flag
from runtime.cli.references import cut
from runtime.cli.session import Session
from runtime.cli.tables import Listing
from runtime.cli.words import cut as shortened
from runtime.cli.words import local_time, short_id, since, size

GO_ZERO = -62135596800
"""The year 1 in seconds since 1970: what an image says that does not tell when it was made."""

HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}


@command("[OPTIONS] [REPOSITORY[:TAG]]", most=1, of="image")
@flag("-a", "--all", help="Show all images (default hides intermediate images)")
@flag("--digests", help="Show digests")
@filter_option
@format_option
@flag("--no-trunc", help="Don't truncate output")
@flag("-q", "--quiet", help="Only show image IDs")
def images(
    session: Session,
    words: tuple[str, ...],
    all: bool,
    digests: bool,
    filters: tuple[str, ...],
    form: str | None,
    no_trunc: bool,
    quiet: bool,
) -> None:
    """List images."""
    wanted = (*filters, *(f"reference={word}" for word in words))
    found = session.client.json("/images/json", {"all": all or None, "filters": filters_of(wanted)})
    columns = ["Repository", "Tag", *(["Digest"] if digests else []), "ID", "CreatedSince", "Size"]
    by_digest = digests or "{{.Digest}}" in (form or "")
    rows = [row for image in found for row in image_rows(image, whole=no_trunc, digests=by_digest)]
    Listing(columns, HEADERS).show(rows, form, quiet=quiet)


def image_rows(image: Mapping[str, Any], *, whole: bool, digests: bool) -> Iterator[dict[str, Any]]:
    """One row a tag, and where asked for a digest, of an image as GET /images/json gives it."""
    tags = [tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"]
    by_digest = [entry.partition("@") for entry in image.get("RepoDigests") or () if entry != "<none>@<none>"]
    shown = set()
    for tag in sorted(tags):
        name = cut(tag)
        shown.add(name.repository)
        known = [digest for repository, _, digest in by_digest if repository == name.repository] if digests else []
        for digest in known or ["<none>"]:
            yield _row(image, name.repository, name.tag, digest, whole=whole)
    for repository, _, digest in by_digest:
        if repository not in shown:
            yield _row(image, repository, "<none>", digest if digests else "<none>", whole=whole)
    if not tags and not by_digest:
        yield _row(image, "<none>", "<none>", "<none>", whole=whole)


def _row(image: Mapping[str, Any], repository: str, tag: str, digest: str, *, whole: bool) -> dict[str, Any]:
    shared, containers = image.get("SharedSize", -1), image.get("Containers", -1)
    return {
        "ID": image["Id"] if whole else short_id(image["Id"]),
        "Repository": repository,
        "Tag": tag,
        "Digest": digest,
        "CreatedSince": since(image["Created"]) if image["Created"] > GO_ZERO else "N/A",
        "CreatedAt": local_time(image["Created"]),
        "Size": size(image["Size"], 3),
        "VirtualSize": size(image.get("VirtualSize", image["Size"])),
        "SharedSize": "N/A" if shared == -1 else size(shared),
        "UniqueSize": "N/A" if shared == -1 else size(image["Size"] - shared),
        "Containers": "N/A" if containers == -1 else str(containers),
    }


@command("[OPTIONS] IMAGE", least=1, most=1, of="image")
@format_option
@flag("-H", "--human", default=True, help="Print sizes and dates in human readable format")
@flag("--no-trunc", help="Don't truncate output")
@flag("-q", "--quiet", help="Only show image IDs")
def history(
    session: Session, words: tuple[str, ...], form: str | None, human: bool, no_trunc: bool, quiet: bool
) -> None:
    """Show the history of an image."""
    found = session.client.json(f"/images/{segment(words[0])}/history")
    headers = {
        "ID": "IMAGE",
        "CreatedSince": "CREATED" if human else "CREATED AT",
        "CreatedAt": "CREATED AT",
        "CreatedBy": "CREATED BY",
        "Size": "SIZE",
        "Comment": "COMMENT",
    }
    rows = [_history_row(entry, human=human, whole=no_trunc) for entry in found]
    Listing(list(name for name in headers if name != "CreatedAt"), headers).show(rows, form, quiet=quiet)


def _history_row(entry: Mapping[str, Any], *, human: bool, whole: bool) -> dict[str, Any]:
    by = entry["CreatedBy"].replace("\t", " ")
    moment = datetime.fromtimestamp(entry["Created"]).astimezone().isoformat().replace("+00:00", "Z")
    return {
        "ID": entry["Id"] if whole else short_id(entry["Id"]),
        "CreatedSince": since(entry["Created"]) if human else moment,
        "CreatedAt": moment,
        "CreatedBy": by if whole else shortened(by, 45),
        "Size": size(entry["Size"], 3) if human else str(entry["Size"]),
        "Comment": entry["Comment"],
    }


@command("[OPTIONS] IMAGE [IMAGE...]", least=1, of="image")
@flag("-f", "--force", help="Force removal of the image")
@flag("--no-prune", help="Do not delete untagged parents")
def rmi(session: Session, words: tuple[str, ...], force: bool, no_prune: bool) -> None:
    """Remove one or more images."""
    failures, fatal = list[str](), False
    for word in words:
        try:
            query = {"force": force or None, "noprune": no_prune or None}
            for removed in session.client.do("DELETE", f"/images/{segment(word)}", query) or ():
                for what, name in removed.items():
                    click.echo(f"{what}: {name}")
        except Refused as error:
            failures.append(f"Error response from daemon: {error}")
            fatal = fatal or not (force and error.status == 404)
    if failures:
        raise Failure("\n".join(failures), 1 if fatal else 0)


@command("SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", least=2, most=2, of="image")
def tag(session: Session, words: tuple[str, ...]) -> None:
    """Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE."""
    source, target = words[0], cut(words[1])
    if target.digest:
        raise Failure("refusing to create a tag with a digest reference")
    session.client.do(
        "POST", f"/images/{segment(source)}/tag", {"repo": target.repository, "tag": target.tag or "latest"}
    )
