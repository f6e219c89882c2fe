"""The words for defect types and shapes, as engineers and language models write them.

A type is often said by a shape and a place, "a ring along the rim" or "a local edge defect"; such
phrases come first, so that neither the shape nor the place is read as a statement of its own.
"""

import re
from dataclasses import dataclass
from re import Pattern

from fabsight.wafermap.claims import ALL_ROUND, UNDEFINED, Value


@dataclass(frozen=True)
class Term:
    """Words that mean a value of a slot; `flip`: that it does not hold ("open ring")."""

    slot: str
    value: Value
    words: Pattern[str]
    flip: bool = False


def either(*ways: str) -> str:
    """A regular expression for any of several."""
    return "(?:" + "|".join(ways) + ")"


def term(slot: str, value: Value, *ways: str, flip: bool = False) -> Term:
    """A term for whole words that match any of several regular expressions."""
    return Term(slot, value, re.compile(rf"\b{either(*ways)}(?!\w)"), flip)


NOUN = (
    "(?:patterns?|defects?|signatures?|sig\\.?|failures?|class|type|label|map|category|anomaly|"
    "shaped? defect|kind)"
)
KIND = (
    "(?:[- ]?(?:type|class|category|label|style)?(?: of)?(?:[- ](?:defect|failure|die|wafer))?"
    f"[- ]?{NOUN}|[- ](?:type|class))"
)
WAFER = "(?:wafer(?:'s)?|map(?:'s)?|disk|disc)"
RIM = (
    rf"(?:{WAFER} )?(?:edge|rim|perimeter|periphery|circumference|border|boundary|bevel|margin|"
    "fringe|outskirts|brim)"
)
ADJECTIVE = (
    "(?:systematic|clear|obvious|defect|spatial|particular|discernible|recogni[sz]able|real|such|"
    "significant|apparent|visible|identifiable|distinct|notable|known|any|failure|specific|"
    "coherent|special|remarkable)"
)
IS = "(?:is|are|appears|looks|seems|was|remains)"
ADVERB = (
    "(?:(?:mostly|largely|entirely|completely|fully|quite|almost|nearly|essentially|basically|"
    "virtually|practically|otherwise|all|very|clearly|relatively|itself|perfectly|totally|also|"
    "still|again|however|altogether|rather|pretty|wholly|apparently|simply|therefore|thus|just|"
    "really|so|too|absolutely|obviously|visibly|mainly|remarkably|equally|comparatively|"
    "both|each|certainly|definitely|surely|in fact|actually) )*"
)
SOUND = "(?:clean|defect-free|healthy|normal|unremarkable|flawless|fine|pattern-free|featureless)"
SPOT = "(?:cluster|spot|patch|blob|blemish|hot ?spot|clump|group|concentration)"
# Where "no pattern" or "is clean" speaks of a part of the wafer, not of the whole.
PART = (
    "(?: \x01| (?:\\w+ )?(?:at|in|on|near|close|next|from|between|along|towards?|around|of|"
    "except|apart|"
    "outside|everywhere|other|beyond|inside|within|for|but)\\b"
    "(?! (?:this|the) (?:map|wafer|image|data)\\b(?!'s| edge| cent| rim| per)))"
)
LOSS = "(?:fail(?:s|ed|ing|ure)?|dead|bad|defective|lost)"
WHOLLY = "(?:almost|nearly|virtually|practically|close to)"

NAMES = {  # of the types where a type is asked or named: "the type is center"
    "edge-ring": "edge[- ]?ring",
    "edge-loc": "edge[- ]?loc(?:al(?:i[sz]ed)?)?",
    "near-full": "near(?:ly)?[- ]?full",
    "donut": "(?:donut|doughnut)(?:-like|-shaped)?",
    "scratch": "scratch(?:es|-like)?",
    "center": "cent(?:er|re)(?! ?(?:of|zone|region|area|band|is clear))",
    "random": "random(?! (?:distribution|spread|arrangement|order|sampl))",
    "loc": "loc(?:al(?:i[sz]ed)?)?",
    "none": "none(?! of)",
}
NAME = either(*NAMES.values())
ARTICLE = "(?: (?:an?|the|its|clearly|most likely|probably|certainly|best|not|of|as|rather))*"
LIST = (
    rf"(?P<list>{NAME}(?:(?:,? and (?:an? )?|,? or (?:an? )?|, |\+| \+ |/| / ){NAME})*)"
    rf"(?!\w|-\w| (?:{RIM}|ring|zone|area|band|region)\b)"
)
CALLED = (
    "(?:classif|identif)(?:ied|y|ies)(?: \\w+){0,2}? as|(?:labell?|categori[sz]|describ|tagg?|"
    "recogni[sz]|diagnos|interpret|assess|nam|call|term|judg)ed(?: \\w+)? as|"
    "labell?ed|tagged|termed|called|counts as|qualifies as|than as|belongs to|falls (?:under|into)|"
    "(?:i would|my) (?:say|call|answer|verdict|vote|label)|(?:go|going|goes|opt|opting|vote) "
    "(?:for|with)|(?:speaks?|stands|argues|"
    "votes?) "
    "for|conclude|concludes?|hence|means|implies|thus|therefore|indicates|so"
)
NAMED = re.compile(
    r"\b(?:"
    r"(?:type|class|label|category|mode|diagnosis|prediction|verdict|answer|conclusion|"
    r"classification|name)(?:s|es)?(?:(?: \w+){0,6}? (?:is|are|would be)| ?[:=]|)"
    r"|(?:pattern|signature|defect)s?(?: here)?(?: (?:is|are)| ?[:=])"
    rf"|{CALLED}){ARTICLE} {LIST}"
)
BEST = re.compile(  # "random describes this map best", "of the random type", a name on its own
    rf"(?:(?<!the )\b{LIST.replace('list', 'best')}(?=,? (?:best )?(?:describes|fits|matches|suits|"
    r"explains|applies|is (?:the|my) (?:\w+ )?(?:class|type|label|category|name|fit|match|answer|"
    r"choice|candidate|description|verdict))\b)"
    rf"|^[\s\W\d]*(?:an? )?{LIST.replace('list', 'bare')}(?:[\s\W]*$|,? "
    r"(?:because|since|given|judging|based on|as the)\b))"
)
TYPES = [
    term(
        "pattern",
        "none",
        rf"(?<!of the )(?<!of this )(?:wafer(?: map)?|map) {IS} (?:not|by no means|hardly|far from|"
        rf"anything but) (?:being )?{ADVERB}{SOUND}(?!{PART})",
        flip=True,
    ),
    term(
        "pattern",
        "none",
        rf"(?:no|without(?: any| an?)?|lacks (?:any|an?)|free of(?: any)?) (?:{ADJECTIVE} )*"
        rf"(?:pattern|signature)s?(?!{PART})",
        "none[- ](?:class|type|pattern)",
        "(?:class|type|label) none",
        "(?:normal|clean|defect-free|healthy|pattern-free|flawless) (?:wafer(?: map)?|map)"
        rf"(?! (?:cent|edge|rim))(?!{PART})",
        rf"(?<!of the )(?<!of this )(?:wafer(?: map)?|map) {IS} {ADVERB}{SOUND}(?!{PART})",
    ),
    term(
        "pattern",
        "edge-ring",
        rf"edge[- ]?ring{KIND}?s?",
        rf"(?:rim|perimeter|circumferential|peripheral)[- ]ring{KIND}?",
        rf"ring(?:-shaped|-like)? {RIM}[- ]{NOUN}",
        rf"rings? (?:{NOUN} )?(?:of (?:\w+ ){{1,3}})?(?:along|at|around|on|near|round|hugging|"
        r"following) the "
        rf"(?:whole |entire |very |outer |outermost )?{RIM}",
    ),
    term(
        "pattern",
        "edge-loc",
        rf"edge[- ]?loc(?:al(?:i[sz]ed)?)?{KIND}?s?",
        rf"(?:local(?:i[sz]ed)?|partial) {RIM}[- ](?:zone )?(?:{SPOT}|{NOUN}|loss|fails?)",
        rf"local(?:i[sz]ed)? (?:{SPOT}|{NOUN}|fails?) (?:of (?:\w+ ){{1,3}})?"
        rf"(?:at|on|along|near|close to) the {RIM}",
        rf"edge {SPOT}{KIND}?",
    ),
    term(
        "pattern",
        "near-full",
        rf"near(?:ly)?[- ]?full(?: wafer)?(?: of (?:fails|failures|failing dies))?{KIND}?",
        rf"{WHOLLY}(?: a)? (?:full|fully|complete(?:ly)?|entirely|totally|wholly)[- ]?{LOSS}? ?"
        r"(?:wafer|map)(?: of (?:fails|failures|failing dies)| failure| loss)?",
        rf"{WHOLLY} (?:all|every|the (?:entire|whole)|full)(?: of)?(?: the)? (?:wafer|dies?) "
        rf"(?:is |are )?{LOSS}",
        r"(?:whole|full)[- ]wafer (?:failure|loss|signature|pattern)",
        r"fail(?:s|ing|ure)? (?:almost|nearly) (?:everywhere|completely|entirely|totally)",
        rf"(?:wafer|map) {IS} {WHOLLY} (?:(?:fully|completely|entirely|totally|wholly) )?{LOSS}",
        r"near[- ]complete (?:failure|loss)|(?:wafer-wide|blanket|wholesale) (?:failure|loss)",
        rf"(?:near[- ]total|{WHOLLY} (?:total|complete)) (?:loss|failure|fail)(?: of the wafer)?",
    ),
    term(
        "pattern",
        "donut",
        rf"(?:donut|doughnut)(?:[- ]shaped?|[- ]like)?(?: ring)?{KIND}?s?",
    ),
    term(
        "pattern",
        "scratch",
        r"(?:mechanical |hairline |handling |linear |straight )?(?:scratch|scrape)(?:es|"
        r"ing)?(?:-like)?"
        rf"(?: (?:mark|track|trace|line)s?)?{KIND}?",
    ),
    term(
        "pattern",
        "center",
        rf"cent(?:er|re){KIND}",
        rf"cent(?:er|re)[- ](?:{SPOT}[- ]?)?{NOUN}",
        r"central (?:\w+ )?(?:pattern|signature|class|type|failure|defect)",
        rf"cent(?:er|re)(?:-like(?: {NOUN})?|[- ]{SPOT})",
        r"cent(?:er|re) \((?:type|class|pattern)\)",
        rf"bull'?s?[- ]?eyes?{KIND}?",
    ),
    term(
        "pattern",
        "random",
        rf"random{KIND}",
        rf"random-like(?: {NOUN})?",
        "random (?:failures?|defects?|fails?) (?:pattern|signature|map)",
    ),
    term(
        "pattern",
        "loc",
        rf"loc{KIND}?",
        rf"local(?:i[sz]ed)?(?: loc)?{KIND}",
        rf"local(?:i[sz]ed)? {SPOT}",
    ),
]
SHAPES = [
    term(
        "clock",
        ALL_ROUND,
        "(?:open|incomplete|broken|partial|interrupted) ring",
        rf"ring (?:{IS} )?(?:open|incomplete|broken|interrupted|"
        "not (?:closed|complete|continuous|unbroken))",
        flip=True,
    ),
    term(
        "clock",
        ALL_ROUND,
        "(?:ring |band |circle )?(?:do(?:es)? )?not (?:fully |quite |completely )?close",
        "(?:far from|by no means|hardly) (?:being )?(?:closed|complete)",
        flip=True,
    ),
    term(
        "clock",
        ALL_ROUND,
        "no (?:sector|direction|angle|hour|clock position|side) (?:is|was) (?:spared|exempt|clean|"
        "free|left out|missing|unaffected|omitted)",
        "(?:every|each) (?:sector|hour|direction|angle|clock position|side)",
    ),
    term(
        "clock", ALL_ROUND, "(?:has|have|with|shows|leaving) (?:an?|one) (?:gap|opening)", flip=True
    ),
    term(
        "clock",
        ALL_ROUND,
        "(?:closed|complete|full|continuous|unbroken|entire) ring",
        rf"ring (?:{IS} )?(?:closed|complete|unbroken|continuous)",
        "(?:full|complete|closed) (?:circle|loop|turn|revolution)",
        r"(?:encircl\w+|enclos\w+|surround\w*|ring(?:s|ing) round|wraps? (?:all )?around|"
        r"girdl\w+) the "
        rf"(?:whole |entire |full |complete )?(?:{RIM}|wafer|map)",
        r"(?:runs?|goes|extends?|continues?|reach\w*|lies?|fails?|sits?|follows?|hugs?)"
        rf" (?:a)?round the (?:whole|entire|full|complete) (?:{RIM}|wafer)",
        "clos(?:es?|ed|ing) (?:up )?on itself(?: at all clock angles)?",
        "(?:the )?ring closes",
        "without (?:an? |any )?(?:gaps?|break|interruption|opening)",
        "no (?:gaps?|break|interruption|opening)(?: in the ring)?",
        "uninterrupted",
        "(?:at |in )?(?:all|every) (?:clock )?(?:angles?|hours?|azimuths?)",
        "(?:the )?(?:whole|entire) clock",
        "right (?:a)?round the (?:wafer|edge|rim|clock|circumference|perimeter)",
        "(?:full |all )?360(?: ?degrees?| ?deg)?",
        "from 12 to 12 o'? ?clock",
        "all (?:the way )?(?:a)?round(?: the (?:clock|wafer|edge|rim|circumference|perimeter))?",
        "(?:the )?(?:entire|whole|full|complete) (?:circumference|perimeter|periphery|rim)",
        "(?:every|all) clock (?:positions?|directions?)",
        "in (?:all|every) directions?",
        "completely around",
    ),
    term(
        "clock",
        UNDEFINED,
        "no (?:(?:preferred|particular|specific|defined|clear|single|meaningful) )?"
        "(?:clock (?:position|direction)|angular (?:position|preference))",
        "(?:clock position|clock direction|angular position)s? "
        "(?:(?:is|are) (?:undefined|not defined|meaningless)|can not be (?:given|assigned|named))",
        "no (?:clock|angular) (?:position|direction|location)s?(?: can be (?:given|named))?",
        "without (?:an?y? )?(?:preferred|particular|clear|defined) "
        "(?:clock position|angular position|angle|direction)",
        "not (?:have|show|favou?r) (?:an?y? )?(?:(?:preferred|particular|clear|defined) )?"
        "(?:clock position|angular position|angle|clock direction)",
        "no preferred (?:angle|direction|side)",
        "(?:angularly|rotationally|azimuthally) (?:uniform|even|homogeneous|isotropic)",
        "(?:no|without) (?:angular|azimuthal) (?:dependence|structure|preference|variation)",
        "independent of (?:the )?(?:clock|angle|angular) ?(?:position|direction)?",
    ),
    term("clock", UNDEFINED, "have a clock position", flip=True),
    term(
        "repeats",
        "reticle",
        "(?:repeat|recur|periodic)[^.,;]{0,40}(?:reticle|exposure|shot|field|mask)s?",
        "reticle[- ](?:repeat|pattern|signature|periodic)[a-z]*",
    ),
    term("repeats", "rows", r"(?:repeat|recur|periodic)[^.,;]{0,25}rows?"),
    term("repeats", "columns", r"(?:repeat|recur|periodic)[^.,;]{0,25}columns?"),
    term(
        "repeats",
        "none",
        r"(?:do(?:es)? not|don't|doesn't) (?:repeat|recur)\w*",
        "no (?:repetition|periodicity|repeaters)",
        "non-?periodic",
        "aperiodic",
    ),
    term("repeats", "none", "do repeat", flip=True),
    term(
        "morphology",
        "ring",
        "(?<!the inner )(?<!the outer )(?<!the middle )(?<!outermost )(?<!mid )(?<!mid-radius )"
        "(?<!the intermediate )rings?(?:[- ]?shaped?|[- ]?like)?",
        "circular(?: band)?",
        "circle",
        "(?<!inner )(?<!outer )(?<!middle )(?<!edge )annul(?:us|ar|i)(?:[- ]shaped?|[- ]like)?",
        "halo",
        r"toroid\w*",
    ),
    term(
        "morphology",
        "arc",
        "arcs?(?:[- ]shaped?|[- ]like)?",
        "arcuate",
        "arched",
        "curved(?=[.,;]|$| (?:rather|and|in shape))",
        "crescents?(?:[- ]shaped?|[- ]like)?",
        r"semi-?circ\w+",
        "(?:sickle|bow|half[- ]moon|horseshoe)(?:[- ]shaped?|[- ]like)?",
        "curved (?:band|segment|strip|section)",
        "(?:ring|annular) segment",
        "(?:half|part)[- ]ring",
    ),
    term(
        "morphology",
        "line",
        "lines?(?:[- ](?:shaped?|like))?",
        "linear(?:ly)?",
        "streak(?:s|y)?(?:[- ]like)?",
        "elongated",
        "stroke",
        "straight[- ]line",
        "string of (?:failing |bad )?dies",
        "trail",
        "(?:chain|track|trace) of (?:failing )?dies",
    ),
    term(
        "morphology",
        "striped",
        "strip(?:e|es|ing|ed|y)(?:[- ](?:like|texture|pattern))?(?: texture)?",
        "band(?:ed|ing)(?: texture)?",
        "striated",
        "(?:series|set|row) of bands",
        "bands(?=[.,;]|$)",
        "(?:lined|zebra-like|barcode-like)",
        "striations?",
        "parallel (?:bands|lines|streaks)",
    ),
    term(
        "morphology",
        "scattered",
        "scattered(?: (?:single |individual |isolated )?dies)?"
        "(?!(?: \\w+)? (?:at|in|along|over|across|around|through|between|near) )",
        "(?:salt|pepper|dust|spray|shotgun)[- ]like",
        "(?:sparse|loose)(?:ly)?(?: spread)?",
        "isolated points",
        "scatter(?:ing)?(?: of (?:single |isolated |failing )?(?:dies|fails|points))?",
        "dispersed",
        "diffuse(?:ly)?",
        "sprinkled",
        "strewn",
        "peppered",
        "spread (?:all )?over the (?:whole |entire )?(?:wafer|map)",
        "speckled?",
        "(?:isolated|single|individual|sporadic) (?:fails|failures|failing dies|dies)",
        "salt[- ]and[- ]pepper",
        "spread out",
    ),
    term(
        "morphology",
        "blob",
        "blob(?:s|by)?(?:[- ](?:shaped?|like))?",
        "spot(?:[- ]like)?",
        "patch(?:[- ]like)?",
        "clump(?:y|ed)?(?:[- ]like)?",
        "island",
        "roundish",
        "cluster-like",
        "patchy",
        "compact(?=[.,;]|$| and)",
        "lump",
        "blotch(?:y)?",
        "(?:compact|dense|tight|roundish|rounded) (?:area|region|shape|form|body|mass)",
        "(?:compact|dense|tight|single|round|one) (?:cluster|spot|patch|group|clump)",
    ),
    term(
        "arrangement",
        "clustered",
        "(?:spatially )?cluster(?:ed|ing)",
        "not random",
        "non-?random(?:ly)?",
        "keep together",
        "aggregated",
        "systematic(?:ally)?",
        "grouped",
    ),
    term(
        "arrangement",
        "random",
        "(?:spread |distributed )?at random",
        "random(?:ly)?(?: (?:distributed|spread|scattered|placed|located))?",
        "spatially random",
        "random (?:distribution|arrangement|spread)",
        "unclustered",
        "no spatial (?:correlation|structure|clustering)",
    ),
    term(
        "symmetry",
        "one-sided",
        "one-?sided",
        r"asymmetr\w+",
        "lop-?sided",
        "skewed",
        "unsymmetrical",
    ),
    term(
        "symmetry",
        "symmetric",
        r"(?:(?:rotational|radial|circular)(?:ly)? )?symmetr\w+"
        r"(?: about the (?:wafer's )?cent(?:er|re))?",
        "axisymmetric",
        "same on all sides",
    ),
]
