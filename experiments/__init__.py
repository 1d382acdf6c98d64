"""Experiments: settings as data, one file per study."""
