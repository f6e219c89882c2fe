"""Sentences and parts of sentences that assert nothing about the map at hand.

Questions, conditions ("were this a scratch, ..."), definitions ("a donut leaves the centre clear by
definition"), what was done ("first I looked at the centre, then at the rim"), conventions ("the
notch is at 6 o'clock"). They name values of slots, and reading those as claims would be wrong.
"""

import re

THING = r"(?:\w+[- ]){0,2}?\x01+(?:[- ](?:\w+ )?\x01+|[- ]like|[- ]shaped)?"
DEFINITE = re.compile(
    r"\b(?:the (?:fail\w*|pattern|wafer|map|signature|dies|dice|defects?|damage|shape|type|label)"
    r"|this|here|these|it)\b"
)
CUSTOM = re.compile(
    r"\b(?:in general|generally|typically|usually|as a rule|commonly|normally|in theory|"
    r"in most cases|often|always|tends? to|in the literature|in practice)\b"
)
# Sentences that start so are conditions, purposes, procedures or lists of what might have been.
START = (
    r"[\s().\d>-]*(?:[^,:\x01]{0,40}[,:] *)??"
    r"(?:so |and |but |also |now |(?:i )?(?:note|recall|notice|remember)(?: that)? )?"
)
OPENING = re.compile(
    rf"^{START}(?:"
    r"if (?!i (?:had|have) to|anything|pressed|forced|you ask|i am not|we are not)|unless |"
    r"(?:were|had|should) (?:it|this|that|there|these|those|the|they|we|a|an)\b|"
    r"suppos(?:e|ing)|assum(?:e|ing)|provided (?:that )?|imagine|whether |for an? |"
    r"typically,? (?:a|an) |in case |as long as |whenever |when (?:an?|one|we|you|\x01)|"
    r"(?:in order )?to (?:distinguish|tell|separate|decide|discriminate|differentiate|see|check|"
    r"verify|confirm|find|rule|exclude|be (?:sure|safe)|avoid|understand|judge|classify|identify|"
    r"compare|read|describe)\b|"
    r"(?:next|first|second|then|finally|secondly|firstly)?,? ?(?:i|we) (?:first |then |also |next |"
    r"have |will |now )?(?:look(?:ed)?|went|go|check\w*|examin\w*|inspect\w*|scann?\w*|compar\w+|"
    r"start\w*|divid\w*|split|used?|consider\w*|walk\w*|mov\w+|work\w*|proceed\w*|began|begin|"
    r"count\w*|measur\w*|rotat\w*|orient\w*|defin\w*|studied|stepped)\b|"
    r"(?:first|next|then),? (?:i|we|look|check|go|comes?|came|the \w+ (?:was|were))\b|"
    r"(?:look|check|compare|see|consider|start|inspect|examine|please|let(?:'s| me| us) (?:see|"
    r"look|check|examine|think|consider|start|begin|first|go|take)|"
    r"next step)\b|"
    r"(?:the )?(?:\w+ )?(?:answers|choices|options|candidates|alternatives) (?:were|are|include)\b|"
    r"(?:on |in )?(?:the |an )?(?:other|previous|next|earlier|neighbou?ring|last|another) "
    r"(?:wafers?|lots?|maps?)\b|(?:the )?(?:\w+ ){0,2}(?:legend|colou?r ?bar|diameter|axis|"
    r"scale bar)\b|"
    r"(?:possible|known|candidate|available|allowed|alternative) (?:classes|zones|types|labels|"
    r"values|patterns|categories|options|quadrants))"
)
ANYWHERE = re.compile(
    r"\bhere means\b|\bstands for\b|\bi mean\b|\bis (?:called|meant)\b|"
    r"\bby definition\b|\bper definition\b|\bby convention\b|\bdepends? on\b|\bdepending on\b|"
    r"\bis defined\b|\bare defined\b|\bdefined (?:as|by)\b|"
    r"\b(?:zones|quadrants|sectors|classes|categories|labels|options|terms|names|rings)\b"
    r"(?: \w+){0,4}? (?:used|considered|possible|available|known|allowed|in use)\b|"
    r"\b(?:zones|quadrants|classes|categories|sectors|terms) (?:used |here |in use )*"
    r"(?:are|include|comprise)\b|"
    r"\b(?:alignment|calibration|prober|chuck|gripper|remover|probe card|tester|stepper|scanner)"
    r"(?:'s)? (?:\w+ ){0,3}?(?:was|were|has been|have been|is being)\b|"
    r"\b(?:was|were|has been|have been) (?:\w+ )?(?:verified|serviced|calibrated|replaced|aligned|"
    r"recalibrated|maintained|cleaned (?:last|before)|measured|counted|numbered)\b|"
    r"\b(?:measured|counted|numbered|labelled|run) (?:clockwise|from)\b"
)
# "a donut leaves ...", "center patterns point to ...": of a kind, not of this wafer.
KIND = re.compile(
    rf"^{START}(?:(?:an?|any|some) {THING} (?:would|leaves|consists|requires|needs|means|implies|"
    r"is (?:usually|often|typically|caused|when|where|an?(?! (?:\w+ )*(?:description|label|fit|"
    r"match|candidate|choice|class|"
    r"name|call|answer|option|possibility))|characteri[sz]ed)|"
    r"has (?:an?|no|its|to)|must|should|comes|differs|looks like|appears as|has to)\b"
    r"|\x01+s? (?:point|come|arise|stem|occur|result|indicate|mean|tend|have|follow|lie|look|need|"
    r"usually|often|typically|are (?:often|typical|usually|caused|known|due|common))\b)"
)
WOULD = re.compile(r"\bwould\b")
JUDGED = (  # "would" that judges or says instead of supposing
    r"\b(?:i|we|one|you|nobody|no one|none|hardly anyone|scarcely anyone|few|everyone|anyone|no "
    r"\w+)"
    r" would(?! expect)(?: \w+)* "
    r"|would (?:also |still |hardly |not |never |clearly )*(?:be|fit|seem|appear|describe|match|"
    r"apply|do|work|explain|make)\b"
)
JUDGES = re.compile(JUDGED)
SUPPOSES = re.compile(
    r"^(?:(?:in|for|with|on) (?:an?|such an?)|an?|such an?|in that case|then|otherwise|that|it) "
    r".*\bwould\b"
)
FAIR = re.compile(
    r"\bwould (?:also |still |not |hardly |clearly )*be (?:an? |the |quite |very |in)?(?:\w+ )?"
    r"(?:fair|wrong|mistake|error|correct\w*|incorrect|right|accurate\w*|inaccurate|misleading|apt|"
    r"appropriate|inappropriate|description|label|name|misnomer|match|fit|misread\w*|stretch|call|"
    r"reading|choice|candidate|adequate|justified|unjustified|unfair|false|untrue|nonsense|absurd|"
    r"mistaken|described|called|classified|labell?ed|class|answer|hard|difficult|premature|"
    r"reasonable|unreasonable|misguided)\b"
)
# Parts of a sentence in which nothing is asserted, to their end.
PARTS = re.compile(
    r"\b(?:with )?(?:the )?(?:notch|flat) (?:is|being|lies|points|faces|sits|at|down|up|"
    r"pointing|facing)\b"
    r"[^,;]*(?:, i ?\.?e\.?,? [^,;]*|, that is,? [^,;]*)?"
    r"|(?<!not )\bas if\b[^,;]*|(?<!not as )\b(?:even )?if (?:it|this|the|there|one|we|a|"
    r"an)\b[^,;]*"
    r"|\bas (?:would|one would|in|for|with) an? [^,;]*"
    r"|\b(?:in order )?to (?:distinguish|tell apart|discriminate|differentiate)\b[^,;]*"
    r"|\bat first (?:glance|sight|look)\b.*?(?=, but|, yet|\bbut\b|;|$)"
    r"|\b(?:might|may|could) (?:at first )?(?:be tempted|be mistaken|think|expect|suspect|assume)\b"
    r".*?(?=,? but|,? yet|;|$)"
    r"|\b(?:look|search|check|hunt|screen)(?:ing|ed)? for [^,;]*"
    r"|\b(?:although|though|while) (?:it |this |the \w+ )?(?:may |might |could )?(?:at first )?"
    r"(?:looks?|seems?|appears?|resembles?|suggests?)\b[^,;]*"
    r"|\b(?:may|might|could) (?:at first )?(?:look|seem|appear|resemble)\b[^,;]*(?=,? but|,? yet)"
    r"|\bwhat (?:looks?|seems?|appears?)\b[^,;]*?(?= (?:is|turns)\b)"
    r"|\btempted\b.*?(?=,? but|,? yet|;|$)"
    rf"|\b(?:although|though|while|even if) (?:an? )?{THING} (?:\w+ )?(?:possible|likely|"
    r"plausible|conceivable|tempting|considered|comes to mind|close|similar)\b[^,;]*"
    r"|^\W*(?:between|of|among) (?:the \w+ ){0,2}?(?:an? )?\x01+ and (?:an? )?\x01+,"
    rf"|\b(?:whereas|while|as|since|because|and|but|for) an? {THING} would\b[^,;]*"
    r"|\bwhether\b[^,;]*"
    r"|\b(?:hard|difficult|impossible) to (?:tell|distinguish|separate|discern)\b[^,;]*"
    r"|\bdistance (?:to|from) [^,;]*"
    r"|\b(?:rises?|increas\w+|grows?|decreas\w+|drops?|declin\w+|gradient|varies) (?:\w+ )?"
    r"from .*? to [^,;]*"
)
ROUTE = re.compile(
    r"\bfrom (?:the )?\x01+(?:[- ]\w+)? (?:over |via |through )?(?:to|towards) [^,;]*"
)
RUNS = re.compile(
    r"\b(?:runs?|running|extends?|extending|stretch\w*|reach\w*|spans?|spanning|spreads?|sweeps?|"
    r"leads?|cross\w*|goes|going|continu\w*|fails?|lies?|sits?|located|drawn)\b"
)


def asserts(masked: str) -> bool:
    r"""Whether a sentence says something of this map; letters of values read are \x01.

    >>> asserts("if it were a \x01\x01, it would be thin"), asserts("the \x01\x01 is clear")
    (False, True)
    """
    said = masked.strip()
    if not said or said.endswith("?"):
        return False
    if OPENING.match(said) or ANYWHERE.search(said):
        return False
    if CUSTOM.search(said) and not DEFINITE.search(said):
        return False
    if WOULD.search(said):
        return bool(FAIR.search(said) or (JUDGES.search(said) and not SUPPOSES.match(said)))
    return not KIND.match(said)


def silent(masked: str) -> list[tuple[int, int]]:
    r"""Where parts of a sentence stand that assert nothing: routes of the eye, "as if", ...

    >>> silent("i see it as if it were a \x01\x01, but it is not")
    [(9, 27)]
    """
    found = [match.span() for match in PARTS.finditer(masked)]
    if not RUNS.search(masked):
        found += [match.span() for match in ROUTE.finditer(masked)]
    return found
