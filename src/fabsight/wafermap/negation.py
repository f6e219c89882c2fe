"""The words of denial: what denies what follows, what precedes, and what only looks like it.

Values that were read are masked: each of their letters is U+0001, those of predicates
U+0002.
"""

import re

from fabsight.wafermap.clauses import LINK
from fabsight.wafermap.terms import ADVERB

HEDGE = re.compile(
    r"\b(?:may|might|could|possibly|perhaps|probably|likely|presumably|seems?|"
    r"appears? to|suggests?|"
    r"uncertain|tentative(?:ly)?|potential(?:ly)?|can not be (?:excluded|ruled out)|hypothe\w+)\b"
)
# Look like denials and are none.
NO_NEGATION = re.compile(
    r"\b(?:not only|no question|no mistak\w+|not just|not merely|nothing but|"
    r"nothing (?:less|short) (?:than|of)|no less than|no more than|not unlike|"
    r"not surprising(?:ly)?|no matter|no wonder|need(?:less)? to say|without (?:question|fail)|"
    r"nothing else (?:but|than)|none other than|few(?:er)? than \d|no fewer than|not to mention|"
    r"no other than|if not (?=\x01)|why not|unlikely event|(?:can|could) not help|no (?:getting "
    r"(?:a)?round|escaping|avoiding)|"
    r"can not but|not least|not a few|no small)\b"
)
DENIER = (
    "(?:not at all|not|never|hardly|scarcely|barely|by no means|in no way|far from|"
    "anything but|nowhere near|no longer|neither|rarely|seldom)"
)
BAD = (
    r"affected|present|visible|seen|found|observed|involved|failing|detected|evident|"
    r"hit|damaged|failed|fail|fails|red|"
    r"noticeable|discernible|apparent|concerned|touched|contaminated|defective|there|"
    r"suffer\w*|recogni[sz]able|reached|covered|impacted|at issue|to be (?:seen|found)|bad|"
    r"impaired|hurt|dead|dark|identifiable|part of (?:it|the \w+)|supported|convincing|plausible|"
    r"tenable|likely|possible|justified|warranted|applicable|appropriate|correct|true|right|"
    r"what|(?:the )?one|the (?:problem|place|location|culprit|site|case|answer|right \w+)|where|"
    r"to blame|an option|"
    r"occur|exist|apply|hold|fit|qualify|appear|stand|come into (?:question|play|consideration)|"
    r"show up|matter|"
    r"contribute|participate|belong|what (?:we|i) see"
)
ABSENT = (
    "absent|missing|lacking|excluded|ruled out|avoided|wrong|incorrect|rejected|dismissed|"
    "discarded|refuted|denied|doubted|overlooked|missed|ignored|disputed|unlikely|implausible|"
    "untenable|out of the question|false|untrue|discounted|unsupported|disproved|improbable|gone|"
    "off the table|inapplicable|inappropriate|misleading|mistaken|contradicted|eliminated|"
    "(?:the |an? )?(?:wrong|incorrect|poor|misleading) (?:label|class|type|name|description|call|"
    "choice|answer|term|word|reading|diagnosis|category)|"
    "impossible|invisible|non-?existent|set aside|dropped|unconvincing|unfounded|groundless|"
    "baseless|misguided|crossed (?:off|out)|struck|forgotten|ill-founded|inaccurate|a mistake|"
    "an error|misplaced|a misnomer|unjustified|out|questionable|doubtful"
)
GOOD = (
    "clear|clean|unaffected|intact|spared|free|good|passing|healthy|defect-free|empty|"
    "untouched|fine|functional|yielding|undamaged|unharmed|quiet|normal|ok|okay|low|lower|"
    "not affected|green|unremarkable|blank|unmarked|unscathed|devoid|void|flawless|perfect|"
    "failure-free|fault-free|error-free|alone|in order|inconspicuous|sound|unimpaired|pristine|"
    "unblemished|uninvolved|safe|left out|left alone|bare|spotless|in good (?:shape|order|"
    "condition)|"
    "full of good|"
    r"exempt|uneventful|"
    r"an? (?:\w+ )?(?:clean|clear|good|fail-free|defect-free|healthy|quiet|safe) "
    r"(?:area|zone|region|part|place|spot|sector)"
)
FAILING = (
    r"(?:\w+ )?(?:fail\w*|defect\w*|bad|damag\w*|signature|anomal\w*|los(?:s|ses)|trace|sign|signs|"
    r"hits?|activity|problems?|issues?|effects?|signal|concentration|faulty|dead|part|evidence)"
)
FEW = (
    "(?:no|few|hardly any|almost no|next to no|not many|very few|not a single|barely any|zero|"
    "scarcely any|practically no|virtually no|only (?:a )?few)"
)
MODAL = "(?:can|could|may|might|must|should|will|would|shall|has to|have to|needs? to)"
WELL = "(?:(?:therefore|also|thus|safely|well|clearly|surely|certainly|easily|simply|still) )*"
# What is said of a subject: denied of places ("is clear"), of places and things ("is absent").
PREDICATE = re.compile(
    r"(?:(?<=\x01)(?P<label> ?[:=] ?(?:no|none|absent|false|negative|excluded|ruled out|"
    r"not \w+|n/a|nil|zero|0|clean|clear|unaffected|intact|free|fine|ok)| no(?=[.,;]|"
    r"$))(?! ?\w*\x01)|"
    rf"\b(?:(?:{MODAL} {WELL}(?P<modal>{DENIER} )?{WELL}(?:be |have been )(?:considered )?|"
    rf"(?:has|have|had) (?P<perfect>{DENIER} )?been |{LINK} |"
    rf"(?:do|does|did) (?P<keeps>{DENIER} )(?:remain|stay|look|seem|appear|keep|get away|come out)"
    r"(?: to be)? )"
    rf"{ADVERB}(?P<neg>{DENIER} )?(?:being |looking )?{ADVERB}"
    rf"(?:(?P<good>{GOOD})|(?P<absent>{ABSENT}))(?! (?:that|to|for)\b)"
    rf"|(?:{MODAL} {WELL}{DENIER} (?:be )?|(?:{LINK}|does|do|did|has|have) {ADVERB}{DENIER} )"
    rf"{ADVERB}(?:be |to be |been |an? )?(?P<bad>{BAD})(?! (?:that|to|for)\b)"
    rf"|(?:(?:do|does|did) (?P<never>{DENIER}) )?(?P<passes>{ADVERB}(?:pass|passes|passed|works?|"
    r"yields|survives?|survived|escapes?|escaped|performs? well|does well|behaves? (?:well|"
    r"normally)))(?! on| \d| \x01)"
    r"|(?:shows?|ha(?:s|ve)|contains?|exhibits?|sees?|carr(?:y|ies)|bears?|holds?|harbou?rs?|"
    rf"displays?|with) (?P<none>{FEW} {FAILING}(?: dies)?(?![^,;]*\x01))))(?!\w|-\w)"
)
EXCEPTS = (
    "except(?:ing)?(?: for| in| at)?|apart from|aside from|save for|with the exception of|"
    "other than|but for|(?<=everywhere )but|(?<=everything )but|(?<=all )but|outside(?: of)?|beyond"
)
VERBALS = (
    f"{DENIER}|fails? to(?= [a-z])|failing to|failed to|unable to|refuses? to|nowhere|neither|nor"
)
PREPOSITIONS = (
    "rather than|instead of|in place of|as opposed to|unlike|in contrast (?:to|with)|"
    "contrary to|far from(?: being)?|and not|but not|as distinct from|contrasted with|"
    "against expectations? of|compared (?:to|with)|distinguished from|in lieu of"
)
ADJECTIVES = (
    "wrong|false|incorrect|untrue|inaccurate|mistaken|misleading|unjustified|erroneous|premature|"
    "unlikely|implausible|improbable|impossible|doubtful|questionable|unfair|difficult|mistake|"
    "error|stretch|nonsense|misconception|misnomer|out of the question|hard|misreading|"
    "unreasonable|inappropriate|"
    "misguided|pointless|unwise|myth|fallacy|illusion|absurd|unthinkable|inconceivable"
)
FORWARD = re.compile(
    rf"\b(?:(?P<preposition>{PREPOSITIONS})|(?P<except>{EXCEPTS})|(?P<verbal>{VERBALS})|"
    r"(?P<noun>no one|zero|hardly anyone|scarcely anyone|nobody|nothing|none(?: of)?|no|without|"
    r"lacks?|lacking|lack of|absence of|"
    r"free (?:of|from)|clear of|devoid of|void of|empty of|hardly any|barely any|few(?:er)?|"
    r"little(?= (?:sign|evidence|to|reason|trace|indication|in common))|scarcely any|too \w+ "
    r"(?:to|for))|"
    r"(?P<verb>(?:keeps?|stays?|holds?) off|in vain for|beats?|wins? over|outweighs?|trumps?|"
    r"preferable to|preferred (?:to|over)|"
    r"forget(?: about)?|cross(?:es|ing)? off|excludes?|excluding|excluded|rules? out|"
    r"ruled out|ruling out|spares?|sparing|spared|"
    r"avoids?|avoiding|avoided|misses|missing|miss(?! ing)|skips?|skipping|bypass\w*|omits?|"
    r"omitting|rejects?|rejecting|dismiss(?:es|ing)?|discards?|discount|deny|denies|denying|"
    r"doubts?|dispute[sd]?|disputing|overlook\w*|ignor(?:e|es|ing)|refutes?|disproves?|refuting|"
    r"contradicts?|contradicting|disagrees? with|short of|"
    r"(?:stops?|stopping|ends?|ending) (?:\w+ )?before|"
    r"away from|out of(?= the)|leaves? out|leaving out|eliminates?|eliminating|"
    r"(?:argu\w+|speak\w*|evidence|case|counts?|counting|militat\w+|decid\w+|tells?|telling|rules?|"
    r"ruling|points?|pointing|weighs?|weighing|vot\w+|reasons?|arguments?) (?:\w+ )?against|"
    r"against(?= (?:an? )?\x01)|differs? from|different from|distinct from|inconsistent with|"
    r"incompatible with|at odds with|the opposite of|dissimilar (?:to|from)|"
    r"(?:confused|confuse|confusing) with|mistaken for|mistake \w+ for|steers? clear of|"
    rf"(?:{ADJECTIVES})(?: here)? (?:that|to|for)(?: \w+ to)?))(?!\w)"
)
# A denied verb that reaches back to its subject, since nothing that was read follows it.
REACHES_BACK = re.compile(
    rf"^(?:[ .,;!]*$| {ADVERB}(?:be |to be |been |an? |any )?(?:{BAD}|{FAILING})\b|"
    r" (?:contain|show|have|carry|exhibit|see|hold|display|bear|include|present) "
    rf"(?:any |an? |much |many |single )*{FAILING}\b| (?:at all|so|much|really)\W*$|,)"
)
SOUND_LATER = re.compile(
    rf"^ {ADVERB}(?:be |to be |look |stay |remain )?(?:{GOOD}|{ABSENT}|pass)\b"
)
NO_FAILS = re.compile(rf"^(?:\W*$| (?:\w+ )??{FAILING}| (?:the|any|it|this|them)\b|\W)")
ADJECTIVE = (
    "(?:clear|clean|unaffected|intact|spared|untouched|unharmed|undamaged|defect-free|healthy|"
    "empty|unscathed|unmarked|failure-free|fault-free|good|passing|free|green|pristine|spotless)"
)
# "the clean dies in the centre": said of the place it stands before.
ATTRIBUTE = re.compile(
    rf"\b(?P<neg>not |un)?{ADJECTIVE} (?:(?:dies|dice|chips|area|region)? ?(?:in|at|on|of|along|"
    r"near|around|within|throughout) )?(?:both )?(?:the )?(?:\x01+(?: and| or) (?:the )?)*$"
)
NOT_ATTRIBUTE = re.compile(r"^[- ](?:\w+ )?(?:signature|pattern|effect|defect|type|failure|shape)")
CHAIN = r"(?:(?: and| or|,? as well as|/) ?(?:in |at )?(?:the )?\x01+)*"
# "with the centre clear", "leaves the rim untouched": said of the place it stands behind.
ALONE = re.compile(
    rf"^{CHAIN},? (?:itself |all )?{ADVERB}(?P<neg>not )?(?:{ADJECTIVE}|alone(?! (?:is|are|was|"
    r"were|fails?|suffers?|shows?|has))|out|unremarkable|"
    r"blank|not (?:affected|hit|involved|touched))\b(?! (?:signs?|dies|evidence|signal))"
)
NEAR = (
    r"(?:at|in|on|near|from|between|along|around|within|inside|across|over|towards?|throughout|"
    r"as far as|up to|anywhere|everywhere|both|either|the|its|all|of|next|close|to|also|only|"
    r"sector|range|segment|close|next|notably|especially|particularly|including|namely|in "
    r"particular|above all)"
)
PLACE_AFTER = re.compile(rf"^,?(?: {NEAR})*(?: \x01+(?:,|,? and|,? or)(?: {NEAR})*)* ?$")
OBJECT_AFTER = re.compile(r"^ (?:of|from|by) (?:any |an? |the |all )*(?:\x01+(?:,| and| or) )*$")
EXCEPT = re.compile(rf"^(?:{EXCEPTS})$")
ECHO = re.compile(
    r"^,? ?(?:and |as |but )?(?:(?:so|as|neither|nor) (?:is|are|does|do|has|was)|likewise|"
    r"similarly|the same (?:goes|holds|is true|applies)) (?:for |of |to )?(?:in )?(?:the )?\x01"
)
STANDS = re.compile(r"^ (?:is|are|does|do|has|was|were|did)(?: too| also)?[ .,;!]*$")
VERBLESS = re.compile(
    r"^,? ?(?:but |and )?not (?:so )?(?:(?:in|at|from|the|on|along|near) )*\x01+(?: \w+)?\W*$"
)
HEADING = re.compile(
    rf"^\W*(?:{ADJECTIVE}|absent|excluded|ruled out|rejected|not [a-z]+|no [a-z]+|none)(?: [a-z]+)?"
    r" ?: "
)
THAN = re.compile(
    r"(?<!rather)(?<!other)(?<!else)(?<!more)(?<!less)(?<!fewer)(?<!not)(?<!now) than\b|"
    r"(?<=\x01 more) than(?= (?:an? |the )?\x01)"
)
LESS = re.compile(r"\b(?:less|not so much)(?: of| like)?(?: an?| the)? (?=\x01)")
FEWER = re.compile(r"\b(?:less|fewer|lower|weaker|smaller)\b")
COMPARISON = re.compile(
    r"\b(?:better(?! off)|rather|closer|nearer|sooner|likelier|more (?:likely|plausibl[ey]|"
    r"consistent|"
    r"accurately|aptly|appropriately|typical|probable|fittingly|precisely|correctly|reasonable|"
    r"like|of(?: an?)?)|\x01 more|more(?: an?)? (?=\x01))"
)
AS = re.compile(r" as (?=(?:an? |the )?\x01)")
PREFERS = re.compile(
    r"\b(?:prefer|favou?r|choose|chose|choice|pick|select)\w*\b[^,;]*?\x01 (?:over|to) "
    r"(?=(?:an? |the )?\x01)"
)
EITHER = re.compile(r"\beither\b.* or ")
