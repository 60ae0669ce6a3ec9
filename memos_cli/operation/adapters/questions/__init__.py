"""The questions that memories answer: from a note to its facts, and from a fact to its questions.

making        a memory's text -> its facts, each with its questions
notes         a memory's text -> its statements: sentences, ``key: value``, rows of tables, under a topic
spans         the answers in a statement, by their shape: a number, a date, a name, a quotation
english       the parts of an English sentence; forms of its verbs from a lexicon
facts         the class of a fact
frames        questions in English; ``plain`` has the forms that need no grammar, for every language
misses        questions close to the facts that none of them answers
splits        the choice of questions for training and for tests
answer_check  whether a model's answer is right
leaks         wrong answers to near misses, which the training prevents
asking        questions from a model with a billion parameters or more
controls      prompts that are unrelated to anyone's memories
"""
