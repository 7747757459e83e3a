"""Open mode grants everything; other policies come with accounts."""

import pytest

from auth.policy import Action, OpenPolicy, Policy, Subject


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("repository", ["team/app", None])
def test_open_mode_grants_everything(action: Action, repository: str | None) -> None:
    policy: Policy = OpenPolicy()
    assert policy.decide(Subject("10.0.0.7"), action, repository)


def test_deleting_is_three_rights() -> None:
    """A tag, a manifest and a blob are lost for different people, so one right may be given without the others."""
    assert len({Action.DELETE_TAG, Action.DELETE_MANIFEST, Action.DELETE_BLOB}) == 3
