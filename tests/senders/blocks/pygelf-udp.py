import logging
from pygelf import GelfUdpHandler

handler = GelfUdpHandler(host="logs.example.com", port=12201, include_extra_fields=True)
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
