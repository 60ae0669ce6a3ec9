"""How people ask for a property of something: a hand-made table. Pure data and its look-up.

Under each heading (the words for a property, most usual first) stand templates as ``posing`` reads them.
"the name of my cat" is asked for as "what is my cat called", and so on.
"""

from __future__ import annotations

import re
from functools import cache

from memos_cli.operation.wording.lists import word_set

_TABLE = """
name, names, full name, first name, last name, surname, code name, codename, nickname, host name, hostname
  what [be] * called
  what name [do] * have
  how do people call *
  what [be] * named
birthday, birth date, date of birth, birthdate
  when [was] * born
  on which day [be] <{s} birthday>
  when [do] * have a birthday
age
  how old [be] *
  how many years old [be] *
height
  how tall [be] *
  how high [be] *
weight
  how much [do] * weigh
  how heavy [be] *
length
  how long [be] *
width
  how wide [be] *
depth
  how deep [be] *
size
  how big [be] *
  how large [be] *
  what size [be] *
capacity
  how much [can] * hold
  how much fits in *
distance
  how far away [be] *
price, cost, fee, fare, monthly fee, price tag
  how much [do] * cost
  how much [be] <the # of *>
  how much [do] <I> pay for *
  what [do] <I> have to pay for *
rent, monthly rent
  how much rent [do] * pay
  how much [do] * pay in rent
  how much [be] <the # of *>
budget
  how much money [do] * have
  how much [can] * spend
  how big [be] <the budget of *>
salary, income, wage, pay
  how much [do] * earn
  how much [do] * make
  what [do] * get paid
phone number, telephone number, mobile number, number, phone, cell phone number, telephone, mobile
  what number [do] * have
  how can I call *
  at which number can I reach *
  which number do I dial for *
email, email address, e-mail, e-mail address, mail address
  how can I email *
  where do I send mail for *
  which email address [do] * use
  how do I reach * by email
address, home address, postal address
  where [do] * live
  where [be] *
  at which address do I find *
ip address, ip, network address
  what ip [do] * have
  at which address do I reach *
  which ip address [do] * use
url, website, web address, link, homepage
  where do I find * online
  which url [do] * have
  at which web address [be] *
port, port number
  which port [do] * listen on
  what port [do] * use
  on which port [do] * run
  which port [be] * on
password, passphrase, passcode, pin, pin code, code, access code, door code, entry code, alarm code, key code
  what do I type in for *
  how do I get into *
  which # [do] * have
user, username, user name, login, account, user id
  which user do I log in to * with
  which login [do] * use
  what do I log in to * as
version, release
  which version of * do we have
  what version [be] * on
  which version [do] * run
serial number, model, model number, make, brand, type
  which # [do] * have
  what # [be] *
licence plate, license plate, number plate, plate, registration number
  what [do] <{s} number plate> say
  which plate [do] * have
colour, color, colours, colors
  what colour [be] *
  which colour [do] * have
  what color [be] *
shoe size
  what size shoes [do] * wear
  which shoes fit *
clothes size, shirt size, dress size, trouser size, ring size, t-shirt size
  which # [do] * wear
  what # [do] * need
blood type, blood group
  which # [do] * have
  what # [be] *
job, profession, occupation, position, job title
  what [do] * do for a living
  what [do] * work as
  what kind of work [do] * do
employer, company, workplace, firm
  who [do] * work for
  where [do] * work
  which company [do] * work for
owner, owners
  who owns *
  who [do] * belong to
  whose [be] *
maintainer, maintainers
  who maintains *
  who looks after *
  who is responsible for *
  who takes care of *
lead, leader, head, chair, project lead, team lead, project manager, manager, director, ceo, boss, supervisor
  who leads *
  who is in charge of *
  who runs *
  who manages *
author, writer
  who wrote *
  who [be] * by
  who [was] * written by
founder, founders
  who founded *
  who started *
  who set up *
inventor
  who invented *
designer, architect
  who designed *
teacher, tutor, coach, trainer, instructor
  who teaches *
  who gives * lessons
doctor, gp, dentist, vet, physiotherapist, therapist, hairdresser, barber, lawyer, accountant, optician
  who [be] <{s} #>
  which # [do] * go to
  which # [do] * see
wife, husband, spouse, partner
  who [be] * married to
  who [do] * live with
landlord, landlady
  who [do] * rent from
contact, contact person
  who do I talk to about *
  who should I contact about *
  who can help with *
deadline, due date, closing date
  when [be] * due
  by when [do] * have to be done
  when do I have to finish *
  until when is there time for *
date
  when [be] *
  on which day [be] *
  what day [be] * on
time, start time
  when [do] * start
  at what time [be] *
  what time [be] *
start, beginning, start date
  when [do] * start
  when [do] * begin
end, end date, expiry date, expiration date
  when [do] * end
  when [be] * over
  when [do] * expire
anniversary
  when [be] <{s} anniversary>
  on which day [be] <{s} anniversary>
  when [do] * celebrate {s} anniversary
opening hours, office hours, business hours, hours, opening times
  when [be] * open
  at what times [be] * open
  from when to when [be] * open
duration
  how long [do] * take
  how long [do] * last
interval, frequency, schedule
  how often [do] * run
  when [do] * run
location, place, venue, position, whereabouts
  where [be] *
  where can I find *
  where do I find *
meeting point, meeting place
  where [do] * meet
home town, hometown, birthplace, place of birth
  where [do] * come from
  where [be] * from
  where [was] * born
nationality
  where [do] * come from
  which country [be] * from
native language, mother tongue, first language, language
  what language [do] * speak
  which language [be] * in
  which language [do] * use
capital
  which city is the capital of *
hobby, hobbies, pastime
  what [do] * do in {s} free time
  what [do] * like to do
  what [do] * do for fun
favourite, favorite
  what [do] * like best
  which one [do] * like most
favourite food, favorite food, favourite dish, favorite dish, favourite meal, favourite cake
  what [do] * like to eat
  what [do] * like best to eat
  which # [do] * like best
favourite drink, favorite drink, favourite tea, favourite wine, favourite coffee
  what [do] * like to drink
  which # [do] * like best
allergy, allergies
  what [be] * allergic to
  what [can] * not eat
  what makes * sick
diet
  what [do] * eat
pet, pets
  which animal [do] * have
dose, dosage
  how much of * should I take
temperature, oven temperature
  how hot [be] *
  how warm [be] *
  how many degrees [do] * have
speed
  how fast [be] *
power, wattage
  how strong [be] *
operating system, os
  what [do] * run on
  which operating system [do] * use
  what [be] * running
database
  where [do] * store its data
branch, default branch
  which branch [do] * use
status, state
  how [be] * doing
  what is going on with *
goal, aim, purpose, objective, target
  what [be] * for
  what do we want with *
reason, cause
  why
topic, subject, theme
  what [be] * about
secret, trick
  what makes * good
result, outcome, conclusion
  how [did] * end
  what came out of *
decision
  what was decided on *
winner
  who won *
score, final score
  how [did] * end
warranty, guarantee
  how long [be] * under warranty
  until when [be] * under warranty
insurance number, policy number, tax number, tax id, social security number, customer number, member number
  which # [do] * have
account number, iban, bank account
  which # [do] * have
  where do I send money for *
gate, platform, seat, room, room number, floor, desk, locker
  which # [be] * in
  which # [do] * have
  where [be] *
"""
_FAVOURITE = re.compile(r"^(?:favou?rite|preferred) (?P<thing>.+)$")


@cache
def _table() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for line in _TABLE.strip().splitlines():
        if line.startswith("  "):
            for word in words:
                found.setdefault(word, []).append(line.strip().replace("#", word))
        else:
            words = [word.strip() for word in line.split(",")]
    return found


def is_attribute(noun: str) -> bool:
    return noun.lower() in _table() or bool(_FAVOURITE.match(noun.lower()))


def ways_to_ask(attribute: str) -> list[str]:
    """Templates that ask for a property; empty where the table has none."""
    low = re.split(r" (?:in|on|at|for) ", attribute.lower())[0]
    if low in _table():
        return _table()[low]
    favourite = _FAVOURITE.match(low)
    if favourite:
        thing = favourite["thing"]
        return [
            f"which {thing} [do] * like best",
            f"what {thing} [do] * prefer",
            f"which {thing} [do] * like most",
        ]
    parts = low.split()
    for start in range(1, len(parts)):  # "guest password" is asked for as a password, but by its own name
        tail = " ".join(parts[start:])
        if tail in {"maintainer", "owner", "author", "founder"}:
            return _table()[tail]
    return []


def split_compound(noun: str) -> tuple[str, str] | None:
    """The property that ends a compound, after what has it: "the oven temperature" -> (oven, temperature)."""
    words = noun.split()
    for start in range(1, len(words)):
        tail = " ".join(words[start:]).lower()
        if is_attribute(tail) and tail not in _NO_TAIL:
            if start > 0 and f"{words[start - 1].lower()} {tail}" in _table() and start == 1:
                return None
            return " ".join(words[:start]), tail
    return None


# Too general to be cut off a compound: "birthday party place" and so on.
_NO_TAIL = word_set(
    """user type make pay head lead model company start end time date state place number code release link"""
)
