import logging
import logging.handlers

handler = logging.handlers.SysLogHandler(("logs.example.com", 5514))
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
