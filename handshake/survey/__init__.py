"""The records of whole captures, one for each connection.

The stages: read, decode, group; then records from those alike, or what a tracker makes of the runs
and the eventful segments that it follows; with what connections show of one another.
"""

from handshake.survey.records import Records, records

__all__ = ["Records", "records"]
