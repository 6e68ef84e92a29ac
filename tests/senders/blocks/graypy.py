import logging

import graypy

handler = graypy.GELFHTTPHandler("logs.example.com", 8000)
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
