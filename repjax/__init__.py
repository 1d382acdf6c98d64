"""repjax: which group representations do small networks learn, at scale."""

__version__ = "0.1.0"
