"""The bridge between TWS or IB Gateway and the engine: wire protocol version 1 over one WebSocket."""

__version__ = "1.0.0"
