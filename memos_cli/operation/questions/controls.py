"""Prompts that have nothing to do with anyone's memories: a trained adapter must leave them as they were.

The first 100 are for training, the rest for the gate. Both halves hold the same kinds in about the same
numbers, and no prompt of one is a rewording of a prompt of the other. A few ask for a note that is not
there; the caller leaves out those that a user's own memories answer.
"""

from __future__ import annotations

_TRAINING = """
What is the capital of France?
Who painted the Mona Lisa?
How many continents are there?
What is the largest planet in our solar system?
When did the Second World War end?
What is the boiling point of water at sea level?
Who wrote Romeo and Juliet?
What is the chemical symbol for gold?
Which ocean lies between Europe and America?
How long does light take from the Sun to the Earth?
What do bees make?
Which animal is the fastest on land?
What is the currency of Japan?
Who was the first person on the Moon?
Why is the sky blue?
What causes the seasons?
How do vaccines work?
What is photosynthesis?
How does a refrigerator keep food cold?
Why do leaves change their colour in autumn?
What is the difference between weather and climate?
How do aeroplanes stay in the air?
What is inflation?
What does the word "serendipity" mean?
Define the word "metaphor".
What is an adjective?
What is a prime number?
What is machine learning?
What is the difference between a virus and a bacterium?
Explain what an atom is to a child.
What is 7 times 8?
What is 15 plus 27?
How much is 144 divided by 12?
What is 20 percent of 250?
If I have three apples and eat one, how many are left?
What is the square root of 81?
How many minutes are there in three hours?
What comes next: 2, 4, 8, 16?
Convert 5 kilometres to metres.
What is the area of a rectangle of 4 by 6?
Hello!
Good morning, how are you?
How is your day going?
Thank you for your help.
Tell me a joke.
What's up?
I'm bored. What can we do?
I had a bad day.
Nice to meet you.
See you tomorrow!
What is your name?
Who made you?
Are you a human?
What can you do?
How old are you?
Do you have feelings?
Which languages do you understand?
Can you learn from our conversation?
Write a short poem about the sea.
Write a haiku about winter.
Write a polite email asking for a day off.
Write a two-sentence story about a dragon.
Give me three tips for better sleep.
List five healthy snacks.
Suggest a name for a bakery.
Give me a recipe for pancakes.
Write a slogan for a bicycle shop.
Describe a sunset in one sentence.
How do I boil an egg?
How do I tie a tie?
How can I learn to swim?
How do I remove a coffee stain?
Give me advice for a job interview.
How can I save energy at home?
Translate "good night" into French.
Translate "I am hungry" into Spanish.
What is the plural of "mouse"?
What is the opposite of "brave"?
Correct this sentence: "He go to school every day."
Rewrite this politely: "Give me the report now."
Summarize in one sentence: The dog ran across the street, and the driver stopped just in time.
Is this review positive or negative? "The food was cold and the waiter was rude."
Sort these words by the alphabet: pear, apple, cherry.
Write a Python function that adds two numbers.
What does the command "ls" do?
What is the difference between a list and a tuple in Python?
What does HTML stand for?
What does "git commit" do?
How do I reverse a string in JavaScript?
What is a relational database?
Was ist die Hauptstadt von Deutschland?
Wie geht es dir?
¿Cuál es la capital de España?
Quelle est la capitale de l'Italie ?
中国的首都是哪里？
你好！
What is the serial number of the dishwasher?
Who did I lend my ladder to?
What was the final mark of Sven in the chemistry exam?
On which shelf of the archive is the blueprint of the lighthouse?
"""
_GATE = """
What is the capital of Australia?
Who composed the Moonlight Sonata?
How many legs does a spider have?
Which planet is known as the Red Planet?
In which year did the Berlin Wall fall?
At what temperature does water freeze?
Who wrote "Pride and Prejudice"?
What is the chemical formula of table salt?
What is the longest river in Africa?
How far is the Moon from the Earth?
What do pandas eat?
Which bird cannot fly?
What is the official language of Brazil?
Who invented the telephone?
Why do we dream?
What causes an earthquake?
How does the heart pump blood?
What is gravity?
How does a microwave oven heat food?
Why do cats purr?
What is the difference between a comet and an asteroid?
How do submarines dive?
What is a stock market?
What does the word "ephemeral" mean?
Define the word "irony".
What is a verb?
What is a triangle?
What is a neural network?
What is the difference between a crocodile and an alligator?
Explain electricity to a ten-year-old.
What is 9 times 6?
What is 48 minus 19?
How much is 96 divided by 8?
What is half of 130?
If a train travels 60 miles in one hour, how far does it get in two?
What is 3 to the power of 4?
How many seconds are there in five minutes?
What comes next: 1, 4, 9, 16?
Convert 2 kilograms to grams.
What is the perimeter of a square with a side of 5?
Hi there!
Good evening! How are things?
What are you doing right now?
Thanks a lot, that was great.
Tell me something funny.
Can we talk for a while?
I feel a little lonely today.
I'm so happy today!
It's a pleasure to talk to you.
Goodbye!
What kind of program are you?
Which company trained you?
Are you conscious?
What are you good at?
Where do you live?
Do you sleep?
Can you speak German?
Do you make mistakes?
Write a short poem about a mountain.
Write a limerick about a frog.
Write a thank-you note to a teacher.
Write the beginning of a mystery story.
Give me three ideas for a rainy afternoon.
List four animals that live in the desert.
Suggest a title for a book about space travel.
Give me a recipe for tomato soup.
Write an advertisement for a pair of running shoes.
Describe the smell of rain.
How do I sharpen a knife?
How do I plant a tree?
How can I become a better reader?
How do I get chewing gum out of hair?
Give me advice for a first date.
How can I reduce stress?
Translate "thank you very much" into German.
Translate "Where is the station?" into Italian.
What is the past tense of "swim"?
What is a synonym for "fast"?
Correct this sentence: "She don't like apples."
Make this sentence shorter: "Due to the fact that it was raining, we stayed at home."
Summarize in one sentence: The village lost its bridge in the flood, so people now take the boat.
Is the tone of this message angry or friendly? "I can't wait to see you all again!"
Which of these words does not belong: chair, table, banana?
Write a loop in Python that prints the numbers from 1 to 10.
What does the command "cd" do?
What is a dictionary in Python?
What does CPU stand for?
What is a pull request?
How do I sort an array in Java?
What is an operating system?
Wie viele Einwohner hat Österreich?
Erzähl mir einen Witz.
¿Cómo se dice "perro" en inglés?
Combien font sept plus cinq ?
世界上最高的山是什么？
请写一首关于春天的短诗。
What is the combination of the bicycle lock?
Which seat did Aunt Rosalind have on the ferry?
What was the total of the invoice for the scaffolding?
Who is in charge of the keys to the observatory?
"""

CONTROLS: tuple[str, ...] = (*_TRAINING.strip().splitlines(), *_GATE.strip().splitlines())
"""General prompts: 100 for training, then 100 for the gate."""
