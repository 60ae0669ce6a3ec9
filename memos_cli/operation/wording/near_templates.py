# ruff: noqa: E501  (a table)
"""What can be asked of near things, as data: properties by kind of thing, general questions, changed deeds."""

from __future__ import annotations

ABOUT_PEOPLE = (
    "how old [be] *", "when [be] <{s} birthday>", "what [be] <{s} phone number>", "where [was] * born", "what [be] <{s} favourite colour>",
    "what [do] * do for a living", "where [do] * live", "what [be] <{s} shoe size>", "how many siblings [do] * have",
    "what [be] <{s} email address>", "what car [do] * drive", "which languages [do] * speak", "how tall [be] *", "what [be] <{s} middle name>",
    "when [did] * get married", "where [did] * go to school", "what [be] <{s} blood type>", "who [be] <{s} best friend>",
    "what [be] <{s} favourite film>", "which instrument [do] * play", "how much [do] * earn", "who [be] <{s} landlord>",
    "what [be] * afraid of", "when [do] * get up", "which team [do] * support", "what [be] <{s} star sign>",
    "who [be] <{s} dentist>", "what [be] <{s} new address>", "which school [did] * go to",
)  # fmt: skip


ABOUT_ANIMALS = (
    "how old [be] *", "what colour [be] *", "what breed [be] *", "how much [do] * weigh", "where [do] * sleep", "what [do] * eat",
    "when [was] * born", "where [did] <I> get * from", "who [be] <{s} vet>", "what [be] <{s} chip number>", "what [be] <{s} favourite toy>",
    "how much [did] * cost", "who feeds * during holidays", "when [was] * last at the vet", "what [be] * afraid of",
)  # fmt: skip


ABOUT_SOFTWARE = (
    "which version of * [do] <we> run", "who installed *", "how much memory [do] * use", "what [be] <the password of *>", "where [be] <the log of *>",
    "which port [do] * use", "who has access to *", "which language [be] * written in", "what [be] <the address of *>", "when [was] * last updated",
    "how many users [do] * have", "which license [do] * have", "who pays for *", "which user [do] * run as", "where [be] <the source code of *>",
    "how big [be] <the disk of *>", "when [was] * set up", "who is on call for *",
)  # fmt: skip


ABOUT_EVENTS = (
    "who is coming to *", "where [be] *", "how long [do] * take", "how much [do] * cost", "who organises *", "what [should] <I> bring to *", "when [be] *",
    "what [be] <the topic of *>", "how many people come to *", "which room [be] * in", "when [be] * over", "who is invited to *", "what [should] <I> wear to *",
)  # fmt: skip


ABOUT_THINGS = (
    "what colour [be] *", "how much [did] * cost", "how heavy [be] *", "how old [be] *", "where [did] <I> buy *", "who gave me *", "what brand [be] *",
    "who repaired *", "when [did] <I> buy *", "what [be] * made of", "how big [be] *", "what [be] <the serial number of *>", "how long [be] <the warranty of *>",
    "who borrowed *", "who else uses *", "where [be] <the manual of *>", "when [was] * last cleaned", "what [be] <the price of *>",
)  # fmt: skip


ABOUT_PAPERS = (
    "where [be] <the original of *>", "who signed *", "how much [do] * cost", "how many pages [do] * have", "when [did] <I> sign *", "who wrote *",
    "what [be] <the number of *>", "how can I cancel *", "who has a copy of *", "when [did] * start", "which language [be] * in", "who checked *",
)  # fmt: skip


ABOUT_WORK = (
    "who leads *", "when [do] * start", "how many people work on *", "who pays for *", "where [be] <the office of *>", "what [be] <the goal of *>",
    "how long [do] * take", "who [be] <the client of *>", "what [be] <the website of *>", "how big [be] <the team of *>", "who founded *", "what [be] <the budget of *>",
)  # fmt: skip


ABOUT_FOOD = (
    "how many people [be] * for", "who taught me to make *", "how many eggs go into *", "how long [do] * keep", "how much salt goes into *", "what [do] <I> serve with *",
    "who likes * best", "when [did] <I> last make *", "how much sugar is in *", "what [do] * cost", "which pan [do] <I> use for *", "where [does] <the recipe of *> come from",
)  # fmt: skip


ABOUT_PLACES = (
    "how many people live in *", "what [be] <the postcode of *>", "who is the mayor of *", "when [was] * founded", "how [do] <I> get to *", "how far away [be] *",
    "where [do] * begin", "what is the best season for *", "who lives near *", "what [be] <the area of *>",
)  # fmt: skip


PAPER_GROUPS = frozenset(("documents", "contracts", "bills", "reading"))


FOOD_GROUPS = frozenset(
    ("dishes", "bakery", "meals", "hot drinks", "cold drinks", "ingredients", "fruit", "vegetables")
)


SOFTWARE_GROUPS = frozenset(
    [
        "network",
        "servers",
        "environments",
        "services",
        "software parts",
        "jobs",
        "backup things",
        "databases",
        "programming",
        "operating systems",
        "editors",
        "tools",
        "network names",
    ]
)


EVENT_GROUPS = frozenset(
    ["meetings", "celebrations", "appointments", "trips", "collections", "feasts", "school things"]
)


PERSON_GROUPS = frozenset(
    [
        "close family",
        "parents",
        "grandparents",
        "wider family",
        "people near",
        "partners",
        "children",
        "health people",
        "trades",
        "teachers",
        "office roles",
        "makers",
        "women's names",
        "men's names",
    ]
)


ANIMAL_GROUPS = frozenset(("pets", "farm animals", "birds"))


OPEN_BY_GROUP: dict[str, tuple[str, ...]] = {
    "animals": ("What is a good name for {a}?", "Which {x} food is popular?", "How long do {xs} usually live?", "What do {xs} need every day?", "Which breeds of {xs} are small?"),
    "people": ("What does a good {x} do?", "How can one find a good {x}?", "What is a nice present for {a}?", "What should one thank {a} for?"),
    "family": ("What is a nice present for {a}?", "What does {a} usually do at a wedding?", "What is a funny word for {a}?"),
    "software": ("What is {a} used for?", "How does one choose {a}?", "Which ports are common for {xs}?", "What can go wrong with {a}?", "How are {xs} usually named?"),
    "events": ("How does one plan {a}?", "What makes {a} a success?", "How long does {a} usually take?", "What do people usually bring to {a}?"),
    "things": ("How does one choose {a}?", "What does {a} usually cost?", "Where do people usually keep {xs}?", "How does one clean {a}?", "What is {a} usually made of?"),
    "places": ("What is {x} known for?", "What is the weather like in {x}?", "What should one see in {x}?"),
}  # fmt: skip


OPEN_BY_WORD: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\b(?:name|called|named)\b", ("Which first names are popular at the moment?", "How do people choose names?", "What makes a name easy to remember?")),
    (r"\bports?\b", ("Which ports are common for databases?", "What is a network port?", "Which port does SSH use by default?")),
    (r"\bpassword|passcode|pin\b", ("What makes a password strong?", "How often should one change a password?", "What is a password manager?")),
    (r"\bbirthday|born\b", ("What is a nice present for a birthday?", "How do people celebrate birthdays in Japan?")),
    (r"\btea\b", ("How is green tea made?", "Where does tea come from?", "How long should black tea steep?")),
    (r"\bcoffee\b", ("How is espresso made?", "Where does coffee come from?")),
    (r"\bkeys?\b", ("Where do people usually hide a spare key?", "How does a lock work?")),
    (r"\blease|rent|flat|apartment\b", ("What should one check before signing a lease?", "How long does a lease usually run?")),
    (r"\bbackups?\b", ("How often should one make backups?", "What is an incremental backup?")),
    (r"\blive|move|moved\b", ("Which cities are good to live in?", "What should one think of when moving house?")),
    (r"\bwork|job|employer\b", ("Which jobs are in demand?", "How does one prepare for a job interview?")),
    (r"\bmeeting\b", ("How does one keep a meeting short?", "What belongs in the minutes of a meeting?")),
    (r"\bproject\b", ("What makes a good name for a project?", "How does one plan a project?")),
    (r"\ballerg", ("Which allergies are common?", "What helps against hay fever?")),
    (r"\bphone\b", ("What is the country code of France?", "How does one save a contact on a phone?")),
    (r"\bhow much|price|cost\b", ("How does inflation change prices?", "How does one compare prices?")),
    (r"\bwhen|what time|what day\b", ("How many days are there in a year?", "Why are there time zones?", "How does one keep a calendar tidy?")),
    (r"\bwhere\b", ("How does one find lost things?", "What is the largest city in the world?")),
    (r"\bwho\b", ("Who wrote Don Quixote?", "How does one remember people's names?")),
    (r"\bhow many\b", ("How many bones does a human have?", "How many minutes are there in a day?")),
    (r"", ("How does one keep good notes?", "What is a good way to remember things?", "How does human memory work?", "What makes a list useful?")),
)  # fmt: skip


DEEDS = {
    "end": ("start",), "ends": ("starts",), "start": ("end",), "starts": ("ends",), "begin": ("end",), "open": ("close",), "opens": ("closes",),
    "close": ("open",), "closes": ("opens",), "leave": ("arrive",), "arrive": ("leave",), "buy": ("sell",), "bought": ("sold",),
    "maintains": ("tests", "pays for", "designed"), "owns": ("cleans", "insures"), "manages": ("pays", "audits"), "wrote": ("translated", "reviewed"),
    "live": ("work", "park"), "lives": ("works",), "work": ("live", "study"), "works": ("lives", "studies"), "drink": ("cook", "grow"),
    "eat": ("cook", "grow"), "painted": ("cleaned", "measured"),
    "run": ("crash", "fail"), "runs": ("crashes", "fails"),
    "listen": ("report",), "play": ("teach",), "plays": ("teaches",), "speak": ("learn",), "speaks": ("learns",), "drive": ("sell",),
    "adopt": ("lose",), "teach": ("study",), "expire": ("begin",), "built": ("sold",), "founded": ("left",), "pay": ("borrow",),
    "grow": ("sell",), "collect": ("sell",), "read": ("write",), "visit": ("leave",), "repaired": ("sold",),
}  # fmt: skip


OTHER_THINGS = (
    "printer", "garage door", "blue folder", "old laptop", "mail server", "lawn chair", "spare tyre", "tent", "piano",
    "projector", "newsletter", "coffee machine", "first-aid kit", "visitor badge", "hedge", "website", "ladder", "passport",
    "toolbox", "summer party", "car insurance", "search index", "choir", "lawn mower", "subscription", "billing service",
    "swimming course", "winter coat", "kitchen sink", "parking permit", "camera", "bookshelf", "tax return", "bus pass",
    "allotment", "sales report", "login page", "bandstand", "yoga class", "freezer",
)  # fmt: skip
