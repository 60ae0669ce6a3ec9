"""The wording of lessons: English grammar in small tables, from a sentence to the questions it answers."""
