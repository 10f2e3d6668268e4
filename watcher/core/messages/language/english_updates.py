"""The English texts about interval services, their updates, and missing inference results."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.messages.language.phrases import Phrase

ENGLISH_UPDATES: Final[Mapping[Phrase, str]] = MappingProxyType(
    {
        Phrase.UNUSABLE: "Completed without a result",
        Phrase.STATUS_UNUSABLE: "no inference result",
        Phrase.UNUSABLE_FOR: "No inference result {duration} after it completed",
        Phrase.UNUSABLE_USUAL: "{versions} earlier versions had theirs after {longest} at most",
        Phrase.UNUSABLE_REMEDY: "Check the version in the AiTEMS console before you use it",
        Phrase.UPDATE_SUCCEEDED: "Update completed",
        Phrase.UPDATE_FAILED: "Update failed",
        Phrase.STATUS_UPDATE: "update {status}",
        Phrase.UPDATE_ENDED: "Update {update} ended with {status}",
        Phrase.UPDATE_FINISHED: ", finished {time}",
        Phrase.UPDATE_FINISHED_WITHOUT_ZONE: ", finished {text} in an unknown zone",
        Phrase.UPDATE_TOOK: " after {duration}",
        Phrase.UPDATE_VERSION_STAYS: "The version stays completed; its results may be older than planned",
        Phrase.UPDATE_REMEDY: "Check the service in the AiTEMS console: AiTEMS gives no reason",
        Phrase.INTERVAL_SERVICES: "interval services of account {account}",
        Phrase.NO_UPDATES: "No updates of interval services since {time}; trainings are polled as before",
        Phrase.UPDATES_OFF: "{key} in a watch turns these calls off",
    }
)
