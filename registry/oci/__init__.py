"""The specification's vocabulary: names, references, descriptors, manifests, media types, errors.

Pure values and parsers without I/O. They serve the distribution-spec and the image-spec and know no HTTP.
"""
