"""Which words stop the bot while it speaks.

A listener who says "mm-hm" or "yes" wants the bot to go on. The decision from sound alone (how
loud, how long, echo or not) is in `audio`; this is the decision from recognised words.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType


def _phrases(text: str) -> frozenset[str]:
    return frozenset(text.split("|"))


DEFAULT_BACKCHANNELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en": _phrases(
            "yes|yeah|yep|yup|ya|yea|uh-huh|uhuh|uh|um|mm|mm-hm|mm-hmm|mhm|mmhm|mmhmm|hm|hmm|m|ah|"
            "aha|oh|ok|okay|k|right|sure|alright|all right|got it|gotcha|i see|i know|of course|"
            "great|good|cool|nice|fine|wow|really|exactly|absolutely|totally|true|huh|go on|"
            "oh ok|thanks|thank you|very good|sounds good|ahem|cough|coughs|coughing|sneeze|"
            "sniff|sigh|sighs|laughter|laughs|haha|ha"
        ),
        "de": _phrases(
            "ja|jaja|jo|jep|jup|jawohl|okay|genau|gut|sehr gut|alles klar|klar|stimmt|richtig|"
            "verstehe|ich verstehe|verstanden|ach so|achso|aha|ah ja|soso|mhm|hm|hmm|äh|ähm|öh|"
            "eben|prima|super|in ordnung|danke|natürlich|na gut|na klar|schön|echt|husten"
        ),
        "fr": _phrases(
            "oui|ouais|ouaip|mouais|d'accord|ok|très bien|bien|bien sûr|ah bon|ah oui|euh|hum|hein|"
            "mmh|mh|voilà|exactement|tout à fait|je vois|je comprends|compris|parfait|super|"
            "entendu|c'est ça|ça marche|merci|bon|ben oui|toux"
        ),
        "es": _phrases(
            "sí|si si|ajá|aja|ya|ya veo|vale|claro|claro que sí|de acuerdo|bueno|bien|muy bien|ok|"
            "okey|entiendo|entendido|exacto|exactamente|por supuesto|perfecto|eh|em|mm|ah|"
            "cierto|correcto|gracias|genial|tos"
        ),
        "it": _phrases(
            "sì|già|certo|certamente|va bene|bene|molto bene|d'accord|d'accordo|ok|okay|esatto|"
            "esattamente|capito|capisco|ho capito|giusto|perfetto|ah|eh|ehm|mh|mhm|beh|ecco|"
            "ottimo|grazie|tosse"
        ),
        "pt": _phrases(
            "sim|sim sim|pois|pois é|pois sim|claro|certo|está bem|tá|tá bom|tá bem|ok|okay|"
            "entendi|entendo|percebo|percebi|exato|exatamente|isso|isso mesmo|com certeza|"
            "beleza|bom|bem|muito bem|perfeito|ah|ahã|aham|uhum|hum|é|obrigado|obrigada|"
            "tosse"
        ),
        "nl": _phrases(
            "ja|jaja|ja ja|jawel|jazeker|oké|ok|okay|goed|heel goed|prima|precies|klopt|inderdaad|"
            "zeker|natuurlijk|tuurlijk|ik snap het|snap ik|ik begrijp het|begrepen|begrijp ik|"
            "mooi|juist|dank je|dank u|bedankt|mm|hm|hmm|uh|eh|ah|aha|o|oh|hoest"
        ),
    }
)

# What recognisers write for sounds: [cough], (laughs), <noise>, *sigh*. Bounded, so that a flood
# of opening brackets costs no more than its length.
_SOUND = re.compile(r"\[[^\[\]]{0,40}\]|\([^()]{0,40}\)|<[^<>]{0,40}>|\*[^*]{0,40}\*")
_APOSTROPHE = re.compile("['\u2018\u2019\u02bc`\u00b4]")
_WORD = re.compile(r"[^\W_]+")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")

Phrase = tuple[str, ...]


def is_barge_in(text: str, min_words: int, ignore: Collection[str]) -> bool:
    """Whether recognised words should stop the bot.

    Not when they are only acknowledgements, in any order and number: those of all languages above
    (the recogniser does not always tell the language) and those in `ignore`. Not when they are
    fewer than `min_words`; `0` and `1` mean any word.
    """
    words = _words(_SOUND.sub(" ", text))
    if len(words) < max(1, min_words):
        return False
    return not _made_of(words, _DEFAULTS | {_words(each) for each in ignore})


def _words(text: str) -> Phrase:
    """The words of a text without case, accents, punctuation and drawn-out letters."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in spread if not unicodedata.combining(each))
    plain = _DRAWN_OUT.sub(r"\1", _APOSTROPHE.sub("", plain))
    return tuple(_WORD.findall(plain))


def _made_of(words: Phrase, phrases: Iterable[Phrase]) -> bool:
    """Whether the words are nothing but these phrases, one after the other."""
    known = frozenset(each for each in phrases if each)
    longest = max(map(len, known), default=0)
    ends = {0}
    for start in range(len(words)):
        if start in ends:
            ends.update(
                start + size
                for size in range(1, longest + 1)
                if words[start : start + size] in known
            )
    return len(words) in ends


_DEFAULTS = frozenset(
    _words(phrase) for language in DEFAULT_BACKCHANNELS.values() for phrase in language
)
