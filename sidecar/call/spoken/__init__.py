"""Words on the telephone: what of a text is said (`gate`), and in which pieces (`sentences`,
`replies`)."""

from sidecar.call.spoken.gate import speakable
from sidecar.call.spoken.replies import default_system_prompt, next_sentences
from sidecar.call.spoken.sentences import sentence_ends, split_for_carrier, split_sentences

__all__ = [
    "default_system_prompt",
    "next_sentences",
    "sentence_ends",
    "speakable",
    "split_for_carrier",
    "split_sentences",
]
