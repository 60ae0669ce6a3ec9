"""Times as people write them, and what each of them is: made up before the code was run on them.

``PHRASES`` are options and ``QUESTIONS`` are questions, asked at ``NOW``: Wednesday, 25 November 2026, 10:30
UTC, which is 11:30 in Berlin and 16:00 in Kolkata. Right values are clock times of the zone. ``DATES`` are
dates in files.
"""

from __future__ import annotations

from datetime import UTC, datetime

NOW = int(datetime(2026, 11, 25, 10, 30, tzinfo=UTC).timestamp() * 1000)

# way (past, future, or end: the end of a life) | text | right
PHRASES = """
past|2026-05-10|2026-05-10
past|2026-05|2026-05-01
past|2026|2026-01-01
past|20260510|2026-05-10
past|2026-05-10 14:30|2026-05-10T14:30
past|2026-05-10T14:30:15|2026-05-10T14:30:15
past|2026-05-10T14:30Z|2026-05-10T14:30
past|2026-05-10T14:30+02:00|2026-05-10T12:30
past|2026-05-10 14:30 UTC|2026-05-10T14:30
past|2026/05/10|2026-05-10
past|2026/5/9|2026-05-09
past|2026-5-9|2026-05-09
past|2026.05.10|2026-05-10
past|2026-13-01|refused
past|2026-02-30|refused
past|2026/02/30|refused
past|2026-05-10 25:00|refused
past|10.05.2026|2026-05-10
past|13.05.2026|2026-05-13
past|5.10.2026|2026-10-05
past|05.10.2026|2026-10-05
past|31.12.2025|2025-12-31
past|31.11.2025|refused
past|10.05.26|2026-05-10
past|10.5.26|2026-05-10
past|1.2.99|1999-02-01
past|10.5.|2026-05-10
past|24.12.|2025-12-24
past|10.05|refused
past|10.05.2026 14:30|2026-05-10T14:30
past|10. 5. 2026|2026-05-10
past|10/05/2026|refused
past|1/2/2026|refused
past|13/05/2026|2026-05-13
past|05/13/2026|2026-05-13
past|12-05-2026|refused
past|31-05-2026|2026-05-31
past|10/05/26|refused
past|5/10|refused
past|13/13/2026|refused
future|10.05.27|2027-05-10
future|10.05.26|2026-05-10
future|24.12.|2026-12-24
past|30d|2026-10-26T10:30
past|2w|2026-11-11T10:30
past|12h|2026-11-24T22:30
past|3mo|2026-08-25T10:30
past|1y|2025-11-25T10:30
past|15min|2026-11-25T10:15
past|90s|2026-11-25T10:28:30
past|+1d|2026-11-26T10:30
past|-1d|2026-11-24T10:30
past|6m|refused
past|6M|refused
past|6 m|refused
past|+6m|refused
past|-6M|refused
past|1d12h|2026-11-23T22:30
past|1.5h|refused
past|1,000 days ago|refused
past|2½ weeks|refused
past|2.5 weeks ago|refused
past|half a year ago|refused
past|a year and a half ago|refused
past|one and a half years ago|refused
past|-1|refused
past|7|refused
past|x|refused
past|soon|refused
past|30 d|2026-10-26T10:30
past|5yr|2021-11-25T10:30
past|3mons|2026-08-25T10:30
past|2 hrs|2026-11-25T08:30
past|2wks|2026-11-11T10:30
past|1 fortnight|2026-11-11T10:30
past|1 quarter|2026-08-25T10:30
future|one month|2026-12-25T10:30
future|a month|2026-12-25T10:30
future|two months|2027-01-25T10:30
future|six months|2027-05-25T10:30
future|one year|2027-11-25T10:30
future|a year|2027-11-25T10:30
future|1 month|2026-12-25T10:30
future|an hour|2026-11-25T11:30
future|twelve days|2026-12-07T10:30
future|5yr|2031-11-25T10:30
future|3mons|2027-02-25T10:30
future|in 3 days|2026-11-28T10:30
future|in two weeks|2026-12-09T10:30
future|in a year|2027-11-25T10:30
future|6m|refused
future|3M|refused
past|one month|2026-10-25T10:30
past|in 3 days|2026-11-28T10:30
past|2 hours ago|2026-11-25T08:30
past|three days ago|2026-11-22
past|two weeks ago|2026-11-11
past|a month ago|2026-10-25
past|six months ago|2026-05-25
past|a year ago|2025-11-25
past|10 years ago|2016-11-25
future|3 days from now|2026-11-28T10:30
past|now|2026-11-25T10:30
past|today|2026-11-25
past|Today|2026-11-25
past|yesterday|2026-11-24
past|the day before yesterday|2026-11-23
future|tomorrow|2026-11-26
future|the day after tomorrow|2026-11-27
past|yesterday evening|refused
past|last night|refused
past|yesterday at 5|2026-11-24T05:00
past|yesterday at 3pm|2026-11-24T15:00
past|yesterday 15:00|2026-11-24T15:00
past|3 pm yesterday|2026-11-24T15:00
past|yesterday at 25|refused
past|yesterday at 13pm|refused
future|tomorrow at 8|2026-11-26T08:00
future|8 tomorrow|2026-11-26T08:00
future|tomorrow at 12am|2026-11-26T00:00
future|friday at 9:30|2026-11-27T09:30
past|3 days before yesterday|2026-11-21
future|3 days after tomorrow|2026-11-29
past|two days after 5 May|2026-05-07
past|three weeks before May 5|2026-04-14
past|maybe yesterday|refused
past|not yesterday|refused
past|until yesterday|refused
past|the 5th|2026-11-05
past|5th|2026-11-05
past|on the 5th|2026-11-05
past|the 1st|2026-11-01
past|the 15th|2026-11-15
past|the 31st|2026-10-31
future|the 21st|2026-12-21
future|the 30th|2026-11-30
past|the 32nd|refused
past|the 5th floor|refused
past|H2 2026|2026-07-01
past|H1 2026|2026-01-01
past|H3 2026|refused
past|Q3 2026|2026-07-01
past|2025-Q2|2025-04-01
past|Q5 2026|refused
past|first half of 2026|2026-01-01
past|the second half of 2025|2025-07-01
past|the first quarter of 2025|2025-01-01
past|May '26|2026-05-01
past|May|2026-05-01
past|may 2025|2025-05-01
past|December|2025-12-01
past|5 May|2026-05-05
past|May 5|2026-05-05
past|5th of May|2026-05-05
past|May 5, 2025|2025-05-05
past|5 May 2025 14:30|2025-05-05T14:30
past|30 February 2025|refused
past|end of may|refused
past|mid 2025|refused
past|early May|refused
past|wed|2026-11-25
past|wednesday|2026-11-25
past|fri|2026-11-20
past|Tue.|2026-11-24
past|monday|2026-11-23
past|last monday|2026-11-23
past|last wednesday|2026-11-18
future|next friday|2026-11-27
future|friday|2026-11-27
past|last week|2026-11-16
past|this week|2026-11-23
past|last month|2026-10-01
past|last year|2025-01-01
past|last quarter|2026-07-01
past|this year|2026-01-01
future|next month|2026-12-01
past|last weekend|2026-11-21
past|1990s|1990-01-01
past|the 90s|1990-01-01
past|the 1990s|1990-01-01
past|the '90s|1990-01-01
past|~2020|refused
past|2020?|refused
past|c. 2020|refused
past|last century|refused
past|2020 BC|refused
past|winter 2025|2025-12-01
past|every monday|refused
past|yesterday and today|refused
past|1 or 2 days ago|refused
past|Fri, 12 May 2023 10:00:00 GMT|2023-05-12T10:00
past|12 mai 2023|2023-05-12
past|12. Mai 2023|2023-05-12
past|12 de mayo de 2023|2023-05-12
past|1er mars 2023|2023-03-01
past|12. März 2023|2023-03-12
past|Freitag, 12. Mai 2023|2023-05-12
past|Montag, 12. Mai 2023|refused
past|12 blub 2023|refused
past|32 mai 2023|refused
past|gestern|refused
past|hier|refused
past|三天前|2026-11-22
past|两周前|2026-11-11
past|一年前|2025-11-25
past|半年前|2026-05-25
past|昨天|2026-11-24
past|前天|2026-11-23
past|上周|2026-11-16
past|上周五|2026-11-20
past|上个月|2026-10-01
past|去年|2025-01-01
past|去年五月|2025-05-01
past|2026年5月10日|2026-05-10
past|2026年5月|2026-05-01
past|２０２６年５月１０日|2026-05-10
past|五月|2026-05-01
past|下半年|2026-07-01
past|昨日|2026-11-24
past|先月|2026-10-01
past|先週の金曜日|2026-11-20
past|2026年5月10日 14:30|2026-05-10T14:30
past|二月兰|refused
past|五月天|refused
future|明天|2026-11-26
future|明年|2027-01-01
end|2026-12-31|2027-01-01
end|2026-11-25|2026-11-26
end|2026-12|2027-01-01
end|2027|2028-01-01
end|9999-12-31|9999-12-31T23:59:59.999
end|9999-12|9999-12-31T23:59:59.999
end|9999|9999-12-31T23:59:59.999
end|31.12.9999|9999-12-31T23:59:59.999
end|2026-12-31 12:00|2026-12-31T12:00
end|2026-12-31T23:59Z|2026-12-31T23:59
end|31.12.2026|2027-01-01
end|25.11.|2026-11-26
end|today|2026-11-26
end|tomorrow|2026-11-27
end|tomorrow at 8|2026-11-26T08:00
end|friday|2026-11-28
end|next week|2026-12-07
end|this month|2026-12-01
end|November|2026-12-01
end|May|2027-06-01
end|30d|2026-12-25T10:30
end|12h|2026-11-25T22:30
end|one month|2026-12-25T10:30
end|in 3 days|2026-11-28T10:30
end|the 30th|2026-12-01
end|31 December 2026|2027-01-01
end|now|2026-11-25T10:30
end|6m|refused
end|20261231|2027-01-01
end|2026年12月31日|2027-01-01
"""

# Whatever the zone is: zone | now (UTC) | way | text | right, in UTC
ZONED = """
Europe/Berlin|2026-11-25T10:30|past|2026-05-10|2026-05-09T22:00
Europe/Berlin|2026-11-25T10:30|past|2026-01-10|2026-01-09T23:00
Europe/Berlin|2026-11-25T23:30|past|today|2026-11-25T23:00
Europe/Berlin|2026-11-25T22:30|past|today|2026-11-24T23:00
Europe/Berlin|2026-11-25T23:30|past|yesterday|2026-11-24T23:00
Europe/Berlin|2026-03-29T10:00|past|today|2026-03-28T23:00
Europe/Berlin|2026-03-29T10:00|past|yesterday|2026-03-27T23:00
Europe/Berlin|2026-03-30T10:00|past|today|2026-03-29T22:00
Europe/Berlin|2026-03-29T10:00|end|today|2026-03-29T22:00
Europe/Berlin|2026-10-25T10:00|end|today|2026-10-25T23:00
Europe/Berlin|2026-10-25T10:00|past|today|2026-10-24T22:00
Europe/Berlin|2026-03-29T10:00|past|24h|2026-03-28T10:00
Europe/Berlin|2026-03-29T10:00|past|1h|2026-03-29T09:00
Europe/Berlin|2026-03-29T01:30|past|1h|2026-03-29T00:30
Europe/Berlin|2026-10-25T01:30|past|1h|2026-10-25T00:30
Europe/Berlin|2026-10-25T00:30|future|2h|2026-10-25T02:30
Europe/Berlin|2026-03-29T10:00|past|1d|2026-03-28T11:00
Europe/Berlin|2026-11-25T10:30|past|6mo|2026-05-25T09:30
Europe/Berlin|2026-11-25T10:30|past|2026-03-29 03:30|2026-03-29T01:30
Europe/Berlin|2026-11-25T10:30|past|2026-10-25 01:30|2026-10-24T23:30
Europe/Berlin|2026-11-25T10:30|past|2026-10-25 03:30|2026-10-25T02:30
Europe/Berlin|2026-11-25T10:30|past|now|2026-11-25T10:30
Europe/Berlin|2026-10-25T00:30|past|now|2026-10-25T00:30
Europe/Berlin|2026-10-25T01:30|past|now|2026-10-25T01:30
Europe/Berlin|2026-11-25T10:30|past|2026-05-10T14:30Z|2026-05-10T14:30
Europe/Berlin|2026-11-25T10:30|end|2026-12-31|2026-12-31T23:00
Europe/Berlin|2026-11-25T10:30|end|2027-06-30|2027-06-30T22:00
Asia/Kolkata|2026-11-25T20:00|past|today|2026-11-25T18:30
Asia/Kolkata|2026-11-25T18:00|past|today|2026-11-24T18:30
Asia/Kolkata|2026-11-25T20:00|past|yesterday|2026-11-24T18:30
Asia/Kolkata|2026-11-25T10:30|past|2026-05-10|2026-05-09T18:30
Asia/Kolkata|2026-11-25T10:30|past|10.05.2026|2026-05-09T18:30
Asia/Kolkata|2026-11-25T10:30|past|2026-05-10 14:30|2026-05-10T09:00
Asia/Kolkata|2026-11-25T10:30|past|2h|2026-11-25T08:30
Asia/Kolkata|2026-11-25T10:30|end|2026-12-31|2026-12-31T18:30
Asia/Kolkata|2026-11-25T10:30|past|this week|2026-11-22T18:30
Asia/Kolkata|2026-11-30T20:00|past|this month|2026-11-30T18:30
Asia/Kolkata|2026-11-25T10:30|past|2 hours ago|2026-11-25T08:30
America/New_York|2026-11-25T03:00|past|today|2026-11-24T05:00
America/New_York|2026-11-25T03:00|past|yesterday at 5|2026-11-23T10:00
America/New_York|2026-03-08T12:00|past|today|2026-03-08T05:00
America/New_York|2026-03-09T12:00|past|today|2026-03-09T04:00
America/New_York|2026-11-25T03:00|end|9999-12-31|9999-12-31T23:59:59.999
Asia/Tokyo|2026-11-25T03:00|end|9999-12-31|9999-12-31T14:59:59.999
Asia/Tokyo|2026-11-27T22:30|past|yesterday|2026-11-26T15:00
Asia/Tokyo|2026-11-27T22:30|future|2026-11-28 08:00|2026-11-27T23:00
"""

# zone | question | after..before, or none; a deadline, which only ranks, has a "~" before it
QUESTIONS = """
UTC|What did we do yesterday?|2026-11-24..2026-11-25
UTC|What was noted on 10.05.2026?|2026-05-10..2026-05-11
UTC|What was noted on 13.05.2026?|2026-05-13..2026-05-14
UTC|Who came on 5.10.2026, and why?|2026-10-05..2026-10-06
UTC|What was noted on 10/05/2026?|none
UTC|What was noted on 13/05/2026?|2026-05-13..2026-05-14
UTC|What was noted on 12-05-2026?|none
UTC|What was noted on 2026/5/9?|2026-05-09..2026-05-10
UTC|Who called on the 5th?|2026-11-05..2026-11-06
UTC|What is on the 5th floor?|none
UTC|Who won after the 1st round?|none
UTC|What happened in the first half of 2025?|2025-01-01..2025-07-01
UTC|What did we earn in the second half of last year?|2025-07-01..2026-01-01
UTC|What did we earn in H2 2025?|2025-07-01..2026-01-01
UTC|What happened in May '25?|2025-05-01..2025-06-01
UTC|What did Ben say two days after 5 May?|2026-05-07..2026-05-08
UTC|What happened three weeks before May 5?|2026-04-13..2026-04-20
UTC|What happened the day before 5 May?|2026-05-04..2026-05-05
UTC|What did we do the week after 5 May 2025?|2025-05-12..2025-05-19
UTC|What happened in the weeks after 5 May?|none
UTC|What did we eat the Tuesday after 5 May?|none
UTC|What happened half a year ago?|none
UTC|Who came a year and a half ago?|none
UTC|What did I weigh 2.5 years ago?|none
UTC|What broke 1,000 days ago?|none
UTC|Where were we two and a half weeks ago?|none
UTC|How long is the race in 2000 meters?|none
UTC|How fast is it in 2000 metres?|none
UTC|What runs at 2000 rpm?|none
UTC|How many are in 1999 kg of rice?|none
UTC|Is the plane over 2000 feet?|none
UTC|Does it fit in 2048 MB?|none
UTC|What costs over 2000 USD?|none
UTC|Can I live on 2000 calories?|none
UTC|Do they hum at 2000 Hz?|none
UTC|二月兰什么时候开花?|none
UTC|五月天的歌|none
UTC|三月兔是谁|none
UTC|二月我们去了哪里|2026-02-01..2026-03-01
UTC|三周前我们吃了什么|2026-11-02..2026-11-09
UTC|5月5日三天后发生了什么|none
UTC|5月5日之前三周发生了什么|none
UTC|What is due by Friday?|~2026-11-27..2026-11-28
UTC|Which report is due until Friday?|~2026-11-27..2026-11-28
UTC|What is due on Friday?|~2026-11-27..2026-11-28
UTC|What was due on Friday?|2026-11-20..2026-11-21
UTC|What is on Friday?|~2026-11-27..2026-11-28
UTC|When is the dentist on Monday?|~2026-11-30..2026-12-01
UTC|What do I do on 3 December?|~2026-12-03..2026-12-04
UTC|What's on Friday?|~2026-11-27..2026-11-28
UTC|What did I have to do by Friday?|..2026-11-21
UTC|What did we do on Monday before lunch?|2026-11-23..2026-11-24
UTC|What is due next Friday?|~2026-11-27..2026-11-28
UTC|What is due next month?|~2026-12-01..2027-01-01
UTC|What do I have to finish before Friday?|~2026-11-27..2026-11-28
UTC|What will we do on Monday?|~2026-11-30..2026-12-01
UTC|What are we going to do in May?|~2027-05-01..2027-06-01
UTC|What should I pay by the 5th?|~2026-12-05..2026-12-06
UTC|What is planned for tomorrow?|~2026-11-26..2026-11-27
UTC|What did Ana say on Friday?|2026-11-20..2026-11-21
UTC|What did we do on Monday?|2026-11-23..2026-11-24
UTC|What happened before Friday?|..2026-11-20
UTC|What did he say in May?|2026-05-01..2026-06-01
UTC|周五之前要交什么|~2026-11-27..2026-11-28
UTC|Who said that this may be due in March?|2026-03-01..2026-04-01
UTC|Is Python 3.12. older?|none
UTC|What changed in version 10.05.26?|none
UTC|What is in room 2026?|none
UTC|Which flights leave every Monday?|none
Europe/Berlin|What did we do yesterday?|2026-11-24..2026-11-25
Europe/Berlin|What happened on 29 March 2026?|2026-03-29..2026-03-30
Asia/Kolkata|What did we do today?|2026-11-25..2026-11-26
Asia/Kolkata|What was noted on 10.05.2026?|2026-05-10..2026-05-11
"""

# Dates in files, in UTC: text | right
DATES = """
2023-05-12T10:00:00+0000|2023-05-12T10:00
2023-05-12T10:00:00Z|2023-05-12T10:00
20230512|2023-05-12
2023-05-12T10:00:00.123456789Z|2023-05-12T10:00:00.123
2023/05/12|2023-05-12
2023/5/2|2023-05-02
2023/05/12 10:00|2023-05-12T10:00
2023-5-12|2023-05-12
2023-5-2 9:05|2023-05-02T09:05
2023.05.12|2023-05-12
2023-05-12 10:00:00 UTC|2023-05-12T10:00
2023-05-12 10:00:00 +0000 UTC|2023-05-12T10:00
2023-05-12 10:00:00 +0200 CEST|2023-05-12T08:00
2023-05-12 10:00:00 GMT|2023-05-12T10:00
2023-05-12 10:00 PM|2023-05-12T22:00
2023-05-12T10:00:00+02:00[Europe/Berlin]|2023-05-12T08:00
Fri, 12 May 2023 10:00:00 GMT|2023-05-12T10:00
Fri, 12 May 2023 10:00:00 +0200|2023-05-12T08:00
Fri, 12 May 2023 10:00:00 +0200 (CEST)|2023-05-12T08:00
12 May 2023 10:00:00 -0400|2023-05-12T14:00
Fri, 12 May 2023 10:00:00 EDT|2023-05-12T14:00
Fri May 12 10:00:00 +0000 2023|2023-05-12T10:00
Fri May 12 10:00:00 2023|2023-05-12T10:00
Fri May  5 10:00:00 UTC 2023|2023-05-05T10:00
May 12, 2023|2023-05-12
May 12, 2023 at 10:00 AM|2023-05-12T10:00
Friday, May 12, 2023 at 3:05:00 PM|2023-05-12T15:05
May 12th, 2023|2023-05-12
12-May-2023|2023-05-12
12 mai 2023|2023-05-12
12. Mai 2023|2023-05-12
12. Mai 2023 10:00|2023-05-12T10:00
12. März 2023, 10:00 Uhr|2023-03-12T10:00
12 mars 2023 à 10:00|2023-03-12T10:00
12 février 2023|2023-02-12
1er août 2023|2023-08-01
12 de mayo de 2023|2023-05-12
viernes, 12 de mayo de 2023|2023-05-12
12 maggio 2023|2023-05-12
12 de março de 2023|2023-03-12
12 maja 2023|2023-05-12
12 мая 2023 г.|2023-05-12
12 mei 2023|2023-05-12
2023年5月12日|2023-05-12
2023年5月12日 10:00|2023-05-12T10:00
2023년 5월 12일|2023-05-12
1683885600.250000|2023-05-12T10:00:00.250
1683885600|2023-05-12T10:00
1683885600000|2023-05-12T10:00
12.05.2023|2023-05-12
12.05.2023 10:00|2023-05-12T10:00
12.05.2023, 10:00:30|2023-05-12T10:00:30
25/12/2023|2023-12-25
12/25/2023 10:00 AM|2023-12-25T10:00
05/12/2023 10:00|unread
5/6/2023|unread
05-12-2023|unread
05/12/23|unread
Mon, 12 May 2023 10:00:00 GMT|unread
31 February 2023|unread
2023-02-30|unread
12 Blub 2023|unread
yesterday|unread
May|unread
2 days ago|unread
around 12 May 2023|unread
12 May 2023 or later|unread
2023-05-12 10:00 XYZ|unread
2023-05-12 24:30|unread
99.99.9999|unread
"""


def rows(table: str) -> list[tuple[str, ...]]:
    return [tuple(line.split("|")) for line in table.strip().splitlines()]
