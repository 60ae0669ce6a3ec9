"""How people ask for what somebody does, and where and when: a hand-made table by verb. Pure data.

A heading names verbs and, after the slash, what is asked for: ``object``, ``subject``, ``place``, ``time``,
``long`` (a duration) or a preposition ("as": what somebody works as). Templates as in ``posing``; ``{o}``
is the object of the sentence, ``~verb`` is put into its tense. [do] and [be] become past, or the sentence's
own auxiliary.
"""

from __future__ import annotations

from functools import cache

_TABLE = """
like, love, enjoy, adore, favour, favor, prefer / object
  what [do] * like
  what [do] * prefer
  what [do] * like best
  what [do] * enjoy
  what [be] <{s} favourite>
  what [do] * love
hate, dislike, detest, despise / object
  what [do] * hate
  what [do] * dislike
  what [can] * not stand
  what [do] * not like
want, wish for, need, crave / object
  what [do] * want
  what [do] * need
  what [would] * like
  what [do] * wish for
live, reside, stay, dwell / place
  where [do] * live
  which place [do] * live in
  where [be] <{s} home>
  where [be] * living
  where can I find *
come / from
  where [do] * come from
  where [be] * from
  which place [be] * from
  what [be] <{s} origin>
work / place, for
  where [do] * work
  who [do] * work for
  which company [do] * work for
  where [be] * employed
  what [be] <{s} workplace>
  who [be] <{s} employer>
  where [be] <{s} job>
work / as
  what [do] * do for a living
  what [be] <{s} job>
  what [do] * work as
  what [be] <{s} profession>
work, be working / on
  what [do] * work on
  what [be] * working on
  what [be] * busy with
study / object, subject of study
  what [do] * study
  which subject [do] * study
  what [be] * studying
  what [do] * learn
study / place
  where [do] * study
  which university [do] * go to
  where [do] * go to university
  which school [do] * attend
move, relocate / place
  where [do] * move
  where [do] * move to
  which place [do] * move to
  where [does] * live now
  where [do] * go to live
travel, go, fly, drive / place
  where [do] * go
  where [do] * travel
  what [be] <{s} destination>
visit, see / object
  where [do] * go
  which place [do] * visit
graduate / from
  where [do] * graduate from
  which university [do] * graduate from
  where [do] * get {s} degree
keep, store, put, hide, place, lock, stash, hang, bury / place
  where [is] <{o}>
  where [do] * keep {o}
  where [do] * put {o}
  where [can] <I> find {o}
  where should I look for {o}
  where [is] <{o}> kept
leave, park / place
  where [is] <{o}>
  where [can] <I> find {o}
  where [do] * put {o}
  where should I look for {o}
  where [is] <{o}> standing
sit, stand, lie, hang, lean / place
  where [be] *
  where can I find *
  what place [be] * in
  where do I look for *
listen, run, serve / port
  which port [do] * listen on
  what port [do] * use
  on which port [do] * run
  what [be] <{s} port>
  which port [be] * on
run / place
  where [do] * run
  what [do] * run on
  which machine [do] * run on
  where [be] * hosted
run / time
  when [do] * run
  at what time [do] * run
  when [do] * start
  when [be] * executed
run / often
  how often [do] * run
  how frequently [do] * run
run / as
  which user [do] * run as
  what [do] * run as
maintain / subject
  who ~maintain {o}
  who [be] <the maintainer of {o}>
  who looks after {o}
  who is responsible for {o}
  who takes care of {o}
own / subject
  who ~own {o}
  who [be] <the owner of {o}>
  who [do] <{o}> belong to
  whose [be] <{o}>
lead, manage, run, head, chair, direct, supervise, coordinate / subject
  who ~lead {o}
  who ~manage {o}
  who is in charge of {o}
  who ~run {o}
  who [be] <the head of {o}>
handle, oversee, administer, look after / subject
  who ~handle {o}
  who is responsible for {o}
  who looks after {o}
  who is in charge of {o}
write / subject
  who ~write {o}
  who [be] <the author of {o}>
  who [be] <{o}> by
design / subject
  who ~design {o}
  who [be] <the designer of {o}>
found, start, establish / subject
  who ~found {o}
  who [be] <the founder of {o}>
  who ~start {o}
teach / subject
  who ~teach {o}
  who [be] <the teacher of {o}>
  who gives lessons in {o}
teach / object
  what [do] * teach
  which subject [do] * teach
  what lessons [do] * give
own / object
  what [do] * own
  what belongs to *
drive / object
  what car [do] * drive
  which car [do] * have
  what [do] * drive
ride / object
  what [do] * ride
speak / object
  which languages [do] * speak
  what language [do] * speak
  what [be] <{s} language>
play / object
  what [do] * play
use / object
  what [do] * use
  which one [do] * use
  what [be] * using
  what [do] * work with
drink / object
  what [do] * drink
  what [do] * like to drink
  what [do] * have to drink
eat / object
  what [do] * eat
  what [do] * have to eat
cost / object
  how much [do] * cost
  how much [be] *
  what [be] <the price of *>
  what [do] <I> pay for *
  what [be] <the cost of *>
pay / object
  how much [do] * pay
  what [do] * pay
  how much money [do] * pay
earn / object
  how much [do] * earn
  how much [do] * make
  what [be] <{s} salary>
weigh / object
  how much [do] * weigh
  how heavy [be] *
  what [be] <{s} weight>
measure / object
  how big [be] *
  what size [be] *
hold / object
  how much [do] * hold
  how much fits in *
take, last / duration
  how long [do] * take
  how long [do] * last
  how much time [do] * take
  what [be] <the duration of *>
end, expire, finish, stop, run out / time
  when [do] * end
  when [be] * over
  when [be] * up
  until when [do] * last
  when [do] * expire
  when [do] * finish
  what [be] <the end date of *>
expire, run out / time
  when [do] * expire
  until when [be] * valid
  how long [be] * valid
  when [do] * run out
start, begin / time
  when [do] * start
  when [do] * begin
  at what time [do] * start
  what [be] <the start of *>
open / time
  when [do] * open
  what time [do] * open
  from when [be] * open
close / time
  when [do] * close
  what time [do] * close
  until when [be] * open
leave, depart / time
  when [do] * leave
  what time [do] * leave
  when [do] * depart
  when [do] * go
arrive, land / time
  when [do] * arrive
  what time [do] * get here
  when [do] * land
meet / time
  when [do] * meet
  when [be] <{s} meeting>
  at what time [do] * meet
  when [do] * get together
meet / place
  where [do] * meet
  where [be] <{s} meeting>
bear / time
  when [be] <{s} birthday>
  what [be] <{s} date of birth>
marry / object
  who [do] * marry
  who [be] * married to
  who [be] <{s} spouse>
marry / time
  when [do] * marry
  when [do] * get married
  when [be] <{s} wedding>
happen, take place / time
  when [do] * happen
  when [do] * take place
  when [be] *
  on what day [be] *
visit, come / time
  when [do] * come
buy, purchase / object
  what [do] * buy
  what [do] * get
buy, purchase / place
  where [do] * buy {o}
  where [do] * get {o}
  where [be] <{o}> from
  which shop [be] <{o}> from
belong / to
  who [do] * belong to
  whose [be] *
  who ~own *
  who [be] <the owner of *>
depend, rely / on
  what [do] * depend on
  what [do] * need
  what [do] * rely on
report / to
  who [do] * report to
  who [be] <{s} boss>
  who [be] <{s} manager>
consist / of
  what [do] * consist of
  what [be] * made of
  what is in *
contain, include, hold, have / object
  what [do] * contain
  what is in *
  what [do] * include
wear / object
  what [do] * wear
collect / object
  what [do] * collect
  what [be] * collecting
  what [do] * have a collection of
recommend / object
  what [do] * recommend
  what [be] <{s} recommendation>
decide, agree, vote / to
  what [do] * decide to do
  what [do] * agree to do
  what [be] <{s} decision>
adopt / object
  what [do] * adopt
  which animal [do] * adopt
"""


@cache
def _table() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    heads: list[tuple[str, str]] = []
    for line in _TABLE.strip().splitlines():
        if line.startswith("  "):
            for head in heads:
                found.setdefault(head, []).append(line.strip())
        else:
            verbs, _, slots = line.partition(" / ")
            heads = [(verb.strip(), slot.strip()) for verb in verbs.split(",") for slot in slots.split(",")]
    return found


def ways_of(base: str, slot: str) -> list[str]:
    """Templates that ask for ``slot`` of a clause with this verb; empty where the table has none."""
    return _table().get((base, slot), [])
