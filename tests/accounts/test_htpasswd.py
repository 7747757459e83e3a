"""htpasswd files: bcrypt is taken over, everything else is named and left, and no hash is ever told."""

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.accounts.htpasswd import Outcome, parse_htpasswd
from tests.accounts.desk import ME, PASSWORD, Desk

HASH = bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$" + b"a" * 21 + b"e").decode()  # the same in every process


def test_users_are_taken_over_with_their_passwords(desk: Desk) -> None:
    text = f"# staff\n\nada:{HASH}\nbob:{HASH.replace('$2b$', '$2y$')}\n"
    expected = [Outcome(3, "ada", "added"), Outcome(4, "bob", "added")]
    assert desk.htpasswd.preview(text) == expected
    assert desk.people.list() == []
    assert desk.htpasswd.take(text, ME) == expected
    for account in desk.people.list():
        assert desk.hasher.verify(account.password or "", PASSWORD)
        assert not account.administrator
    assert desk.trail() == ["user.add ada, from an htpasswd file", "user.add bob, from an htpasswd file"]
    assert b"$2" not in b"".join(desk.lines)


def test_who_is_there_stays_as_they_are(desk: Desk) -> None:
    desk.user("ada")
    desk.organizations.add("acme", ME)
    assert desk.htpasswd.take(f"ada:{HASH}\nacme:{HASH}", ME) == [
        Outcome(1, "ada", "exists", "left as it is"),
        Outcome(2, "acme", "skipped", "acme is an organisation"),
    ]
    assert desk.people.show("ada").account.password == "x"


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("$apr1$7ygYd2XF$8n1VDmBTnYBi1sgFeS4Bp0", "its password is kept as MD5 (apr1); only bcrypt is taken over"),
        ("$1$7ygYd2XF$8n1VDmBTnYBi1sgFeS4Bp0", "its password is kept as MD5; only bcrypt"),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "its password is kept as SHA-1; only bcrypt"),
        ("$5$rounds=5000$abc$def", "its password is kept as SHA-256; only bcrypt"),
        ("$6$abc$def", "its password is kept as SHA-512; only bcrypt"),
        ("rqXexS6ZhobKA", "its password is kept as crypt or plain text; only bcrypt"),
        ("", "its password is kept as crypt or plain text"),
        (HASH[:-1], "its hash is damaged, or bcrypt of a cost outside 4 to 17; make it anew: htpasswd -B"),
        (HASH.replace("$04$", "$31$"), "its hash is damaged, or bcrypt of a cost outside 4 to 17"),
        (f"{HASH}:more", "its hash is damaged"),
    ],
)
def test_other_hashes_are_named_and_left(desk: Desk, stored: str, reason: str) -> None:
    (outcome,) = desk.htpasswd.take(f"ada:{stored}", ME)
    assert (outcome.result, desk.people.list()) == ("skipped", [])
    assert outcome.reason.startswith(reason)
    assert not stored or stored not in outcome.reason


def test_lines_that_cannot_be_used_say_why_and_the_others_are_taken(desk: Desk) -> None:
    desk.push("team/app")
    text = f"Ada:{HASH}\n{HASH}\nbob:{HASH}\nbob:x\nteam:{HASH}\n:{HASH}\n"
    results = desk.htpasswd.take(text, ME)
    assert [(each.line, each.name, each.result) for each in results] == [
        (1, "Ada", "skipped"),
        (2, "", "skipped"),
        (3, "bob", "added"),
        (4, "bob", "skipped"),
        (5, "team", "skipped"),
        (6, "", "skipped"),
    ]
    reasons = [each.reason for each in results]
    assert reasons[0].endswith("try ada")
    assert reasons[1] == reasons[5] == "not NAME:HASH"
    assert reasons[3] == "line 3 has the same name"
    assert reasons[4] == "1 repository below team/ would become team's own; if that is meant, say --adopt"
    assert [each.result for each in desk.htpasswd.take(f"team:{HASH}", ME, adopt=True)] == ["added"]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for entry in parse_htpasswd(text):
        assert ":" not in entry.name
        assert entry.name == entry.name.lstrip()
