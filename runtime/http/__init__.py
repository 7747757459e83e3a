"""An HTTP/1.1 server for one ASGI app on a unix socket, with the hijack that Docker's attach and exec need."""
