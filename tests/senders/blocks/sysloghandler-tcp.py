import logging
import logging.handlers
import socket

handler = logging.handlers.SysLogHandler(("logs.example.com", 5514), socktype=socket.SOCK_STREAM)
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
