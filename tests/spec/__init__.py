"""The distribution-spec, row by row and MUST by MUST: every test is named for what it proves.

The whole server runs in this process, over two drivers, without sockets.
"""
