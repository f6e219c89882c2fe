"""Sentences about wafer maps as people and language models write them, and what each one states.

`{slot.form+}` in a frame is a word for a value of a slot (`_plant_words`), and the sign says
whether the sentence states it (+) or denies it (-): what a frame means follows from its
placeholders alone. Frames were written without a look at the words the reader knows, and are in the
half of the benchmark that their hash says.
"""

SLOTS = ("pattern", "zone", "quadrant", "clock", "morphology")

# Style -> frames, one a line.
STYLES = {
    "plain": """
The map shows {pattern.a+}.
This is a textbook {pattern+} signature.
What we have here is {pattern.a+}.
Looks to me like somebody sent us {pattern.a+}.
The wafer should be binned as {pattern+}.
I classify the defect pattern as {pattern+}.
The spatial signature is consistent with {pattern.a+}.
Upon careful inspection, the distribution of failing dies corresponds to the {pattern+} class.
The dominant failure mode on this wafer map is of the {pattern+} type.
Based on the visual evidence, the most fitting label is "{pattern+}".
We see {pattern.a+} here, and it is a strong one.
The defect type present in this wafer map is **{pattern+}**.
Among the nine classes, {pattern+} describes this map best.
Most of the signature's bad dice sit in {zone+}.
{zone+} takes the brunt of the damage.
The failing dies concentrate in {zone+}.
The failures pile up in {zone+}.
The hit area lies in {zone+}.
In radial terms, the signature lives in {zone+}.
The excursion is located in {zone+} of this wafer.
Yield loss comes from {zone+}.
There is a heavy concentration of defects in {zone+}.
{zone+} is where the trouble is.
{zone+} lights up.
The red dies, which denote failures, are gathered in {zone+}.
Radially, the pattern occupies {zone+}.
{zone+} is badly affected by the pattern.
The pattern sits in {quadrant+}.
{quadrant+} is affected.
The defects are located in {quadrant+} of the wafer.
Most of the failing area belongs to {quadrant+}.
The signature occupies {quadrant+}.
Looking at the four quarters, {quadrant+} stands out with a high density of fails.
The bad dies are grouped in {quadrant+}.
One sees the damage in {quadrant+}.
{quadrant+} carries the signature.
The failing region extends into {quadrant+}.
With the notch down, the fails sit {clock.at+}.
The damage lies {clock.at+}.
The signature is found {clock.at+}.
Angularly, the failures are located {clock.at+}.
On the clock face, the affected dies are positioned {clock.at+}.
The pattern occurs {clock.at+}, notch pointing down.
You can see the bad dies {clock.at+}.
The angular position of the pattern is {clock.span+}.
The affected sector covers {clock.span+}.
The defect appears {clock.at+} when the notch is at the bottom.
The failing dies form {morphology.a+}.
The shape of the signature is {morphology+}.
The pattern is {morphology+}.
Geometrically, we are looking at {morphology.a+}.
The defects are arranged as {morphology.a+}.
Morphologically the failing region appears {morphology+}.
The failing dies make up {morphology.a+}.
The eye picks out {morphology.a+} right away.
In terms of morphology, it takes the form of {morphology.a+}.
Its {morphology+} appearance is obvious.
""",
    "terse": """
Defect type: {pattern+}
pattern={pattern+}
Class: {pattern+}.
{{"defect_type": "{pattern+}"}}
Answer: {pattern+} pattern
**Pattern:** {pattern+}
{pattern+} sig., see map.
Final answer: the wafer shows {pattern.a+}.
Dx: {pattern.a+}.
Zone: {zone.name+}
{{"zone": "{zone.name+}"}}
**Radial location**: {zone.name+}
Fails in {zone+}.
Location - {zone.name+}.
Bad dice: {zone+}.
{zone+} hit hard.
Quadrant: {quadrant.name+}
{{"quadrant": "{quadrant.name+}"}}
**Location:** {quadrant.name+} quadrant
{quadrant+} hit.
Fails in {quadrant+}, pls check.
Clock position: {clock.span+}
{{"clock": "{clock.span+}"}}
Clock: {clock.span+}.
Fails {clock.at+}.
Pos. {clock.span+}, notch down.
Shape: {morphology.a+}
Morphology: {morphology+}
{{"morphology": "{morphology+}"}}
**Morphology** - {morphology+}.
Fails = {morphology.a+}.
""",
    "hedged": """
I'd lean towards {pattern.a+}.
This is most likely {pattern.a+}.
It could well be a {pattern+} type of failure, I believe.
In my estimation the signature is probably {pattern+}.
If I had to commit, I would call it {pattern.a+}.
The pattern seems to be concentrated in {zone+}.
As far as I can tell, {zone+} is affected.
It looks as though {zone+} is mainly involved.
The defects appear to lie in {quadrant+}.
I think that {quadrant+} is the problem area.
The fails seem to be located {clock.at+}.
Roughly speaking, the pattern lies {clock.at+}.
The failing area appears somewhat {morphology+}.
I would describe the shape as {morphology.a+}, more or less.
""",
    "not": """
This is not {pattern.a-}.
It isn't {pattern.a-}.
I do not think this qualifies as {pattern.a-}.
The pattern here is not of the {pattern-} type.
We don't see {pattern.a-} on this wafer.
This map does not exhibit {pattern.a-}.
The label {pattern-} does not fit.
I wouldn't call it {pattern.a-}.
It does not look like {pattern.a-} to me.
The pattern is not in {zone-}.
The pattern doesn't touch {zone-}.
{zone-} is not affected.
{zone-} isn't hit.
The failures are not concentrated in {zone-}.
The signature does not extend into {zone-}.
{zone-} was not involved in this event.
The pattern never reaches {zone-}.
The defects do not occupy {zone-}.
The signature is not in {quadrant-}.
{quadrant-} is not affected by the pattern.
The defects do not appear in {quadrant-}.
The failing region doesn't extend to {quadrant-}.
{quadrant-} isn't part of the affected area.
The pattern is not located {clock.at-}.
The failing dies do not sit {clock.at-}.
The damage isn't {clock.at-}.
The signature does not occur {clock.at-}.
The failing dies do not form {morphology.a-}.
The pattern isn't {morphology-}.
The shape is not {morphology-}.
Geometrically speaking, this is not {morphology.a-}.
The arrangement of the fails does not resemble {morphology.a-}.
The signature doesn't look {morphology-} at all.
""",
    "absence": """
There is no sign of {pattern.a-}.
I see no evidence for {pattern.a-}.
Nothing suggests {pattern.a-}.
No {pattern-} signature is visible.
The wafer lacks {pattern.a-}.
The map is free of any {pattern-} signature.
There's no indication whatsoever of a {pattern-} type failure.
A {pattern-} pattern is absent.
No trace of {pattern.a-}.
{zone-} is clear.
{zone-} is untouched by the pattern.
{zone-} is spared.
The pattern spares {zone-}.
The pattern is absent from {zone-}.
{zone-} is clear of the pattern.
{zone-} remains clean.
{zone-} looks fine.
{zone-} is healthy.
No concentration of failures is seen in {zone-}.
No sign of trouble in {zone-}.
The signature leaves {zone-} alone.
The pattern fails to reach {zone-}.
{zone-} stays free of the signature.
There is little going on in {zone-}.
The damage stops short of {zone-}.
{zone-} is intact.
I see nothing systematic in {zone-}.
The pattern avoids {zone-}.
{quadrant-} is clear of the signature.
{quadrant-} is clean.
The pattern is absent from {quadrant-}.
No part of the pattern lies in {quadrant-}.
{quadrant-} has been spared.
The pattern leaves {quadrant-} untouched.
No sign of the defect in {quadrant-}.
Nothing stands out in {quadrant-}.
There is no pattern {clock.at-}.
There's nothing unusual {clock.at-}.
The pattern is absent {clock.at-}.
No part of the signature is found {clock.at-}.
Dies {clock.at-} are fine.
The wafer is clean {clock.at-}.
There is no evidence of {morphology.a-}.
I can't make out {morphology.a-}.
The pattern lacks any {morphology-} character.
No {morphology-} feature is visible on this map.
The map shows no {morphology-} structure.
Nothing {morphology-} about it.
Absent: {morphology.a-}.
""",
    "excluded": """
{pattern.a-} is ruled out.
We can rule out {pattern.a-}.
It cannot be {pattern.a-}.
{pattern.a-} can be excluded.
The hypothesis of {pattern.a-} must be rejected.
It would be wrong to call this {pattern.a-}.
Far from being {pattern.a-}, it is something else entirely.
Hardly {pattern.a-}.
The {pattern-} label is incorrect.
Calling it {pattern.a-} would be a mistake.
This is by no means {pattern.a-}.
A location in {zone-} can be excluded.
It would be inaccurate to place the pattern in {zone-}.
It is false that {zone-} is hit.
The pattern is nowhere near {zone-}.
{quadrant-} can be ruled out as the location.
It would be a mistake to place the signature in {quadrant-}.
The pattern cannot be said to lie in {quadrant-}.
A position {clock.at-} can be ruled out.
It is incorrect that the fails sit {clock.at-}.
It would be wrong to describe the failing dies as {morphology-}.
The shape can hardly be called {morphology-}.
A {morphology-} morphology is ruled out.
The failing dies are anything but {morphology-}.
""",
    "contrast": """
While {zone-} is fine, {zone+} is heavily hit.
{zone+} fails, whereas {zone-} passes.
The pattern sits in {zone+} rather than in {zone-}.
The fails are in {zone+}, not in {zone-}.
The fails lie not in {zone-} but in {zone+}.
Although {zone+} is affected, {zone-} is not.
Unlike {zone-}, {zone+} shows a high density of fails.
{zone-} is clean; {zone+} is not.
In contrast to {zone+}, which is badly hit, {zone-} yields well.
Instead of {zone-}, it is {zone+} that suffers.
{zone+} is red, but {zone-} is green.
The pattern loads {zone+} and leaves {zone-} alone.
This is {pattern.a+} rather than {pattern.a-}.
This is {pattern.a+}, not {pattern.a-}.
It's not {pattern.a-} but {pattern.a+}.
Not {pattern.a-}: it is {pattern.a+}.
At first glance one might think of {pattern.a-}, but it is really {pattern.a+}.
It is better described as {pattern.a+} than as {pattern.a-}.
Instead of {pattern.a-}, we are dealing with {pattern.a+}.
I considered {pattern.a-} and dismissed it; {pattern.a+} is the right call.
Someone might mistake it for {pattern.a-}; in fact it is {pattern.a+}.
The fails sit in {quadrant+}, not in {quadrant-}.
{quadrant+} is affected while {quadrant-} is clean.
The signature lies in {quadrant+} as opposed to {quadrant-}.
{quadrant-} yields fine, but {quadrant+} does not.
The fails sit {clock.at+}, not {clock.at-}.
The pattern lies {clock.at+} rather than {clock.at-}.
The failing dies form {morphology.a+} rather than {morphology.a-}.
It is {morphology+}, not {morphology-}.
The shape is less {morphology-} than {morphology+}.
What looks like {morphology.a-} at first is actually {morphology.a+}.
""",
    "reasoned": """
The {morphology+} pattern sits in {zone+}.
The pattern spans {quadrant+} and avoids {zone-}.
{pattern.a+} is visible, with the fails sitting {clock.at+}.
Because {zone-} is unaffected, I settle on {pattern.a+}.
The {pattern+} signature is concentrated in {zone+}, in {quadrant+}.
Given that the dies form {morphology.a+}, I conclude that this is {pattern.a+}.
Since the failures sit in {zone+} and form {morphology.a+}, the most plausible class is {pattern+}.
The failing dies, arranged as {morphology.a+}, are located in {quadrant+}, {clock.at+}.
With {zone-} clean and {zone+} affected, the label {pattern+} follows.
The fails sit {clock.at+}, that is, in {quadrant+}, which argues against {pattern.a-}.
Due to its {morphology+} shape it was labelled {pattern+}, although it also reaches {zone+}.
The absence of fails in {zone-} tells me that this is {pattern.a+} and not {pattern.a-}.
I see {morphology.a+}; together with the clean dies in {zone-} this means {pattern.a+}.
Overall: {pattern.a+}, {clock.at+}, in {quadrant+}.
""",
    "neither": """
Neither {zone-} nor {zone-} is affected.
The pattern touches neither {zone-} nor {zone-}.
It is neither {pattern.a-} nor {pattern.a-}.
Neither {pattern.a-} nor {pattern.a-} would be a fair description.
I find no {pattern-} or {pattern-} signature.
Neither {quadrant-} nor {quadrant-} shows the signature.
The fails are neither {morphology-} nor {morphology-}.
It is not {pattern.a-}, nor is it {pattern.a-}.
There is no evidence of {morphology.a-} or of {morphology.a-}.
The pattern is located neither {clock.at-} nor {clock.at-}.
Both {zone-} and {zone-} are clean.
Both {quadrant-} and {quadrant-} are clear of the signature.
I can exclude both {pattern.a-} and {pattern.a-}.
No {pattern-}, no {pattern-}.
Neither {zone-} nor {quadrant-} is involved.
""",
    "double": """
It is not the case that {zone+} is clean.
{zone+} is not clear.
{zone+} is anything but clean.
{zone+} is far from healthy.
{zone+} does not escape.
{zone+} is not spared.
One cannot claim that {zone+} is free of the pattern.
No one would say that {zone+} is untouched.
{quadrant+} is by no means clean.
{quadrant+} has not been spared.
The signature is not absent from {quadrant+}.
There is no doubt that this is {pattern.a+}.
This is undoubtedly {pattern.a+}.
I would not hesitate to call it {pattern.a+}.
It cannot be anything other than {pattern.a+}.
{pattern.a+} cannot be denied here.
This is nothing but {pattern.a+}.
The failing dies undeniably form {morphology.a+}.
There is no denying its {morphology+} outline.
The pattern is not absent {clock.at+}.
Without question the fails sit {clock.at+}.
It is not true that the wafer is clean {clock.at+}.
Nobody could miss the fails {clock.at+}.
The fails are certainly not missing from {quadrant+}.
""",
}

# Frames whose words leave no room for a placeholder: style, text, (slot, value, holds).
FIXED = (
    ("plain", "No systematic pattern is present.", ("pattern", "none", True)),
    ("plain", "Nothing but background noise on this one.", ("pattern", "none", True)),
    ("plain", "The wafer is essentially clean.", ("pattern", "none", True)),
    ("terse", "Defect type: none", ("pattern", "none", True)),
    ("terse", "Pattern: no pattern.", ("pattern", "none", True)),
    ("plain", "There is no recognisable defect pattern on this wafer.", ("pattern", "none", True)),
    ("not", "This wafer is not clean.", ("pattern", "none", False)),
    ("not", "The map is not pattern-free.", ("pattern", "none", False)),
    ("double", "It can't be said that the wafer is without a pattern.", ("pattern", "none", False)),
    ("plain", "It goes all the way round.", ("clock", "all round", True)),
    ("plain", "The pattern runs around the full 360 degrees.", ("clock", "all round", True)),
    ("plain", "Every clock position is affected.", ("clock", "all round", True)),
    (
        "plain",
        "The failing band closes on itself at all clock angles.",
        ("clock", "all round", True),
    ),
    ("plain", "The signature encircles the whole wafer.", ("clock", "all round", True)),
    ("terse", "Clock: all round", ("clock", "all round", True)),
    ("terse", "Clock position: full circle (360 deg)", ("clock", "all round", True)),
    ("not", "The pattern does not run all the way around.", ("clock", "all round", False)),
    ("not", "It does not close into a full circle.", ("clock", "all round", False)),
    ("absence", "It fails to go all the way round.", ("clock", "all round", False)),
    ("not", "Not every clock position is affected.", ("clock", "all round", False)),
    ("plain", "The pattern has no preferred clock position.", ("clock", "undefined", True)),
    ("plain", "No particular clock position can be assigned.", ("clock", "undefined", True)),
    ("plain", "The outermost dies are failing.", ("zone", "edge", True)),
    ("absence", "The outermost row of dies passes.", ("zone", "edge", False)),
    ("absence", "The very middle is clear.", ("zone", "centre", False)),
    ("absence", "The middle is hollow, its dies pass.", ("zone", "centre", False)),
    ("plain", "Dead centre is where it hurts.", ("zone", "centre", True)),
)

# Sentences that state nothing false of any map.
ASIDES = """
The notch is at the bottom, i.e. at 6 o'clock.
Clock positions are read with the notch at 6 o'clock and 12 o'clock up.
An edge exclusion of 3 mm was applied.
Edge bead removal is worth a look anyway.
The edge bead remover was serviced last week.
Zones used here are centre, inner, mid-radius, outer and edge.
The nine classes are Center, Donut, Edge-Loc, Edge-Ring, Loc, Near-full, Random, Scratch and None.
If it were a donut, the centre would be clear.
Were this a scratch, the failing dies would follow a line.
Had the rim been involved, one would suspect the edge bead.
Could this be a scratch?
Is it an edge ring, or something else?
Does the pattern touch the centre?
Would a rotation by 90 degrees help?
I went through the map quadrant by quadrant, from the upper left to the lower right.
First I looked at the centre, then at the rim, then at the four quadrants.
A donut leaves the centre clear by definition.
Edge rings are commonly linked to edge bead removal or etch non-uniformity.
Scratches usually come from handling.
In general, center patterns point to deposition or CMP.
I am not fully certain of this.
Take this with a grain of salt.
Confidence is moderate.
The exact cause cannot be told from a single map.
Further analysis, such as SEM review, is recommended.
Green dies pass and red dies fail.
The map was rotated so that the notch points down.
Let me think step by step.
Let's examine the wafer map carefully.
To distinguish an arc from a ring, its angular span matters.
Whether it is a Loc or an Edge-Loc depends on the distance to the rim.
Wafer 07 of the neighbouring lot is a different story.
Please compare it with the golden map.
I used a map of die results, no defect images.
When a wafer is nearly full, no location can be given.
Please check the chuck, the edge ring of the etcher and the robot blade.
For example, a scratch would show as a line.
No process history was available.
A ring would need more than 270 degrees of coverage.
The question is whether the fails are at the edge.
Possible answers include upper left, upper right, lower left and lower right.
Retests were counted once.
Probing was done at 25 C.
Next step: pull the lot history.
It is unclear what caused it.
Unless the notch was misread, the orientation is right.
The prober's centre alignment was verified beforehand.
To be sure, check the outer zone again under the microscope.
"""
