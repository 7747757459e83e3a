"""What every HTTP face shares: the access check, the bridge to threads, the error renderer, middleware.

Nothing here knows an endpoint.
"""
