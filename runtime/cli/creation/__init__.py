"""What `moor run`, `create` and `update` are given, turned into the documents that the Engine API takes. Pure but for
the files and variables of the environment that an option names. Source: docker/cli cli/command/container/opts.go.
"""
