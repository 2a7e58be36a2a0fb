"""The records of whole captures, one for each connection."""

from handshake.survey.records import Records, records

__all__ = ["Records", "records"]
