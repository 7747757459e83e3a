"""What everybody may do, written down by hand from the rules and without the code that decides.

Letters: p pull, w push, d delete; one word a place, in the order of PLACES, "-" for nothing. The rules: what is public
everybody pulls, what is internal every user pulls, all else takes a grant (or to own the namespace, or to administer
the registry); to push where nothing is takes create as well; a token or secret narrows that and never widens it.
"""

PLACES = ("private", "internal", "public", "absent")

RIGHTS = {
    #                                             private  internal  public  absent
    "an anonymous reader":                       "-        -         p       -",
    "a stranger":                                "-        p         p       -",
    "who may pull":                              "p        p         p       p",
    "who may pull and push":                     "pw       pw        pw      p",
    "who may push and not pull":                 "w        pw        pw      -",
    "who may push and create and not pull":      "w        pw        pw      w",
    "who may create and nothing else":           "-        p         p       -",
    "who may delete and nothing else":           "d        pd        pd      d",
    "who maintains":                             "pwd      pwd       pwd     pwd",
    "administrator of the private repository":   "pwd      p         p       -",
    "administrator of the internal repository":  "-        pwd       p       -",
    "administrator of another repository":       "-        p         p       -",
    "owner of the organisation":                 "pwd      pwd       pwd     pwd",
    "owner of another organisation":             "-        p         p       -",
    "member of the organisation, in no team":    "-        p         p       -",
    "member of a team that writes":              "pw       pw        pw      pw",
    "member of a team that reads one":           "p        p         p       -",
    "robot without grants":                      "-        -         p       -",
    "robot that writes":                         "pw       pw        pw      pw",
    "robot that pulls one":                      "p        -         p       -",
    "robot that writes, its secret for one":     "pw       -         p       -",
    "robot that writes, its secret for pull":    "p        p         p       p",
    "robot of another organisation":             "-        -         p       -",
    "owner, by a token":                         "pwd      pwd       pwd     pwd",
    "owner, by a token for pull":                "p        p         p       p",
    "owner, by a token for push":                "w        w         pw      -",
    "owner, by a token for push and create":     "w        w         pw      w",
    "owner, by a token for one":                 "pwd      -         p       -",
    "owner, by a token for the namespace":       "pwd      pwd       pwd     pwd",
    "owner, by a token for another namespace":   "-        -         p       -",
    "stranger, by a token":                      "-        p         p       -",
    "stranger, by a token for everything here":  "-        p         p       -",
    "stranger, by a token for delete":           "-        -         p       -",
    "administrator of the registry":             "pwd      pwd       pwd     pwd",
    "administrator, by a token for pull":        "p        p         p       p",
    "administrator, by a token for one":         "pwd      -         p       -",
}  # fmt: skip

REFUSED = {
    #                                             status and code of the answer, `error` of the challenge
    "nobody":                                    (401, "UNAUTHORIZED", None),
    "a cookie and nothing else":                 (401, "UNAUTHORIZED", None),
    "a token in the query":                      (401, "UNAUTHORIZED", None),
    "a token in another header":                 (401, "UNAUTHORIZED", None),
    "empty Basic":                               (401, "UNAUTHORIZED", None),
    "an empty header":                           (401, "UNAUTHORIZED", "invalid_request"),
    "another scheme":                            (401, "UNAUTHORIZED", "invalid_request"),
    "Basic that is not base64":                  (401, "UNAUTHORIZED", "invalid_request"),
    "Basic without a colon":                     (401, "UNAUTHORIZED", "invalid_request"),
    "an empty token":                            (401, "UNAUTHORIZED", "invalid_token"),
    "garbage for a token":                       (401, "UNAUTHORIZED", "invalid_token"),
    "a secret for a token":                      (401, "UNAUTHORIZED", "invalid_token"),
    "a token that has expired":                  (401, "UNAUTHORIZED", "invalid_token"),
    "a token that is not valid yet":             (401, "UNAUTHORIZED", "invalid_token"),
    "a token for another service":               (401, "UNAUTHORIZED", "invalid_token"),
    "a token of another issuer":                 (401, "UNAUTHORIZED", "invalid_token"),
    "a token that another key signed":           (401, "UNAUTHORIZED", "invalid_token"),
    "a token that nobody signed":                (401, "UNAUTHORIZED", "invalid_token"),
    "a wrong secret":                            (401, "UNAUTHORIZED", None),
    "a name that nobody has":                    (401, "UNAUTHORIZED", None),
    "a right secret with another's name":        (401, "UNAUTHORIZED", None),
    "a secret that has expired":                 (401, "UNAUTHORIZED", None),
    "a secret that was revoked":                 (401, "UNAUTHORIZED", None),
    "a refresh token for a password":            (401, "UNAUTHORIZED", None),
    "a disabled administrator":                  (401, "UNAUTHORIZED", None),
    "a disabled robot":                          (401, "UNAUTHORIZED", None),
    "a removed user":                            (401, "UNAUTHORIZED", None),
    "an organisation":                           (401, "UNAUTHORIZED", None),
}  # fmt: skip
"""Callers whom no endpoint lets in that lets in only those who signed in."""

SMALL = (
    "a token for nothing",
    "a token for another repository",
    "a token for every repository",
    "a token for the namespace",
    "a token for a longer name",
    "a token for another type of thing",
    "a token for actions in capitals",
)
"""Good tokens of somebody who may do everything, that say nothing of the repository that is asked for."""


def may(who: str, place: str) -> str:
    """Give the letters of what somebody may do."""
    return RIGHTS[who].split()[PLACES.index(place)].strip("-") if who in RIGHTS else ""
