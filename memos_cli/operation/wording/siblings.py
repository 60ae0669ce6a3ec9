# ruff: noqa: E501  (one group a line)
"""Words of a kind, by group: what a question can be changed to, and what kind of thing a word names.

A line is a group: its name, how one asks for such a thing ("which drink"; empty where one does not), and the
words. Two words of one group are close but different things: "cat" and "dog", "port" and "password".
Hand-made; pure.
"""

from __future__ import annotations

from functools import cache

_GROUPS = """
pets | animal | cat, dog, hamster, rabbit, parrot, goldfish, turtle, guinea pig, horse, canary, ferret, budgie, tortoise, gecko, kitten, puppy, pony
farm animals | animal | cow, sheep, goat, pig, hen, duck, goose, donkey, rooster
birds | bird | kingfisher, robin, owl, sparrow, heron, swallow, magpie, eagle, woodpecker
close family | | mother, father, brother, sister, son, daughter, wife, husband
parents | | mum, dad, mom
grandparents | | grandmother, grandfather, grandma, grandpa
wider family | | uncle, aunt, cousin, niece, nephew, godmother, godfather, stepmother, brother-in-law, sister-in-law
people near | | neighbour, neighbor, friend, roommate, flatmate, colleague, classmate, landlord, babysitter, cleaner, boss, coworker
partners | | girlfriend, boyfriend, fiancé, partner, spouse
children | | baby, twins, grandson, granddaughter, child, kid
health people | | doctor, dentist, vet, physiotherapist, optician, therapist, nurse, midwife, pharmacist
trades | | plumber, electrician, carpenter, gardener, mechanic, painter, roofer, chimney sweep, locksmith, hairdresser, barber
teachers | | teacher, tutor, coach, trainer, professor, piano teacher, driving instructor
office roles | | manager, maintainer, designer, accountant, secretary, developer, tester, intern, director, lawyer, analyst, administrator, consultant, treasurer
makers | | author, editor, translator, illustrator, publisher, photographer, director, composer
programs used | program | editor, browser, shell, terminal, mail client, password manager, spreadsheet, calendar, search engine, keyboard layout, operating system, font, chat program, note app, music player
rooms | room | kitchen, bathroom, bedroom, living room, hallway, cellar, attic, garage, study, pantry, laundry room, dining room, nursery, basement
outside | place | garden, balcony, terrace, shed, greenhouse, driveway, courtyard, patio
work rooms | room | meeting room, server room, lobby, canteen, reception, lab, workshop, warehouse, archive
furniture | piece of furniture | desk, table, chair, sofa, shelf, cupboard, wardrobe, bed, bookcase, cabinet
containers | | box, drawer, basket, jar, bag, suitcase, tin, flowerpot, envelope, folder, bucket
household | | fridge, oven, dishwasher, washing machine, dryer, freezer, microwave, kettle, toaster, vacuum cleaner, coffee machine, stove
heating | | boiler, radiator, thermostat, air conditioner, heat pump, chimney, water heater
devices | device | laptop, phone, tablet, printer, monitor, keyboard, camera, headphones, scanner, television, projector, speaker, e-reader
network | | router, modem, switch, firewall, access point, repeater, network cable
servers | server | server, database, cluster, proxy, mail server, web server, file server, load balancer, backup server, build server
environments | environment | staging, production, testing, development, demo
services | service | scheduler, queue, cache, dashboard, crawler, importer, exporter, notifier, billing service, search service, login service, payment service, mailer, gateway, api, frontend, backend
software parts | | script, plugin, library, module, container, image, pipeline, repository, branch
jobs | | backup, deployment, update, migration, cleanup, restore, release, import, sync, build
backup things | | backup job, cleanup job, report job, index job, import job
databases | database | PostgreSQL, Postgres, MySQL, SQLite, MariaDB, MongoDB, Redis, Oracle
programming | language | Python, Rust, Java, Go, JavaScript, TypeScript, Kotlin, Ruby, Haskell, Scala, PHP
operating systems | operating system | Linux, Debian, Ubuntu, Fedora, Windows, macOS, Android, Arch
editors | editor | Vim, Emacs, VS Code, Helix, Sublime, Nano
tools | tool | Docker, Kubernetes, Terraform, Ansible, Jenkins, Grafana, Prometheus, nginx, Git
work units | | project, company, team, department, office, client, product, contract, campaign, startup
network names | | wifi, guest network, vpn, intranet, hotspot
properties of things | | colour, size, price, weight, age, height, length, width, brand, material
properties of people | | name, age, birthday, job, address, phone number, nickname, shoe size, blood type, email address, height, surname, favourite colour, star sign
properties of servers | | port, password, version, IP address, host name, owner, maintainer, location, operating system, uptime, disk size, user name
properties of projects | | deadline, budget, name, start date, manager, client, logo, sponsor
properties of events | | date, time, place, duration, price, host, topic, dress code
accounts | | password, user name, PIN, security question, recovery code, account number
doors | | front door, back door, garage door, cellar door, gate, garden gate
keys | | spare key, car key, house key, bike key, office key, cellar key, mailbox key, safe key
vehicles | vehicle | car, bike, motorbike, van, boat, scooter, bus, tram, train, camper, bicycle, trailer
car makes | make | Skoda, Volvo, Toyota, Ford, Honda, Fiat, Volkswagen, Mazda, Renault
colours | colour | red, blue, green, yellow, black, white, grey, purple, orange, brown, pink, silver, turquoise
hot drinks | drink | tea, coffee, hot chocolate, cocoa, espresso, cappuccino, green tea
cold drinks | drink | juice, beer, wine, water, lemonade, milk, cider, whisky, cola, champagne
meals | meal | breakfast, lunch, dinner, brunch, supper
dishes | dish | soup, pizza, lasagne, curry, risotto, salad, pancakes, stew, sushi, omelette, dumplings, paella, ramen
bakery | | bread, cake, pie, cookies, rolls, muffins, croissants, apple pie, plum cake, cheesecake, sourdough
fruit | fruit | apple, pear, plum, cherry, banana, orange, strawberry, mango, grape, lemon, peach, kiwi
vegetables | vegetable | carrot, onion, potato, tomato, spinach, mushroom, pepper, cabbage, broccoli, leek, courgette, bean
ingredients | ingredient | flour, sugar, butter, salt, milk, oil, yeast, cinnamon, rice, lentils, vinegar, honey, cream, water, eggs
allergens | | nuts, gluten, lactose, shellfish, peanuts, pollen, cats, eggs, soy, dust
medicines | medicine | penicillin, aspirin, ibuprofen, ramipril, insulin, paracetamol, amoxicillin, antihistamine
herbs | herb | cilantro, coriander, mint, parsley, dill, thyme, rosemary, chives
meat and fish | | chicken, beef, pork, salmon, tuna, lamb, turkey, trout, ham
sports | sport | tennis, football, basketball, swimming, climbing, running, cycling, rowing, judo, badminton, skiing, volleyball, golf, hockey
hobbies | hobby | painting, gardening, knitting, chess, photography, pottery, hiking, fishing, baking, dancing, sewing, bouldering, birdwatching
instruments | instrument | piano, guitar, violin, cello, flute, drums, trumpet, clarinet, saxophone, harp, ukulele
music | kind of music | jazz, rock, pop, techno, opera, blues, folk, hip hop, classical music
languages | language | English, German, French, Spanish, Italian, Chinese, Japanese, Portuguese, Russian, Arabic, Dutch, Swedish, Turkish, Polish
school subjects | subject | mathematics, physics, chemistry, biology, history, geography, economics, philosophy, psychology, law, medicine, architecture
weekdays | day | Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday
months | month | January, February, March, April, June, July, August, September, October, November, December
seasons | season | spring, summer, autumn, winter
feasts | | Christmas, Easter, New Year's Eve, Halloween, Thanksgiving
times of day | | morning, afternoon, evening, night
european cities | city | Berlin, Paris, London, Madrid, Lisbon, Vienna, Prague, Oslo, Rome, Dublin, Hamburg, Zurich, Munich, Bergen, Porto, Milan, Stockholm, Copenhagen, Amsterdam, Barcelona
far cities | city | Tokyo, Kyoto, Beijing, Shanghai, Singapore, Seoul, Sydney, Toronto, Boston, Chicago, Seattle, Mumbai
countries | country | Germany, France, Spain, Italy, Portugal, Norway, Sweden, Japan, China, Canada, Brazil, Greece, Poland, Ireland, Scotland
buildings | place | school, hospital, library, museum, station, hotel, church, theatre, gym, airport, town hall, kindergarten, university
shops | shop | bakery, pharmacy, supermarket, bookshop, butcher, florist, hardware store, market
meetings | | meeting, workshop, conference, interview, presentation, training, stand-up, retrospective, review, call
celebrations | | wedding, party, birthday party, concert, festival, anniversary, graduation, funeral, exhibition
appointments | | appointment, dentist appointment, doctor's appointment, haircut, eye test, check-up, vaccination
trips | | flight, train, cruise, holiday, road trip, ferry, hike
collections | | collection, bin collection, paper collection, recycling, bulky waste collection, glass collection
documents | document | report, invoice, letter, passport, driving licence, birth certificate, manual, tax return, will, insurance policy, minutes, agenda
contracts | | lease, insurance, subscription, membership, warranty, mortgage, loan, licence
bills | | rent, electricity bill, gas bill, phone bill, water bill, internet bill
clothes | | coat, shoes, jacket, hat, scarf, gloves, dress, shirt, boots, sweater, trousers, raincoat
small things | | glasses, wallet, umbrella, charger, torch, scissors, screwdriver, drill, ladder, hammer, tape measure, first-aid kit
valuables | | ring, necklace, watch, earrings, bracelet
plants | plant | roses, tulips, orchid, cactus, basil, tomatoes, lavender, fern, ivy, hedge, apple tree
reading | | book, novel, newspaper, magazine, comic, poem
screens | | film, series, documentary, cartoon, game
toys | | doll, teddy bear, puzzle, kite, train set
school things | | class, homework, exam, lecture, thesis, course
medicine | | tablet, pill, cough syrup, ointment, vaccine, inhaler, antibiotics, vitamin
body | | knee, back, shoulder, tooth, eye, ear, hand, foot, ankle
money | | savings, salary, bonus, pension, tax, loan
weather | | rain, snow, storm, fog, heatwave
rocks and water | | river, lake, mountain, beach, forest, island, valley
orders | | first, second, third, fourth, last
positions | | upper, lower, left, right, front, rear
ages | | old, new
sizes | | big, small, large, little
office hours | | opening hours, visiting hours, closing time
women's names | | Ines, Marta, Ana, Julia, Hannah, Sofia, Clara, Nadia, Lena, Priya, Mei, Ruth, Carmen, Olga, Fatima, Greta, Yuki, Elena, Karin, Zoe, Helen, Mira, Laura, Paula
men's names | | Tomas, Paul, Felix, Jonas, Karl, Marco, Omar, Victor, Oscar, Pedro, Ivan, Hugo, Samir, Anton, Kofi, Erik, Luca, Matteo, Walter, Simon, Raj, David
family names | | Miller, Weber, Rossi, Novak, Garcia, Jansen, Kowalski, Tanaka, Okafor, Lindqvist
"""


@cache
def groups() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Group name -> (how one asks for one of it, its words)."""
    found = {}
    for line in _GROUPS.strip().splitlines():
        name, kind, words = (part.strip() for part in line.split("|"))
        found[name] = (kind, tuple(word.strip() for word in words.split(",")))
    return found


@cache
def _by_word() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, (_, words) in groups().items():
        for word in words:
            low = word.lower()
            found[low] = (*found.get(low, ()), name)
    return found


def groups_of(word: str) -> tuple[str, ...]:
    """The names of the groups that a word (or its plural) stands in."""
    low = word.lower()
    return _by_word().get(low) or (_by_word().get(low[:-1], ()) if low.endswith("s") else ())


def known_small(word: str) -> bool:
    """Whether a group holds the word in small letters: no name, no language, no month."""
    return any(
        word in groups()[group][1] or word.removesuffix("s") in groups()[group][1]
        for group in groups_of(word)
    )


def kind_word(word: str) -> str:
    """What one calls a thing of its kind in a question: tea -> drink; empty where there is no such word."""
    for group in groups_of(word):
        if groups()[group][0]:
            return groups()[group][0]
    return ""


def siblings_of(word: str) -> list[str]:
    """Other words of the same groups, in the order of the table."""
    return [
        other
        for group in groups_of(word)
        for other in groups()[group][1]
        if other.lower() != word.lower() and other.lower() != word.lower().removesuffix("s")
    ]


def all_phrases() -> list[str]:
    """Every word of every group, the longest first: for finding them in a text."""
    return sorted(_by_word(), key=lambda word: (-len(word), word))
