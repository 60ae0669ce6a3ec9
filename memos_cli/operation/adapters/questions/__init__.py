"""The questions that memories answer: from a note to its facts, and from a fact to the ways to ask for it.

making        a memory's text -> its facts, each with its questions
notes         a memory's text -> its statements: sentences, ``key: value``, rows of tables, under a topic
spans         what in a statement is an answer, by its shape: a number, a date, a name, something quoted
english       the parts of an English sentence; forms of its verbs from a lexicon
facts         what a fact is
frames        questions in English; ``plain`` has the forms that need no grammar, for every language
misses        questions close to the facts that none of them answers
splits        which questions are trained on, which are kept to test
answer_check  whether a model's answer is right
leaks         what an answer to a near miss would look like
asking        questions from a model of a billion parameters and more
controls      prompts that have nothing to do with anyone's memories
"""
