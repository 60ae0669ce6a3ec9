"""English noun phrases: who or what they name, their number, and whose they are. Word lists, no model."""

from __future__ import annotations

import re
from typing import Literal

from memos_cli.operation.wording.lists import word_set

Kind = Literal["person", "animal", "place", "thing", "unknown"]

_PEOPLE = """
mother father mum mom dad mama papa parents parent brother sister son daughter child children kid kids
baby wife husband spouse partner girlfriend boyfriend fiance fiancee friend friends uncle aunt cousin
niece nephew grandma grandpa grandmother grandfather granny grandson granddaughter twin stepmother
stepfather godmother godfather in-laws roommate flatmate neighbour neighbor neighbours colleague coworker
boss manager director ceo cto cfo president chair chairman chairwoman teacher tutor professor student
pupil doctor dentist vet nurse surgeon therapist psychologist physiotherapist optician midwife pharmacist
lawyer solicitor accountant notary architect engineer developer programmer designer tester analyst
scientist researcher maintainer owner author editor writer poet singer musician painter artist actor
actress player coach trainer plumber electrician carpenter gardener cleaner babysitter nanny landlord
landlady tenant caretaker janitor driver pilot postman mechanic baker butcher barber hairdresser chef cook
waiter cashier police officer firefighter mayor minister priest pastor guide agent client customer
supplier contractor consultant assistant secretary receptionist intern apprentice founder treasurer
administrator admin operator lead captain host guest speaker organiser organizer person man woman boy girl
people team staff crew family committee board group somebody someone user supervisor advisor mentor
translator librarian historian volunteer
"""
_ANIMALS = """
cat dog kitten puppy hamster rabbit bunny horse pony parrot budgie canary bird goldfish fish turtle
tortoise snake lizard gecko hen chicken rooster duck goose goat sheep cow pig donkey guinea rat mouse
ferret hedgehog pet
"""
_NAMES = """
ada adam adrian agnes ahmed aisha alan albert alejandro alex alexander alexandra alice alina amanda amelia
amir amy ana anders andrea andrew angela anita ann anna anne anton antonio arthur asha astrid audrey
barbara beatrice ben benjamin bernard beth bob boris brian bruno camille carl carla carlos carmen caroline
caroline catherine cecilia charles charlotte chloe chris christian christine claire clara claudia colin
cynthia dan daniel daniela dara david deborah denise diana diego dmitri donna dora doris dorothy edith
eduardo edward elena eli elias elif elisa elizabeth ella ellen emil emily emma eric erik erika esther eva
evan eve farah fatima felix fiona florian frances francesca frank fred frida gabriel george georgia gerald
gina giulia grace greg greta guido gustav hana hannah hans harold harriet harry hassan heather heidi helen
helena henry hugo ian ibrahim ida ines ingrid irene iris isaac isabel ivan jack jacob jakob jake james jan
jana jane janet jason javier jay jean jeff jenny jeremy jessica jill jim joan joanna joe johan john jon
jonas jorge jose josef joseph joshua joyce juan judith judy julia julian julie jun june kai karen karin
karl kate katherine katja kavya keith kelly ken kevin kim klaus kofi kurt lara larry laura lea leah lee
lena leo leon leila liam lily lina linda lisa louis louise luca lucas lucia lucy luis luka lukas maria
marta matteo malik mara marc marco marcus margaret maria marie marina mario mark marta martha martin mary
mateo matt matthew maurice max maya mei melanie melissa michael miguel mike mila milan mira miriam
mohammed molly monica nadia nancy naomi natalie nathan neil nia nicholas nick nicolas nicole nina noah
noor nora norman olaf oleg olga oliver olivia omar oscar otto pablo pam patricia patrick paul paula pedro
penny peter petra philip pierre priya rachel rafael raj ralph raquel raymond rebecca rene ricardo richard
rita robert roberto robin rosa rose ruth ryan sally sam samantha samir samuel sandra sara sarah sean
sebastian sergei sharon sheila silvia simon sofia sonia sophie stefan stella stephanie stephen steve sue
susan sven sylvia tanja tara teresa theo theresa thomas tim tina tobias tom tomas tony tracy ursula
valentina vera veronica victor victoria vincent viktor vivian walter wanda wei wendy will william xavier
yara yasmin yuki yusuf yvonne zara zoe jolene deborah nate joanna gina maria audrey andrew calvin dave
evan james john tim
"""
_PLACES = """
amsterdam athens austin bangkok barcelona beijing berlin bergen bern birmingham boston bristol brussels
budapest cairo cambridge chicago copenhagen delhi denver dresden dublin edinburgh florence france
frankfurt geneva germany glasgow greece hamburg helsinki italy istanbul japan kyoto leeds leipzig lisbon
london lyon madrid manchester marseille melbourne milan montreal moscow mumbai munich naples oslo oxford
paris porto portugal prague rome rotterdam seattle seoul seville shanghai singapore spain stockholm sweden
switzerland sydney tokyo toronto utrecht valencia vancouver venice vienna warsaw zurich canada china india
england scotland ireland norway denmark finland poland austria belgium netherlands brazil mexico argentina
australia africa asia europe america
"""
_TITLES = word_set("""dr dr. mr mr. mrs mrs. ms ms. prof prof. professor uncle aunt grandma grandpa""")
PEOPLE = frozenset(_PEOPLE.split())
ANIMALS = frozenset(_ANIMALS.split())
NAMES = frozenset(_NAMES.split())
PLACES = frozenset(_PLACES.split())
_MASS = word_set(
    """milk water coffee tea sugar salt pepper flour butter bread rice oil money time work music news
    information advice furniture luggage software hardware traffic weather help luck homework
    electricity gas internet wine beer juice cheese meat fish fruit cinnamon"""
)
_IRREGULAR_PLURALS = word_set("""people children men women feet teeth mice geese parents in-laws police""")
_SINGULAR_S = word_set(
    """bus gas glass class boss dress address lens news series business process access access virus status
    bonus chess canvas atlas christmas always gas campus census corpus focus iris kubernetes redis
    postgres jenkins windows mathematics physics politics aws dns tls https sms gps cms ines tomas
    thomas james jonas lukas nicolas charles louis lucas agnes doris hans klaus marcus andreas elias
    carlos tobias frances paris athens naples brussels texas wales kansas census jules markus luis
    analysis basis crisis thesis compass mattress princess actress waitress hostess success progress
    express congress tennis"""
)
_DETERMINERS = word_set(
    """the a an my your his her its our their this that these those every each some any no another both all
    several many few"""
)
POSSESSIVES = word_set("my your his her its our their")


def head_of(phrase: str) -> str:
    """The head noun of a phrase in lower case: "the name of my cat" -> "name", "my sister Ana" -> "ana"."""
    words = re.split(
        r",| (?:of|for|in|on|at|with|from|to|by|between|near|under|behind|about|who|that|which|called"
        r"|named) ",
        f"{phrase} ",
    )[0]
    found = re.findall(r"[^\s,;:()\"“”]+", words)
    return found[-1].lower().removesuffix("'s").removesuffix("’s").strip("*_`.'’") if found else ""


def is_plural(phrase: str) -> bool:
    """Whether a phrase takes "are": "the keys", "Ana and Tom"; "we" and "they" do, "I" does not."""
    low = phrase.lower()
    if low in {"we", "you", "they", "these", "those"}:
        return True
    core = re.split(r" (?:of|for|in|on|at|with|from|to|by|who|that|which) ", low)[0]
    if re.search(r"\w and (?:the |my |his |her |our |their )?\w", core):
        return True
    head = head_of(phrase)
    if re.fullmatch(r"[\d.,]+", head) and len(phrase.split()) > 1:
        head = head_of(phrase.rpartition(" ")[0])
    if head in _IRREGULAR_PLURALS:
        return True
    if phrase[:1].isupper() and len(phrase.split()) == 1 and head not in PEOPLE:
        return False  # a name
    return head.endswith("s") and not head.endswith(("ss", "us", "is")) and head not in _SINGULAR_S


def kind_of_noun(phrase: str) -> Kind:
    """Who or what a phrase names, as far as the word lists tell."""
    low = phrase.lower().strip()
    if low in {"i", "we", "you", "he", "she", "who", "someone", "somebody", "everyone", "me", "us", "him"}:
        return "person"
    words = re.findall(r"[\w'’.-]+", phrase)
    if not words:
        return "unknown"
    if words[0].lower() in _TITLES and len(words) > 1:
        return "person"
    head = head_of(phrase)
    singular = head[:-1] if head.endswith("s") else head
    if {head, singular} & PEOPLE and not re.search(r"'s$|’s$", phrase):
        return "person"
    if {head, singular} & ANIMALS:
        return "animal"
    first = re.sub(r"['’]s$", "", words[0])
    if first.lower() in NAMES and first[0].isupper() and all(word[0].isupper() for word in words[:2]):
        return "thing" if re.search(r"['’]s? ", phrase) else "person"
    if len(words) > 1 and words[0].lower() in POSSESSIVES:
        middle = {word.lower() for word in words[1:-1]}
        if middle & PEOPLE and words[-1][0].isupper() and not re.search(r"['’]s? ", phrase):
            return "person"
        if middle & ANIMALS and words[-1][0].isupper() and not re.search(r"['’]s? ", phrase):
            return "animal"
    if " and " in phrase:
        left = kind_of_noun(phrase.split(" and ")[0])
        if left == "person":
            return left
    if head in PLACES:
        return "place"
    if words[0].lower() in _DETERMINERS or words[0][0].islower():
        return "thing"
    return "unknown"


def is_name(phrase: str) -> bool:
    """Whether a phrase is a bare name: every word large (or a small joining word), without an article."""
    words = phrase.split()
    return (
        bool(words)
        and all(
            word[:1].isupper()
            or word[:1].isdigit()
            or word in {"of", "de", "da", "do", "van", "von", "the", "and", "&", "la"}
            for word in words
        )
        and words[0][:1].isupper()
        and words[0].lower() not in _DETERMINERS
    )


def possessive(phrase: str) -> str:
    """my cat -> my cat's, the neighbours -> the neighbours', I -> my, you -> your."""
    low = phrase.lower()
    pronouns = {
        "i": "my",
        "you": "your",
        "he": "his",
        "she": "her",
        "it": "its",
        "we": "our",
        "they": "their",
    }
    if low in pronouns:
        return pronouns[low]
    return phrase + ("'" if is_plural(phrase) and phrase.endswith("s") else "'s")


def with_article(noun: str) -> str:
    """A common noun as one speaks of it: "staging database" -> "the staging database"; names stay."""
    words = noun.split()
    if not words or words[0].lower() in _DETERMINERS or words[0].lower() == "project" or is_name(noun):
        return noun
    return f"the {noun}"


def without_article(phrase: str) -> str:
    """the blue flowerpot -> blue flowerpot; my sister's house -> sister's house only where ``my`` leads."""
    return re.sub(r"^(?:the|a|an) ", "", phrase, flags=re.IGNORECASE)


def is_mass(noun: str) -> bool:
    return noun.lower() in _MASS


def an(noun: str) -> str:
    """ant -> an ant, user -> a user."""
    vowel = re.match(r"(?!uni|use|eu|one)[aeiou8]|hour|honest", noun.lower())
    return f"{'an' if vowel else 'a'} {noun}"


def singular(noun: str) -> str:
    """cats -> cat, boxes -> box; approximate."""
    special = {
        "people": "person",
        "children": "child",
        "men": "man",
        "women": "woman",
        "feet": "foot",
        "mice": "mouse",
    }
    if noun in special:
        return special[noun]
    if not is_plural(f"the {noun}"):
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if re.search(r"(?:ches|shes|xes|sses)$", noun):
        return noun[:-2]
    return noun[:-1]


def plural(noun: str) -> str:
    """cat -> cats, city -> cities; approximate."""
    special = {
        "person": "people",
        "child": "children",
        "man": "men",
        "woman": "women",
        "foot": "feet",
        "mouse": "mice",
    }
    last = noun.split()[-1]
    if last in special:
        return noun[: -len(last)] + special[last]
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(?:s|x|ch|sh)$", noun) else "s")


_SECOND = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "we": "you", "us": "you",
    "our": "your", "ours": "yours", "ourselves": "yourselves", "i'm": "you're", "i've": "you've",
    "i'd": "you'd",
    "i'll": "you'll", "we're": "you're", "we've": "you've", "we'll": "you'll",
}  # fmt: skip
_FIRST = {
    "you": "I", "your": "my", "yours": "mine", "yourself": "myself", "you're": "I am", "you've": "I have",
    "you'll": "I will",
}  # fmt: skip


def to_second_person(text: str) -> str:
    """What the user said of themselves, said to the user: "I am in my office" -> "you are in your office"."""
    text = text.replace("’", "'")
    text = re.sub(r"\b(I) (?:am)\b", "you are", text)
    text = re.sub(r"\bam I\b", "are you", text)
    text = re.sub(r"\b(I) was\b", "you were", text)

    def second(match: re.Match[str]) -> str:
        word = match[0]
        if word == "US":  # the country
            return word
        changed = _SECOND.get(word.lower())
        if changed is None:
            return word
        return changed.capitalize() if word[0].isupper() and word[:2] not in ("I", "I'") else changed

    return re.sub(r"(?<![\w/.-])[A-Za-z]+(?:'[a-z]+)?(?![\w-])", second, text)


def to_first_person(text: str) -> str:
    """A note that calls its reader "you", as the reader says it: "your cat" -> "my cat"."""
    text = text.replace("’", "'")
    text = re.sub(r"\byou are\b", "I am", text, flags=re.IGNORECASE)
    text = re.sub(r"\byou were\b", "I was", text, flags=re.IGNORECASE)

    def first(match: re.Match[str]) -> str:
        changed = _FIRST.get(match[0].lower(), match[0])
        return changed[0].upper() + changed[1:] if match[0][0].isupper() else changed

    return re.sub(r"\b[Yy]ou(?:r|rs|rself|'re|'ve|'ll)?\b", first, text)


def capital(text: str) -> str:
    """The first letter made large, unless the word is written in its own way (iPhone, larkspur.service)."""
    first = text.split(" ", 1)[0] if text else ""
    return (
        text
        if re.search(r"[A-Z]", first[1:]) or re.search(r"\w[./_]\w", first)
        else text[:1].upper() + text[1:]
    )


_WOMEN = word_set(
    """ines agnes alice amy ann anne astrid audrey beth camille carmen caroline catherine charlotte chloe
    christine claire deborah denise doris dorothy edith elizabeth ellen emily esther eve frances grace
    hannah harriet heather heidi helen ingrid irene isabel jane janet jenny jessica jill joan joyce
    judith judy julie june karen karin kate katherine kim leah lee lily lucy margaret marie martha mary
    maya mei megan miriam molly nancy naomi natalie nicole noor nora olga olive pam patricia penny
    rachel ruth sally sarah sharon sophie stella sue susan tracy yasmin yvonne zoe wendy mother sister
    aunt wife daughter grandma grandmother mum mom niece girlfriend landlady granddaughter"""
)
_MEN = word_set(
    """luca joshua noah luka andrea sasha father brother uncle husband son grandpa grandfather dad nephew
    boyfriend landlord grandson"""
)


def gender_of(noun: str) -> str:
    """f or m, where the word tells; empty where it does not."""
    words = {word.lower().removesuffix("'s") for word in noun.split()}
    if words & _MEN:
        return "m"
    if words & _WOMEN or any(word in NAMES and word.endswith("a") for word in words):
        return "f"
    return "m" if words & NAMES else ""
