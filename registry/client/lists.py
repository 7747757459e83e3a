"""Lists that a registry gives: a repository's tags (end-8), and what a search finds (Docker's `/v1/search`)."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from registry.client import origins
from registry.client.errors import Untrusted
from registry.client.origins import Url
from registry.client.session import Session
from registry.client.transport import Answer
from registry.oci.names import InvalidTag, RepositoryName, Tag

PAGE = 1000
_NEXT = re.compile(r'\s*<([^>]{1,4096})>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """One repository that a search found."""

    name: str
    description: str
    stars: int
    official: bool
    automated: bool


def tags(session: Session, repository: RepositoryName) -> list[Tag]:
    """Give every tag, page by page. Raises: Answered; Untrusted for what is no list of tags, or never ends."""
    found: list[Tag] = []
    url: Url | None = Url(session.origin, f"/v2/{repository}/tags/list?n={PAGE}")
    for _ in range(session.limits.pages):
        if url is None:
            return found
        with session.ask("GET", url, (f"repository:{repository}:pull",)) as answer:
            if answer.status != 200:
                raise answer.error()
            new = _read_tags(answer, session.limits.document_size)
            url = _next(session, answer)
        found += new
        if len(found) > session.limits.items or (url is not None and not new):
            break
    raise Untrusted(f"{session.host} gives a list of tags that does not end")


def _read_tags(answer: Answer, limit: int) -> list[Tag]:
    document = answer.json(limit)
    values = document.get("tags") if isinstance(document, dict) else ()
    if not isinstance(values, list | None):
        raise Untrusted(f"{answer.url.origin} answers with something that is no list of tags")
    try:
        return [Tag.parse(str(value)) for value in values or []]
    except InvalidTag:
        raise Untrusted(f"{answer.url.origin} lists a tag that is none") from None


def _next(session: Session, answer: Answer) -> Url | None:
    """Read where the next page is (RFC 8288). Raises Untrusted where that is not at this registry."""
    match = _NEXT.match(answer.headers.get("Link", ""))
    if match is None:
        return None
    text = match.group(1)
    if "://" not in text and not text.startswith("/"):
        text = "/v2/" + text.removeprefix("./")  # relative, as some registries write it
    url = origins.parse(text, answer.url)
    if url.origin != session.origin:
        raise Untrusted(f"{session.host} sends for the next page to {url.origin}, which is not itself")
    return url


def search(session: Session, term: str, limit: int) -> list[Found]:
    """Find repositories by a word. Raises: Answered, which is 404 where a registry has no search; Untrusted."""
    path = f"/v1/search?{urlencode({'q': term, 'n': limit})}"
    with session.ask("GET", path, ("registry:catalog:search",)) as answer:
        if answer.status != 200:
            raise answer.error()
        document = answer.json(session.limits.document_size)
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list):
        raise Untrusted(f"{session.host} answers the search with something that is no list")
    return [_found(result) for result in results[:limit] if isinstance(result, dict)]


def _found(result: dict[str, Any]) -> Found:
    stars = result.get("star_count")
    return Found(
        name=_text(result.get("name")),
        description=_text(result.get("description")),
        stars=stars if isinstance(stars, int) else 0,
        official=result.get("is_official") is True,
        automated=result.get("is_automated") is True,
    )


def _text(value: object) -> str:
    """Make a stranger's text one line."""
    return "".join(character if character.isprintable() else " " for character in str(value or "")[:1000])
