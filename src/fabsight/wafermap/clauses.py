"""Sentences to clauses: where one statement ends and the next begins.

    "The centre is clear, but the edge fails from 2 to 4 o'clock, not all round."
     -------------------      ------------------------------------  -------------

`scope` says what each clause denies. Text has its values masked: each letter of a mention is
U+0001, so that a word of the lexicon is never taken for a verb.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

# "The rim is clean. The centre is not." is one sentence: the second part is not said in full.
SHORT = r"[^.;,!?\n]{0,60}\b(?:is|are|does|do|has)(?: not| too)?(?:[.;!?]|\s*$)"
SENTENCE = re.compile(rf"(?<=[.!?;])\s+(?=\S)(?!{SHORT})|\n+")
ABBREVIATIONS = re.compile(
    r"\b(e\.g|i\.e|approx|ca|vs|no(?=\.? ?\d)|fig|resp|etc|sig)\.(?= ?[^\s])", re.I
)
BULLET = re.compile(r"^\s*(?:[-\u2022>]+|\(?\d{1,2}[.)])\s+(?=\S)")
LINK = (
    r"(?:(?:can|could|may|might|must|should|will|would|has to|have to|had to|is to|are to|"
    r"needs? to|ought to)(?: (?:therefore|also|thus|safely|well|clearly|surely|certainly))* be|"
    r"is|are|was|were|remains?|stays?|appears?|looks?|seems?|has been|have been|shows up|"
    r"turns out|comes out|came out|proves?|being|keeps?)(?: (?:to be|being|considered|left))?"
)
VERBS = (
    rf"{LINK}|has|have|lie|lies|sits?|forms?|shows?|covers?|spans?|concentrates?|"
    r"clusters?|passe?s?|does|do|runs?|reach\w*|contains?|exhibits?|extends?|"
    r"occup\w+|resembles?|points?|falls?|starts?|ends?|stretch\w*|loads?|leaves?|spares?|"
    r"avoids?|suffers?|affects?|hits?|carr(?:y|ies)|follows?|means?|sees?|find|finds|found|"
    r"appears?|belongs?|takes?|comes?|gives?|makes?|goes|stops?|misses|skips?|closes?|"
    r"encircles?|touches|escapes?|survives?|yields?|dominates?|holds?|fits?|describes?|"
    r"suggests?|indicates?|argues?|speaks?|excludes?|rules|lacks?|bears?|harbou?rs?|"
    r"(?<=\x01 )fails?|(?<=dies )fail|(?<=it )fails|(?<=wafer )fails|failed|see|note|looks?"
)
VERB = re.compile(rf"\b(?:{VERBS})\b")
# "and avoids the ...": a verb without a subject of its own.
NEW_VERB = re.compile(
    r" (?:also |then |only |even |mainly |mostly |instead )?(?!this |thus |its |his |across |"
    r"fails |dies |is |failures |failing |plus |as |less )"
    r"[a-z]+(?:[^s\W]s|es) (?:the |an? |at |in |to |from |along |only |mainly |all |neither |no |"
    r"both )"
    r"| (?:gather|sit|lie|cluster|concentrate|hit|affect|occupy|follow|form|reach|cover|load|run|"
    r"fill|appear|show|spread|extend|accumulate|crowd|keep|stay|leave|avoid|spare|miss|favou?r) "
)
CUT = re.compile(
    r",? (?:(?<!everything )(?<!everywhere )(?<!anything )(?<!nothing )(?<!all )but(?! also| "
    r"not\b)|whereas|while|whilst|although|even though|yet|instead,|"
    r"despite|(?<=, )just|(?<=, )merely|(?<=, )simply)\b|,? but (?=not\b)|"
    r"^(?:although|though|while)\b"
    r"| - |[;.] | \((?=[^()]*\b(?:is|are|fails?|shows?|lies?|sits?|has)\b)|, (?=(?:rather|only|"
    r"instead) )"
    r"| (?:with|leaving|together with)(?= (?:the )?(?:rest|\x01+(?: and (?:the )?\x01+)?"
    r"(?: \w+ly)? (?:clear|clean|alone|untouched|unaffected|intact|free|empty|spared|unharmed)\b))"
)
JOIN = re.compile(
    r",? (?:and |or |so |then |nor |which |because |since )|, as |, (?=\S)|: |"
    r",? (?:however|though|on the other hand|in contrast|by contrast)\b,?"
)
# "apart from the rim, no zone is hit": what is excepted belongs to the clause that follows.
FRONTED = re.compile(
    r"[^\w\x01]*(?:\x01|except|apart from|aside from|save for|with the exception|other than|"
    r"outside|unlike|"
    r"at|in|on|near|within|inside|from|around|along|towards|between|in contrast|contrary to|"
    r"rather than|instead of|as opposed|besides|beyond)\b"
)
HARDLY = re.compile(r"(?:the |an? )?\x01+ (?:hardly|not|barely|never|scarcely|no(?=[.,;]|$))\b")
CONJUNCTION = re.compile(r", (?:and|so|or|then) ")
DENIES = re.compile(r"(?:not|no|never|rather than|without|with no|instead of|nor)\b")


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, without the marks of a list."""
    guarded = ABBREVIATIONS.sub(r"\1", text)
    for line in SENTENCE.split(guarded):
        said = BULLET.sub("", line).strip()
        if said:
            yield said


def clauses(masked: str) -> list[tuple[int, int]]:
    r"""Where the clauses of a sentence begin and end.

    >>> text = "the \x01 is clear, but the \x01 fails"
    >>> [text[a:b] for a, b in clauses(text)]
    ['the \x01 is clear', ', but the \x01 fails']
    """
    cuts = {0, *(match.start() for match in CUT.finditer(masked))}
    joins = list(JOIN.finditer(masked))
    stops = [*(match.start() for match in joins), len(masked)]
    for match, end in zip(joins, stops[1:], strict=True):
        start = max(cut for cut in cuts if cut <= match.start())
        if _is_new(masked, start, match, end):
            cuts.add(match.start())
    edges = [*sorted(cuts), len(masked)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def _is_new(masked: str, start: int, join: re.Match[str], end: int) -> bool:
    """Whether a clause begins at a comma or "and": there are verbs on both sides, or a denial."""
    after = masked[join.end() : end]
    if FRONTED.match(masked, start) and not VERB.search(masked, start, join.start()):
        return False
    if join[0] != ": " and (DENIES.match(after) or HARDLY.match(after)):
        return True
    if not VERB.search(masked, start, join.start()):
        # ", and" after something without a verb: a list, or else a new clause
        listed = not CONJUNCTION.match(join[0]) or "," in masked[start : join.start()]
        return not listed and bool(VERB.search(after))
    return bool(VERB.search(after) or NEW_VERB.match(" " + after))
