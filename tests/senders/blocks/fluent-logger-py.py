from fluent import sender

client = sender.FluentSender("shop", host="logs.example.com", port=24224, nanosecond_precision=True)


def send(level, message, n):
    client.emit("orders", {"level": ("info", "warning", "error")[level], "message": message, "n": n})


end = client.close
