"""The OCI Distribution API (/v2/): one table of endpoints and thin handlers."""
