import logging

from splunk_hec_handler import SplunkHecHandler

handler = SplunkHecHandler("logs.example.com", "x", port=8000, proto="http", hostname="web-1")
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
