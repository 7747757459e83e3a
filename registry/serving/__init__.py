"""How processes listen, work and drain: the servers under the ASGI application.

This room knows sockets, signals, processes, certificates and two HTTP servers (uvicorn and Granian). It refuses to know
settings, routes and what the application does: it is handed a factory and a `ServingPlan` of plain values.
"""
