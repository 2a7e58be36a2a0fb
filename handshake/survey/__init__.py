"""The records of whole captures: what became of every connection in them."""

from handshake.survey.records import Records, records

__all__ = ["Records", "records"]
