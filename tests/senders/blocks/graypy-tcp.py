import logging

import graypy

handler = graypy.GELFTCPHandler("logs.example.com", 12201)
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
