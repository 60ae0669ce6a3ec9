"""English verbs: their forms, and which words can be one. Pure tables and rules, no model.

Only what making questions needs: the base form behind a finite one ("keeps", "kept" -> "keep"), and the
finite forms of a base. A verb that stands in neither table is recognised by its ending only where the
sentence leaves no other reading (see ``clauses``).
"""

from __future__ import annotations

import re
from typing import Literal

from memos_cli.operation.wording.lists import word_set

Form = Literal["base", "s", "past", "participle", "ing"]

# base, past, participle; one word where past and participle are the same.
_IRREGULAR = """
arise arose arisen, awake awoke awoken, bear bore born, beat beat beaten, become became become, begin
began begun, bend bent, bet bet, bind bound, bite bit bitten, bleed bled, blow blew blown, break broke
broken, breed bred, bring brought, build built, burn burnt, burst burst, buy bought, catch caught, choose
chose chosen, cling clung, come came come, cost cost, creep crept, cut cut, deal dealt, dig dug, do did
done, draw drew drawn, dream dreamt, drink drank drunk, drive drove driven, dwell dwelt, eat ate eaten,
fall fell fallen, feed fed, feel felt, fight fought, find found, flee fled, fly flew flown, forbid forbade
forbidden, forget forgot forgotten, forgive forgave forgiven, freeze froze frozen, get got, give gave
given, go went gone, grind ground, grow grew grown, hang hung, have had, hear heard, hide hid hidden, hit
hit, hold held, hurt hurt, keep kept, kneel knelt, knit knit, know knew known, lay laid, lead led, lean
leant, learn learnt, leave left, lend lent, let let, lie lay lain, light lit, lose lost, make made, mean
meant, meet met, mistake mistook mistaken, mow mowed mown, outgrow outgrew outgrown, overcome overcame
overcome, overhear overheard, oversee oversaw overseen, oversleep overslept, pay paid, prove proved
proven, put put, quit quit, read read, rebuild rebuilt, redo redid redone, repay repaid, reread reread,
reset reset, ride rode ridden, ring rang rung, rise rose risen, rerun reran rerun, run ran run, saw sawed
sawn, say said, see saw seen, seek sought, sell sold, send sent, set set, sew sewed sewn, shake shook
shaken, shed shed, shine shone, shoot shot, show showed shown, shrink shrank shrunk, shut shut, sing sang
sung, sink sank sunk, sit sat, sleep slept, slide slid, sow sowed sown, speak spoke spoken, speed sped,
spend spent, spill spilt, spin spun, spit spat, split split, spoil spoilt, spread spread, spring sprang
sprung, stand stood, steal stole stolen, stick stuck, sting stung, strike struck, string strung, strive
strove striven, swear swore sworn, sweep swept, swell swelled swollen, swim swam swum, swing swung, take
took taken, teach taught, tear tore torn, tell told, think thought, throw threw thrown, undergo underwent
undergone, understand understood, undertake undertook undertaken, undo undid undone, upset upset, wake
woke woken, wear wore worn, weave wove woven, weep wept, win won, wind wound, withdraw withdrew withdrawn,
write wrote written, rewrite rewrote rewritten, withhold withheld, override overrode overridden, forecast
forecast, broadcast broadcast, offset offset, input input, output output, lend lent
"""
_REGULAR = """
accept access accompany achieve acquire act adapt add address adjust admire admit adopt advise affect
afford agree aim alert allow announce answer appear apply appoint approve archive argue arrange arrive ask
assemble assign assist assume attach attack attend avoid award back backup bake balance ban base bathe
bear begin behave belong blame block board boil book boot borrow bounce bother brew broadcast brush bump
bury cache calculate call camp cancel care carry cause celebrate chair change charge chase chat check
cheer chew chop claim clean clear climb clone close coach collect combine comment commit communicate
commute compare compile complain complete compress concern conduct confirm connect consider consist
contact contain continue contribute control convert cook cool coordinate copy correct count cover crash
crave create cross cry cure cycle dance date decide declare decline decorate decrease defend define delay
delegate delete deliver demand deny depart depend deploy describe deserve design destroy detect develop
die differ dine direct disable disagree disappear discover discuss dislike display distribute dive divide
divorce dock document donate double download draft dress drop drain dry earn edit educate email emit
employ empty enable encounter encourage encrypt end enforce engage enjoy enroll enter escape establish
estimate evolve examine exceed exchange excite exclude exercise exist expand expect expire explain explore
export expose extend face fade fail fascinate fasten favor favour fax fear feature fetch file fill film
filter finance finish fire fit fix flash flip float flood flow fold follow force forge form format forward
foster found frame free fry fuel fund gain garden gather generate glue govern grab graduate grant grate
greet grill guard guess guide halve hand handle happen hate haunt head heal heat help hike hire host hug
hunt hurry identify ignore illustrate imagine implement import impress improve include increase indicate
inform inherit inject insert insist inspect inspire install instruct insure integrate intend interest
interview introduce invent invest invite involve iron issue jog join joke judge juggle jump keep kick kill
kiss knock label lack land last laugh launch lead leak learn lease lick lift like limit link list listen
live load loan locate lock log long look love lower maintain manage map mark marry match matter measure
melt mention mentor merge mind mine mirror miss mix model modify monitor mount move multiply name need
negotiate note notice notify number obey observe obtain occupy occur offer open operate oppose order
organise organize originate overflow overheat owe own pack paint park participate pass paste pause peel
perform persuade phone pick pin place plan plant play plug point polish pour practice practise praise pray
predict prefer prepare present preserve press pretend prevent print process produce program promise
promote propose protect provide prune publish pull pump punch purchase push qualify query queue race rain
raise rate reach react realise realize rebase reboot receive recommend record recover recycle reduce refer
refill reflect refresh refund refuse register reject relate relax release rely remain remember remind
remove rename renew renovate rent repair repeat replace reply report represent request require rescue
research reserve resign resolve respond rest restart restore retire retry return reveal reverse review
revise reward rinse roast rotate round rub ruin rule sail sample save scale scan scare schedule score
scratch scream screw seal search seat secure select separate serve service settle shake share shave
shelter shift ship shop shout sign simmer sip skate sketch ski skip slice slip slow smell smile smoke
snore snow soak solve sort sound spell spice sponsor spray sprint sprinkle squeeze stack stage stain stamp
start starve state stay steam steer step stir stock stop store strain stream strengthen stretch study
submit subscribe succeed suffer suggest suit supervise supply support suppose surf surprise surround
survive suspect suspend swap switch sync synchronise synchronize talk taste tease terminate test text
thank threaten tidy tie time tip title toast tolerate touch tour trace track trade train transfer
translate transmit transport trap travel treat trek trigger trim trip trouble trust try tune turn tutor
tweet type unlock unplug unwind update upgrade upload use validate value vanish vary verify view visit
volunteer vote wait walk want warm warn wash waste watch water weigh welcome whip whisk whisper whistle
wipe wish wonder work worry worship wrap yell yield zip adore detest despise graduate migrate monitor own
oversee co-own cache pickle schedule sync host defrag provision tag ping
click scroll drag highlight toggle squash stash drizzle knead chill preheat dice grate peel dust
"""

BE = word_set("is are was were am be been being")
MODALS = word_set("will would can could should must may might shall")
_DOUBLING = word_set(
    """stop plan drop ship chat chop clap grab hug jog log map mop nod pin plan plot plug rub shop skip
    slip snap step stir strip swap tap tip trap trim trip whip wrap zip ban beg blur brag drag drum fan
    fit fog jam knit pat pet prefer refer commit submit admit permit regret occur transfer control
    cancel travel label model program equip format flip grin pop rip rob scan scrub shrug sin sip skim
    slam slap slim stab tug tag bet cut dig get hit let put quit rid run set shut sit spin split swim
    win begin forget upset"""
)
_KEEP_SINGLE_L = word_set("cancel travel label model format program")  # both spellings are known


def _s_form(base: str) -> str:
    if base == "have":
        return "has"
    if re.search(r"(?:s|x|z|ch|sh|o)$", base) and not base.endswith("oo"):
        return base + "es"
    if re.search(r"[^aeiou]y$", base):
        return base[:-1] + "ies"
    return base + "s"


def _stems(base: str) -> list[str]:
    """What -ed is put after; the usual spelling first."""
    if base.endswith("e"):
        return [base[:-1]]
    if re.search(r"[^aeiou]y$", base):
        return [base[:-1] + "i"]
    if base in _KEEP_SINGLE_L:
        return [base, base + base[-1]]
    return [base + base[-1]] if base in _DOUBLING else [base]


_PAST: dict[str, str] = {}
_PARTICIPLE: dict[str, str] = {}
_FORMS: dict[str, dict[Form, str]] = {}
"""Word -> what it can be -> its base."""


def _enter(word: str, form: Form, base: str) -> None:
    _FORMS.setdefault(word, {}).setdefault(form, base)


def _enter_all() -> None:
    for entry in _IRREGULAR.replace("\n", " ").split(","):
        base, past, *rest = entry.split()
        _PAST[base], _PARTICIPLE[base] = past, rest[0] if rest else past
    for base in [*_PAST, *_REGULAR.split()]:
        _enter(base, "base", base)
        _enter(_s_form(base), "s", base)
        _enter(ing_form(base), "ing", base)
        if base in _PAST:
            _enter(_PAST[base], "past", base)
            _enter(_PARTICIPLE[base], "participle", base)
        if base not in _PAST or base in {"burn", "learn", "dream", "lean", "light", "spill", "spoil", "knit"}:
            for stem in _stems(base):
                _enter(stem + "ed", "past", base)
                _enter(stem + "ed", "participle", base)


def ing_form(base: str) -> str:
    """work -> working, make -> making, run -> running, lie -> lying."""
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")) and base != "be":
        return base[:-1] + "ing"
    return base + base[-1] + "ing" if base in _DOUBLING and base not in _KEEP_SINGLE_L else base + "ing"


_enter_all()


def forms_of(word: str) -> dict[Form, str]:
    """What a word can be as a verb, and of which: "kept" -> {"past": "keep", "participle": "keep"}."""
    return _FORMS.get(word.lower(), {})


def guess_base(word: str) -> str:
    """The base behind an unknown word in -s or -ed: "defrags" -> "defrag". Approximate, as spelling is."""
    word = word.lower()
    if re.search(r"[^aeiou]ie[sd]$", word):
        return word[:-3] + "y"
    if re.search(r"([bdgmnprt])\1ed$", word):
        return word[:-3]
    if re.search(r"(?:[sczvgu]|[^aeiou]at|[^aeiou][aiou][kptr])ed$", word) and not word.endswith(
        ("ssed", "xed")
    ):
        return word[:-1]
    if word.endswith("ed"):
        return word[:-2]
    if re.search(r"(?:ss|sh|ch|zz|x)es$", word):
        return word[:-2]
    return word[:-1] if re.search(r"[^su]s$", word) else word


def third_person(base: str) -> str:
    """keep -> keeps."""
    return "is" if base == "be" else _s_form(base)


def past_of(base: str) -> str:
    """keep -> kept."""
    return _PAST.get(base) or _stems(base)[0] + "ed"


def participle_of(base: str) -> str:
    """keep -> kept, write -> written."""
    return _PARTICIPLE.get(base) or _stems(base)[0] + "ed"
