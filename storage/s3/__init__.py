"""The driver for S3 and what speaks its protocol.

    PREFIX format                      says that the bucket, or this prefix of it, is ours
    PREFIX blobs/<upload id>.<random>  a key: one object, written there directly; no commit copies
    PREFIX uploads/<upload id>/<random>  what an open session holds that is too short for a part

`options` says where, `bucket` calls, `parts`, `buffers` and `writer` take bytes in, `reading` gives them out, `driver`
keeps the promises of `storage.driver`, `diagnosis` finds out what is wrong with a set-up. boto3 is imported by `client`
alone, when the first call is made.
"""
